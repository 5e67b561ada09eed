package exchange_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"portico/l7/exchange"
	"portico/l7/exchange/outcome"
	"portico/l7/http1"
	"portico/l7/message"
)

// chaos is a driver that does what a fuzzer says, in any order the contract
// allows, and checks that the machine keeps its side of it.
type chaos struct {
	t   *testing.T
	m   exchange.Machine
	h   *handler
	now time.Time

	ended   int
	lazy    bool // one action at a time: other events come between
	dialing bool
	open    [2]bool
	shut    [2]bool
	sending [2]bool
	eof     [2]bool
	in      [2][]byte
	stream  [2]bool
	headed  [2]bool // a stream said its head
	posting int     // the request whose POST is being sent, counted from 1
	posted  int     // the request whose POST was sent
}

func newChaos(t *testing.T, stream [2]bool) *chaos {
	t.Helper()
	c := &chaos{t: t, h: newHandler(), now: epoch, stream: stream}
	c.h.ended = func(r *outcome.Result) {
		c.ended++
		if r.BytesIn < 0 || r.BytesOut < 0 || r.Total < 0 || r.Why.String() == "unknown" {
			t.Fatalf("End(%+v)", r)
		}
	}
	c.open[exchange.ClientSide] = true
	o := exchange.Options{
		Client: &message.Client{Peer: netip.MustParseAddrPort("192.0.2.1:1")}, Handlers: c.h, Memories: c.h,
	}
	if stream[exchange.ClientSide] {
		c.m.StartStream(o, c.now)
	} else {
		c.m.Start(o, c.now)
	}
	return c
}

// say are whole and broken messages for the fuzzer to put together.
var say = [2][]string{
	{
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "GET /fixed HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n", "hello", "x",
		"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", "5\r\nhello\r\n", "0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n",
		"CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\nhello",
		"GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: ws\r\n\r\n",
		"GET / HTTP/1.0\r\nHost: x\r\n\r\n", "POST /limit HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
		"POST /fixed HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n", "GET /total HTTP/1.1\r\nHost: x\r\n\r\n",
		"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", "\r\n",
		"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n", "POST /wait HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n",
		"GET /twice HTTP/1.1\r\nHost: x\r\n\r\n", "GET /until HTTP/1.1\r\nHost: x\r\n\r\n", "GET /queue HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /again HTTP/1.1\r\nHost: x\r\n\r\n", "POST /again HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
		"PUT /again HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n", "POST /again HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
		"POST /then-fixed HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n", "GET /stuck HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST /gather HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n", "PUT /gather-again HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
		"GET /hold HTTP/1.1\r\nHost: x\r\n\r\n", "GET /hold-twice HTTP/1.1\r\nHost: x\r\n\r\n",
	},
	{
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "hello", "x",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "5\r\nhello\r\n", "0\r\n\r\n",
		"HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103 Early Hints\r\n\r\n",
		"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: ws\r\n\r\n",
		"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n", "HTTP/1.1 304 Not Modified\r\n\r\n",
		"garbage\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 503 Busy\r\nContent-Length: 5\r\n\r\n",
	},
}

// event lets one thing happen; op says what, arg how.
func (c *chaos) event(op, arg byte) {
	s := exchange.Side(arg & 1)
	switch op % 12 {
	case 0, 1, 2, 3:
		list := say[s]
		if c.stream[s] && c.open[s] && !c.headed[s] {
			c.head(s, list[int(arg>>1)%len(list)], op%2 == 0)
			break
		}
		c.in[s] = append(c.in[s], list[int(arg>>1)%len(list)]...)
	case 4:
		c.eof[s] = true
	case 5:
		if c.open[s] {
			c.m.Broke(s, errors.New("broke"), c.now)
		}
	case 6:
		c.now = c.now.Add(time.Duration(arg) * 100 * time.Millisecond)
		c.m.Tick(c.now)
	case 7:
		c.now = c.now.Add(time.Duration(arg) * 10 * time.Second)
		c.m.Tick(c.now)
	case 8:
		c.answerDial(arg)
	case 9:
		c.answerSend(s, arg&2 != 0)
	case 10:
		switch {
		case arg > 200:
			c.m.Drain(c.now)
		case arg > 180:
			c.m.Leave()
		}
	case 11:
		switch {
		case arg > 250:
			c.m.Abort(c.now)
		case arg > 230 && c.stream[exchange.TargetSide] && c.open[exchange.TargetSide]:
			c.posting, c.posted = 0, 0 // it may be sent again
			c.m.Refused(errors.New("refused"), c.now)
		default:
			c.h.ready = arg&1 != 0
			c.m.Resume(c.now)
		}
	}
	c.lazy = op >= 128
	c.act()
	c.offer(exchange.Side(arg>>1&1), int(arg)%7)
}

