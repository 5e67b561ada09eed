package engine_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"portico/internal/netx"
	"portico/internal/poll/epoll"
	"portico/internal/poll/portable"
	"portico/l7/exchange"
	"portico/l7/exchange/outcome"
	"portico/l7/loop"
	"portico/l7/loop/engine"
	"portico/l7/message"
	"portico/l7/transport"
	"portico/spec"
)

// drivers are those that every test here is run with.
var drivers = map[string]func() (loop.Poller, error){
	"epoll":    epoll.New,
	"portable": func() (loop.Poller, error) { return portable.New(), nil },
}

// newDriver makes the one under test, which is named driverName and waits with
// what newPoller makes.
var (
	newPoller  func() (loop.Poller, error)
	newDriver  func(loop.Options) (*engine.Driver, error)
	driverName string
)

func TestMain(m *testing.M) {
	code := 0
	for name, poller := range drivers {
		if only := os.Getenv("DRIVER"); only != "" && only != name {
			continue
		}
		newDriver = func(o loop.Options) (*engine.Driver, error) { return engine.New(o, poller) }
		newPoller, driverName = poller, name
		if c := m.Run(); c != 0 {
			fmt.Println("with the driver " + name)
			code = c
		}
	}
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Println(err)
		code = 1
	}
	os.Exit(code)
}

// proxy is a driver that serves one listener in front of one target.
type proxy struct {
	t      testing.TB
	driver *engine.Driver
	ln     loop.Socket
	target atomic.Pointer[netip.AddrPort]
	via    atomic.Pointer[transport.Transport]
	tls    *tls.Config
	from   []netip.Addr
	ready  atomic.Bool
	limit  int64
	open   atomic.Int64

	quiet    bool                          // ended is not kept
	poller   func(loop.Poller) loop.Poller // around the one under test; nil for none
	begin    func(*exchange.Decision)
	resume   func(*exchange.Decision, time.Time)
	timeouts spec.Timeouts
	bounds   exchange.Bounds

	mu      sync.Mutex
	ended   []outcome.Result
	refused []loop.Refusal
}

func newProxy(tb testing.TB, edit func(p *proxy, o *loop.Options)) *proxy {
	tb.Helper()
	p := &proxy{
		t: tb, limit: 1 << 20,
		timeouts: spec.DefaultTimeouts(),
		bounds:   exchange.Bounds{Head: 32 << 10, Fields: 100, HeadTimeout: 10 * time.Second, IdleTimeout: time.Minute},
	}
	p.ready.Store(true)
	o := loop.Options{Dialer: netx.Dialer{}, Loops: 1}
	if edit != nil {
		edit(p, &o)
	}
	var err error
	if p.driver, err = p.newDriver(o); err != nil {
		tb.Fatal(err)
	}
	if p.ln, err = p.driver.Listen(context.Background(), netip.MustParseAddrPort("127.0.0.1:0"), netx.Options{}); err != nil {
		tb.Fatal(err)
	}
	p.ln.Serve(p)
	tb.Cleanup(func() {
		_ = p.driver.Close()
		if got := p.driver.Stats(); got != (loop.Stats{}) {
			tb.Errorf("Stats() after Close = %+v, want nothing", got)
		}
		if n := p.open.Load(); n != 0 {
			tb.Errorf("%d connections are counted as open after Close", n)
		}
	})
	return p
}

// newDriver is the one under test, with another poller where one is asked for.
func (p *proxy) newDriver(o loop.Options) (*engine.Driver, error) {
	if p.poller == nil {
		return newDriver(o)
	}
	return engine.New(o, func() (loop.Poller, error) {
		inner, err := newPoller()
		return p.poller(inner), err
	})
}

// to makes addr the target.
func (p *proxy) to(addr net.Addr) *proxy {
	ap := addr.(*net.TCPAddr).AddrPort()
	p.target.Store(&ap)
	return p
}

// serve makes a Go handler the target.
func (p *proxy) serve(h http.Handler) *httptest.Server {
	s := httptest.NewServer(h)
	p.t.Cleanup(s.Close)
	p.to(s.Listener.Addr())
	return s
}

// httpServer is serve with an eye on the connections.
func httpServer(p *proxy, h http.HandlerFunc, state func(net.Conn, http.ConnState)) *httptest.Server {
	s := httptest.NewUnstartedServer(h)
	s.Config.ConnState = state
	s.Start()
	p.t.Cleanup(s.Close)
	p.to(s.Listener.Addr())
	return s
}

