package exchange_test

import (
	"net/netip"
	"time"

	"portico/l7/exchange"
	"portico/l7/exchange/outcome"
	"portico/l7/message"
	"portico/spec"
)

// handler is a small Handler: the path says what it decides.
type handler struct {
	d        spec.Timeouts
	bounds   exchange.Bounds
	ended    func(*outcome.Result)
	keeps    int // bytes that requests keep
	begin    func(*exchange.Decision)
	memories int // lent out
	begun    int
	limit    int64
	ready    bool // what requests wait for has come
	attempts int
	free     []*exchange.Memory
}

// Handler is itself: it names the handler too (exchange.Handlers).
func (h *handler) Handler() exchange.Handler { return h }

func newHandler() *handler {
	return &handler{
		bounds: exchange.Bounds{Head: 4096, Fields: 20, HeadTimeout: 10 * time.Second, IdleTimeout: 60 * time.Second},
		d: spec.Timeouts{
			Connect: spec.Duration(3 * time.Second), Body: spec.Duration(30 * time.Second),
			Response: spec.Duration(20 * time.Second), Tunnel: spec.Duration(time.Hour),
		},
		attempts: 2,
	}
}

func (h *handler) Bounds() *exchange.Bounds { return &h.bounds }

func (h *handler) Begin(req *message.Request, d *exchange.Decision) {
	h.begun++
	if h.begin != nil {
		h.begin(d)
	}
	d.Timeouts, d.Attempts, d.BodyLimit = h.d, h.attempts, h.limit
	path := string(req.Path)
	if message.Connects(req) && string(req.Host) == "none" {
		path = "/none"
	}
	switch path {
	case "/fixed":
		d.Fixed = &exchange.Fixed{Status: 200, Body: []byte("fixed")}
	case "/empty":
		d.Fixed = &exchange.Fixed{Status: 204}
	case "/last":
		d.Fixed = &exchange.Fixed{Status: 200, Close: true}
	case "/none":
	case "/limit":
		d.BodyLimit = 5
		h.set(d, 1)
	case "/again":
		d.Retry = &exchange.Retry{Reset: true, Timeout: true, Statuses: []int{502, 503}, PerTry: 4 * time.Second}
		h.set(d, 1)
	case "/unsafe":
		d.Retry = &exchange.Retry{Reset: true, Statuses: []int{503}, Unsafe: true}
		h.set(d, 1)
	case "/wait", "/until", "/stuck", "/then-fixed", "/then-none":
		h.pend(string(req.Path), d)
	case "/wait-total":
		d.Timeouts.Total = spec.Duration(5 * time.Second)
		h.pend(string(req.Path), d)
	case "/gather", "/gather-again":
		d.Pending, d.Gather = true, 10
		if path == "/gather-again" {
			d.Retry = &exchange.Retry{Statuses: []int{503}}
		}
	case "/total":
		d.Timeouts.Total = spec.Duration(5 * time.Second)
		h.set(d, 1)
	default:
		h.set(d, 1)
	}
}

// Resume waits on unless what is waited for has come.
func (h *handler) Resume(req *message.Request, d *exchange.Decision, now time.Time) {
	path := string(req.Path)
	switch {
	case path == "/until" && !now.Before(d.Now.Add(untilTime)):
		d.Fixed = &exchange.Fixed{Status: 503, Why: outcome.WaitTimeout}
	case path == "/gather" || path == "/gather-again":
		h.set(d, 1)
	case !h.ready:
		h.pend(path, d)
	case path == "/then-fixed":
		d.Fixed = &exchange.Fixed{Status: 200, Body: []byte("fixed")}
	case path == "/then-none":
	default:
		h.set(d, byte(1+len(d.Tried)))
	}
}

// untilTime is how long a request for /until waits.
const untilTime = 5 * time.Second

func (h *handler) pend(path string, d *exchange.Decision) {
	d.Pending = true
	if path == "/until" || path == "/stuck" {
		d.Until = d.Now.Add(untilTime)
	}
}

func (h *handler) set(d *exchange.Decision, n byte) {
	d.Address = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, n}), 80)
}

func (h *handler) Next(req *message.Request, d *exchange.Decision, _ outcome.Why) bool {
	if string(req.Path) == "/queue" {
		d.Tried = append(d.Tried, nil)
		d.Pending = true
		return true
	}
	next := d.Address.Addr().As4()[3] + 1
	if next > 3 {
		return false
	}
	h.set(d, next)
	return true
}

func (h *handler) Response(req *message.Request, resp *message.Response, d *exchange.Decision) {
	switch string(req.Path) {
	case "/hold":
		d.Hold = 10
	case "/twice":
		d.Transform = &twice{}
	case "/hold-twice":
		d.Hold, d.Transform = 10, &twice{}
	}
	if string(req.Path) == "/hook" {
		at := len(d.Scratch)
		d.Scratch = append(d.Scratch, req.Method...)
		resp.Fields = append(resp.Fields, message.Field{Name: []byte("Hook"), Value: d.Scratch[at:]})
	}
}

func (h *handler) Fail(*message.Request, *exchange.Decision, int, outcome.Why) {}

func (h *handler) End(_ *message.Request, _ *exchange.Decision, r *outcome.Result) {
	if h.ended != nil {
		h.ended(r)
	}
}

// Get and Put make the handler a Memories that counts.
func (h *handler) Get() *exchange.Memory {
	h.memories++
	if n := len(h.free); n > 0 {
		m := h.free[n-1]
		h.free = h.free[:n-1]
		return m
	}
	return exchange.NewMemory()
}

func (h *handler) Put(m *exchange.Memory) {
	h.memories--
	h.free = append(h.free, m)
}

// Lag is that of a loop that has little to do.
func (h *handler) Lag() time.Duration { return 0 }
func (h *handler) Keep(n int)         { h.keeps += n }
func (h *handler) Used() int          { return 0 }

// twice is a Transformer that says every byte twice, but holds the last one back
// until it is sure of it, and adds a full stop.
type twice struct {
	held []byte
	over bool
}

func (w *twice) Transform(dst []byte, pieces [][]byte, last bool) []byte {
	if w.over {
		panic("a transformer is used after its last piece")
	}
	w.over = last
	for _, p := range pieces {
		for _, c := range p {
			dst = append(append(dst, w.held...), w.held...)
			w.held = append(w.held[:0], c)
		}
	}
	if last {
		dst = append(append(append(dst, w.held...), w.held...), '.')
	}
	return dst
}