func (c *chaos) answerDial(arg byte) {
	if !c.dialing {
		return
	}
	c.dialing = false
	if arg&3 == 0 {
		c.m.ConnectFailed(errors.New("refused"), c.now)
		return
	}
	t := exchange.TargetSide
	c.open[t], c.shut[t], c.eof[t], c.in[t], c.headed[t] = true, false, false, nil, false
	if c.stream[t] {
		c.m.ConnectedStream(arg&3 == 1, c.now)
	} else {
		c.m.Connected(arg&3 == 1, c.now)
	}
}

// head tells the machine of a stream's head, or that it is none.
func (c *chaos) head(s exchange.Side, text string, end bool) {
	if s == exchange.TargetSide && !c.m.Reads(s) {
		return
	}
	var (
		n    int
		err  error
		scan http1.Scanner
		lim  = http1.Limits{Head: 4096, Fields: 20}
	)
	if s == exchange.ClientSide {
		req, octets := c.m.RequestRoom()
		*octets = append(*octets, text...)
		n, err = http1.ParseRequest(*octets, &scan, lim, req)
	} else {
		resp, octets := c.m.ResponseRoom()
		*octets = append(*octets, text...)
		n, err = http1.ParseResponse(*octets, &scan, lim, nil, resp)
		c.headed[s] = err == nil && resp.Status >= 200
	}
	switch {
	case err != nil:
		c.m.Unfit(s, err, c.now)
	case n == 0:
		c.m.Unfit(s, errors.New("half a head"), c.now)
	default:
		c.m.Whole(s, end, c.now)
	}
	c.headed[s] = c.headed[s] || s == exchange.ClientSide
}

func (c *chaos) answerSend(s exchange.Side, ok bool) {
	if !c.sending[s] {
		return
	}
	c.sending[s] = false
	if ok {
		if s == exchange.TargetSide && c.posting > 0 {
			c.posted = c.posting
		}
		c.m.Sent(s, c.now)
	} else {
		c.m.SendFailed(s, 0, errors.New("broken pipe"), c.now)
	}
}

// sent checks that no POST goes to a target after it was sent once.
func (c *chaos) sent(a *exchange.Action) {
	c.posting = 0
	post := a.Request != nil && string(a.Request.Method) == "POST"
	if !c.stream[exchange.TargetSide] && !c.m.Tunnel() {
		post = bytes.HasPrefix(a.Segs[0], []byte("POST /")) // bodies have five bytes
	}
	if !post {
		return
	}
	if c.posted == c.h.begun {
		c.t.Fatal("a POST was sent twice")
	}
	c.posting = c.h.begun
}

func (c *chaos) offer(s exchange.Side, n int) {
	if !c.open[s] {
		return
	}
	if len(c.in[s]) == 0 {
		switch {
		case !c.eof[s]:
		case !c.stream[s]:
			c.eof[s] = false
			c.m.Ended(s, c.now)
		case c.headed[s]:
			reads := c.m.Reads(s)
			if taken := c.m.Last(s, c.now); taken != reads {
				c.t.Fatalf("Reads(%s) = %v, and its end was taken: %v", s, reads, taken)
			}
			c.eof[s] = !reads
		}
		c.act()
		return
	}
	if c.stream[s] && !c.headed[s] {
		return
	}
	b := append([]byte(nil), c.in[s][:max(1, len(c.in[s])-n)]...)
	reads := c.m.Reads(s)
	took := c.m.Bytes(s, b, c.now)
	if took < 0 || took > len(b) || reads != (took > 0) {
		c.t.Fatalf("Reads(%s) = %v, and %d of %d bytes were taken", s, reads, took, len(b))
	}
	c.in[s] = c.in[s][took:]
	c.act()
}

func (c *chaos) act() {
	var a exchange.Action
	for n := 0; c.m.Next(&a); n++ {
		if n > 100 {
			c.t.Fatal("actions without end")
		}
		c.do(&a)
		if c.lazy {
			return
		}
	}
	if d := c.m.Deadline(); c.m.Done() && !d.IsZero() {
		c.t.Fatalf("Deadline() = %v of a machine that is done", d)
	}
}