func (p *proxy) url() string { return "http://" + p.ln.Addr().String() }

func (p *proxy) dial() net.Conn {
	p.t.Helper()
	c, err := net.Dial("tcp", p.ln.Addr().String())
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return c
}

func (p *proxy) results() []outcome.Result {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]outcome.Result(nil), p.ended...)
}

// The Service, its one Listener, and the Handler.

func (p *proxy) Listener(netip.Addr) loop.Listener { return p }
func (p *proxy) Ready() bool                       { return p.ready.Load() }
func (p *proxy) Handler() exchange.Handler         { return p }
func (p *proxy) TLS() *tls.Config                  { return p.tls }
func (p *proxy) Closed()                           { p.open.Add(-1) }
func (p *proxy) Bounds() *exchange.Bounds          { return &p.bounds }

func (p *proxy) Refused(_ netip.AddrPort, why loop.Refusal, _ error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refused = append(p.refused, why)
}

func (p *proxy) ProxyFrom() []netip.Addr {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.from
}

func (p *proxy) Opened(time.Time) (why loop.Refusal, ok bool) {
	if p.open.Add(1) > p.limit {
		p.open.Add(-1)
		return loop.TooMany, false
	}
	return why, true
}

func (p *proxy) Begin(req *message.Request, d *exchange.Decision) {
	d.Timeouts, d.Attempts = p.timeouts, 1
	if to := p.target.Load(); to != nil {
		d.Address = *to
	}
	d.Via = p.via.Load()
	if p.begin != nil {
		p.begin(d)
	}
	if p.ProxyFrom() != nil {
		at := len(d.Scratch)
		d.Scratch = req.Client.AppendTo(d.Scratch)
		req.Fields = append(req.Fields, message.Field{Name: []byte("X-Client"), Value: d.Scratch[at:]})
	}
}

// Resume finds that the wait is over.
func (p *proxy) Resume(_ *message.Request, d *exchange.Decision, now time.Time) {
	if p.resume != nil {
		p.resume(d, now)
		return
	}
	d.Address = *p.target.Load()
}

func (p *proxy) Next(*message.Request, *exchange.Decision, outcome.Why) bool { return true }

func (p *proxy) Response(*message.Request, *message.Response, *exchange.Decision) {}

func (p *proxy) Fail(*message.Request, *exchange.Decision, int, outcome.Why) {}

func (p *proxy) End(_ *message.Request, _ *exchange.Decision, r *outcome.Result) {
	if p.quiet {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = append(p.ended, *r)
}

// client is an HTTP client that is done when the test is.
func client(tb testing.TB) *http.Client {
	tb.Helper()
	tr := &http.Transport{DisableCompression: true}
	tb.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 30 * time.Second}
}

// answer is what came back, wholly read.
type answer struct {
	status     int
	text, alpn string
}

// fetch does a request to its end.
func fetch(tb testing.TB, do func() (*http.Response, error)) answer {
	tb.Helper()
	r, err := do()
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		tb.Fatal(err)
	}
	a := answer{status: r.StatusCode, text: string(b)}
	if r.TLS != nil {
		a.alpn = r.TLS.NegotiatedProtocol
	}
	return a
}

// echo answers with the request's method and body.
func echo(w http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body)
	_, _ = io.WriteString(w, r.Method+" "+string(b))
}

// TestForward proves that requests of a real client reach a real target and come back.
func TestForward(t *testing.T) {
	p := newProxy(t, nil)
	p.serve(http.HandlerFunc(echo))
	c := client(t)
	r := fetch(t, func() (*http.Response, error) { return c.Get(p.url()) })
	if got := r.text; got != "GET " {
		t.Errorf("GET = %q", got)
	}
	r = fetch(t, func() (*http.Response, error) { return c.Post(p.url(), "text/plain", strings.NewReader("hello")) })
	if got := r.text; got != "POST hello" {
		t.Errorf("POST = %q", got)
	}
	// A reader of unknown length is sent in chunks.
	r = fetch(t, func() (*http.Response, error) {
		return c.Post(p.url(), "text/plain", io.MultiReader(strings.NewReader("a"), strings.NewReader("b")))
	})
	if got := r.text; got != "POST ab" {
		t.Errorf("chunked POST = %q", got)
	}
	r = fetch(t, func() (*http.Response, error) { return c.Head(p.url()) })
	if got := r.text; got != "" || r.status != 200 {
		t.Errorf("HEAD = %q, status %d", got, r.status)
	}
}