func (c *chaos) do(a *exchange.Action) {
	s := a.Side
	switch a.Kind {
	case exchange.Dial:
		if c.dialing || c.open[s] {
			c.t.Fatal("a dial too many")
		}
		c.dialing = true
	case exchange.Send:
		whole := c.stream[s] && (a.Request != nil || a.Response != nil || a.End)
		if !c.open[s] || c.shut[s] || c.sending[s] || len(a.Segs) == 0 && !whole {
			c.t.Fatalf("send to the %s: open %v, shut %v, sending %v", s, c.open[s], c.shut[s], c.sending[s])
		}
		c.sending[s] = true
		if s == exchange.TargetSide {
			c.sent(a)
		}
	case exchange.Shut:
		if !c.open[s] || c.shut[s] || c.sending[s] {
			c.t.Fatalf("shut of the %s: open %v, shut %v", s, c.open[s], c.shut[s])
		}
		c.shut[s] = true
	case exchange.Pool:
		if !c.open[s] || c.shut[s] || c.sending[s] {
			c.t.Fatal("a connection was pooled that should not be")
		}
		c.open[s] = false
	case exchange.Close:
		if !c.open[s] && (s == exchange.ClientSide || !c.dialing) {
			c.t.Fatalf("close of the %s, which is not open", s)
		}
		c.open[s] = false
		if c.sending[s] {
			c.sending[s] = false
			c.m.SendFailed(s, 0, errors.New("closed"), c.now)
		}
	}
}

// finish lets everything end, which it must.
func (c *chaos) finish() {
	c.lazy = false
	c.m.Abort(c.now)
	c.act()
	c.answerDial(1)
	for s := range c.sending {
		c.answerSend(exchange.Side(s), false)
	}
	c.act()
	if !c.m.Done() || c.open != [2]bool{} {
		c.t.Fatalf("after Abort: Done() = %v, open %v", c.m.Done(), c.open)
	}
	if c.h.memories != 0 {
		c.t.Fatalf("%d memories were not given back", c.h.memories)
	}
}

// FuzzMachine proves that no order of events makes the machine panic, break its
// contract, keep memory, or live on after Abort.
func FuzzMachine(f *testing.F) {
	f.Add([]byte{0, 0, 0, 8, 2, 9, 3, 0, 1, 0, 3, 9, 2})
	f.Add([]byte{1, 0, 0, 8, 2, 9, 3, 0, 1, 0, 3, 9, 2})
	f.Add([]byte{2, 0, 0, 8, 2, 9, 3, 0, 1, 0, 3, 9, 2})
	f.Add([]byte{3, 1, 4, 8, 1, 9, 0, 0, 6, 4, 0, 9, 3, 1, 1, 0, 3, 4, 1, 9, 2, 9, 2})
	f.Add([]byte{3, 1, 18, 8, 3, 9, 3, 1, 19, 9, 2, 0, 6, 9, 3, 4, 0, 4, 1})
	f.Add([]byte{0, 0, 4, 8, 1, 9, 0, 0, 6, 5, 1, 8, 2, 9, 3, 0, 1})
	f.Add([]byte{0, 0, 18, 8, 3, 9, 3, 0, 19, 9, 2, 0, 6, 9, 3, 4, 0, 4, 1})
	f.Add([]byte{0, 0, 16, 8, 3, 9, 3, 6, 20, 9, 2, 0, 1, 7, 9})
	f.Add([]byte{0, 0, 10, 8, 2, 0, 12, 9, 3, 0, 27, 4, 1, 9, 2, 11, 255})
	f.Add([]byte{0, 0, 34, 11, 0, 0, 6, 11, 1, 8, 2, 9, 3, 0, 1, 0, 3, 9, 2})
	f.Add([]byte{0, 0, 38, 8, 0, 11, 1, 8, 2, 9, 3, 0, 1, 0, 3, 9, 2, 11, 1})
	f.Fuzz(func(t *testing.T, script []byte) {
		if len(script) == 0 {
			return
		}
		c := newChaos(t, sidesOf(script[0]))
		script = script[1:]
		c.act()
		for i := 0; i+1 < len(script) && !c.m.Done(); i += 2 {
			c.event(script[i], script[i+1])
		}
		c.finish()
	})
}

// sidesOf says which sides are streams.
func sidesOf(b byte) [2]bool { return [2]bool{b&1 != 0, b&2 != 0} }

// TestChaos is the fuzzer's property over a fixed number of random histories.
func TestChaos(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		c := newChaos(t, sidesOf(byte(r.IntN(4))))
		c.act()
		for range r.IntN(120) {
			op := byte(r.IntN(12))
			if op < 4 || r.IntN(3) > 0 {
				op = []byte{0, 1, 8, 9, 9, 11}[r.IntN(6)] // mostly go on
			}
			c.event(op+byte(r.IntN(2)*132), byte(r.IntN(256)))
			if c.m.Done() {
				break
			}
		}
		c.finish()
		if c.h.begun > c.ended {
			t.Fatalf("%d requests begun, %d ended", c.h.begun, c.ended)
		}
	}
}
