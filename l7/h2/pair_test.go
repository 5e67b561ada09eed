package h2_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"portico/l7/h2"
	"portico/l7/message"
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// end is one side of a connection, with what it heard of each stream.
type end struct {
	t     testing.TB
	c     h2.Conn
	lazy  bool // data is held, not taken
	heard []*heard
	sent  []*h2.Stream // that Sent was said of
	refs  map[*h2.Stream]*heard
}

// limits are the usual ones but for how many streams there are.
func limits(streams int) *h2.Limits {
	l := h2.DefaultLimits()
	l.Streams = streams
	return l
}

// heard is what one stream said.
type heard struct {
	s        *h2.Stream
	req      message.Request
	resp     message.Response
	octets   []byte
	interims []int
	body     []byte
	trailers []message.Field
	ended    bool
	err      error
	gone     *h2.Error
	refused  bool
}

func newEnd(tb testing.TB, o h2.Options) *end {
	tb.Helper()
	e := &end{t: tb, refs: map[*h2.Stream]*heard{}}
	e.c.Start(o, &h2.Shared{}, epoch)
	return e
}

// pair is a client and a server that took each other's settings.
func pair(tb testing.TB, client, server h2.Options) (c, s *end) {
	tb.Helper()
	client.Client = true
	c, s = newEnd(tb, client), newEnd(tb, server)
	talk(c, s, 1<<20)
	return c, s
}

// talk lets both sides hear each other, in pieces of n bytes, until neither speaks.
func talk(a, b *end, n int) {
	for range 1 << 16 {
		if !a.tell(b, n) && !b.tell(a, n) {
			return
		}
	}
	a.t.Fatal("they never come to rest")
}

func (e *end) tell(to *end, n int) bool {
	out := e.c.Output()
	if len(out) == 0 {
		e.c.Wrote(0)
		return false
	}
	out = bytes.Clone(out[:min(n, len(out))])
	e.c.Wrote(len(out))
	e.events()
	to.hear(out)
	return true
}

// hear takes bytes, and spoils them afterwards.
func (e *end) hear(p []byte) {
	for rest := p; len(rest) > 0; {
		n := e.c.Bytes(rest, epoch)
		if n <= 0 || n > len(rest) {
			e.t.Fatalf("Bytes took %d of %d", n, len(rest))
		}
		e.events()
		rest = rest[n:]
	}
	for i := range p {
		p[i] = '#'
	}
}

func (e *end) events() {
	var ev h2.Event
	for e.c.Next(&ev) {
		e.event(&ev)
	}
}

func (e *end) event(ev *h2.Event) {
	s := ev.Stream
	h := e.refs[s]
	if h == nil {
		h = &heard{s: s}
		e.refs[s] = h
		e.heard = append(e.heard, h)
	}
	switch ev.Kind {
	case h2.Head:
		if s.Owner == "ours" {
			h.err = e.c.Response(s, &h.resp, &h.octets)
			if h.err == nil && h.resp.Status < 200 {
				h.interims = append(h.interims, h.resp.Status)
			}
		} else {
			h.err = e.c.Request(s, &h.req, &h.octets)
		}
	case h2.Data:
		if len(s.Waiting()) > 0 || e.lazy {
			e.c.Hold(s, ev.Data)
		} else {
			h.body = append(h.body, ev.Data...)
			e.c.Took(s, len(ev.Data))
		}
	case h2.Trailers:
		h.err = e.c.ReadTrailers(s, &h.trailers, &h.octets)
		h.ended = true
	case h2.Sent:
		e.sent = append(e.sent, s)
	case h2.Gone:
		h.gone, h.refused = ev.Err, ev.Refused
	}
	h.ended = h.ended || ev.End
}

// take takes what waits.
func (e *end) take() {
	for _, h := range e.heard {
		if n := len(h.s.Waiting()); n > 0 {
			h.body = append(h.body, h.s.Waiting()...)
			e.c.Took(h.s, n)
		}
	}
}

// ask opens a stream with a request, which has a body where end is false.
func (e *end) ask(method, path string, end bool, fields ...string) *h2.Stream {
	s := e.c.Open(epoch)
	s.Owner = "ours"
	e.refs[s] = &heard{s: s}
	e.heard = append(e.heard, e.refs[s])
	req := &message.Request{Method: []byte(method), Path: []byte(path), Authority: []byte("x.test"), Fields: list(fields)}
	if !end {
		req.Framing = message.Chunked
	}
	e.c.Send(s, &h2.Message{Request: req, End: end})
	return s
}

func list(fields []string) []message.Field {
	var l []message.Field
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		l = append(l, message.Field{Name: []byte(name), Value: []byte(value)})
	}
	return l
}

func text(fields []message.Field) string {
	var b strings.Builder
	for _, f := range fields {
		fmt.Fprintf(&b, "%s: %s|", f.Name, f.Value)
	}
	return b.String()
}

// TestExchange proves that requests and answers pass with interim responses, bodies
// and trailers, whatever pieces their bytes come in.
func TestExchange(t *testing.T) {
	for _, n := range []int{1, 2, 7, 9, 10, 100, 1 << 20} {
		c, s := pair(t, h2.Options{}, h2.Options{})
		ask := c.ask("POST", "/a/../b?q", false, "Accept: */*", "TE: trailers, gzip", "Connection: close", "Host: evil")
		c.c.Send(ask, &h2.Message{Segs: [][]byte{[]byte("hel"), []byte("lo")}, End: true, Trailers: list([]string{"X-Sum: 1", "Content-Length: 9"})})
		talk(c, s, n)
		h := s.heard[0]
		if h.err != nil || string(h.req.Method) != "POST" || string(h.req.Path) != "/b" || string(h.req.Target) != "/a/../b?q" ||
			string(h.req.Host) != "x.test" || text(h.req.Fields) != "accept: */*|te: trailers|" || h.req.Framing != message.Chunked || h.req.Major != 2 {
			t.Fatalf("by %d: request %+v, %v", n, h.req, h.err)
		}
		if string(h.body) != "hello" || !h.ended || text(h.trailers) != "x-sum: 1|" {
			t.Fatalf("by %d: body %q, ended %v, trailers %s", n, h.body, h.ended, text(h.trailers))
		}
		s.c.Send(h.s, &h2.Message{Response: &message.Response{Status: 103, Fields: list([]string{"Link: </x>"})}})
		talk(s, c, n)
		s.c.Send(h.s, &h2.Message{
			Response: &message.Response{Status: 200, Framing: message.Length, Length: 5, Fields: list([]string{"Content-Type: text/plain"})},
			Segs:     [][]byte{[]byte("world")}, End: true,
		})
		s.c.Close(h.s, false)
		talk(s, c, n)
		a := c.heard[0]
		if a.err != nil || a.resp.Status != 200 || !slices.Equal(a.interims, []int{103}) || string(a.body) != "world" || !a.ended ||
			text(a.resp.Fields) != "content-type: text/plain|" || a.resp.Framing != message.Length || a.resp.Length != 5 {
			t.Fatalf("by %d: response %+v, interims %v, body %q, ended %v, %v", n, a.resp, a.interims, a.body, a.ended, a.err)
		}
		c.c.Close(ask, false)
		if c.c.Err() != nil || s.c.Err() != nil || c.c.Streams() != 0 || s.c.Streams() != 0 {
			t.Fatalf("by %d: %v, %v, %d and %d streams", n, c.c.Err(), s.c.Err(), c.c.Streams(), s.c.Streams())
		}
	}
}

// TestLargeBodies proves that bodies larger than all windows pass in both directions
// at once, whatever is taken late, and that all memory of them is given back.
func TestLargeBodies(t *testing.T) {
	body := bytes.Repeat([]byte("0123456789abcdef"), 1<<17) // 2 MiB
	for _, lazy := range []bool{false, true} {
		c, s := pair(t, h2.Options{}, h2.Options{})
		s.lazy = lazy
		var streams []*h2.Stream
		for range 4 {
			streams = append(streams, c.ask("POST", "/", false))
		}
		for _, st := range streams {
			if c.c.Send(st, &h2.Message{Segs: [][]byte{body[:1000], body[1000:]}, End: true}) {
				t.Fatal("2 MiB were sent at once")
			}
		}
		talk(c, s, 1<<20)
		if lazy {
			for _, h := range s.heard {
				if n := len(h.s.Waiting()); n == 0 || n > 1<<16 {
					t.Fatalf("%d bytes of a stream wait, want its window", n)
				}
			}
			for range 1000 {
				s.take()
				talk(s, c, 1<<20)
			}
		}
		for i, h := range s.heard {
			if !bytes.Equal(h.body, body) || !h.ended {
				t.Fatalf("lazy %v: stream %d brought %d of %d bytes, ended %v", lazy, i, len(h.body), len(body), h.ended)
			}
		}
		if len(c.sent) != 4 {
			t.Fatalf("%d streams were told that all was sent, want 4", len(c.sent))
		}
	}
}

// TestFair proves that a large body does not hold up a small one that comes later.
func TestFair(t *testing.T) {
	c, s := pair(t, h2.Options{}, h2.Options{})
	large, small := c.ask("GET", "/large", true), c.ask("GET", "/small", true)
	talk(c, s, 1<<20)
	answer := func(h *heard, n int) {
		s.c.Send(h.s, &h2.Message{Response: &message.Response{Status: 200, Length: -1, Framing: message.Chunked}, Segs: [][]byte{make([]byte, n)}, End: true})
	}
	answer(s.heard[0], 1<<20)
	answer(s.heard[1], 1000)
	for range 100 {
		if !s.tell(c, 16<<10) || c.refs[small].ended {
			break
		}
	}
	if got := len(c.refs[large].body); !c.refs[small].ended || got > 1<<17 {
		t.Errorf("the small body ended: %v, after %d bytes of the large one", c.refs[small].ended, got)
	}
}

// TestTunnel proves that a WebSocket opens as one of HTTP/1.1 does, carries bytes
// both ways, and ends side by side.
func TestTunnel(t *testing.T) {
	c, s := pair(t, h2.Options{}, h2.Options{Connect: true})
	if takes, known := c.c.Connects(); !takes || !known {
		t.Fatal("the server's settings do not offer tunnels")
	}
	ask := c.c.Open(epoch)
	ask.Owner = "ours"
	c.c.Send(ask, &h2.Message{Request: &message.Request{
		Method: []byte("GET"), Path: []byte("/ws"), Authority: []byte("x.test"), Upgrade: []byte("websocket"),
		Fields: list([]string{"Sec-WebSocket-Key: k", "Sec-WebSocket-Version: 13"}),
	}})
	talk(c, s, 1<<20)
	h := s.heard[0]
	if string(h.req.Method) != "GET" || string(h.req.Upgrade) != "websocket" || text(h.req.Fields) != "sec-websocket-version: 13|" || h.ended {
		t.Fatalf("request %+v", h.req)
	}
	s.c.Send(h.s, &h2.Message{Response: &message.Response{Status: 101, Framing: message.NoBody, Length: -1}})
	c.c.Send(ask, &h2.Message{Segs: [][]byte{[]byte("ping")}})
	talk(c, s, 1<<20)
	s.c.Send(h.s, &h2.Message{Segs: [][]byte{[]byte("pong")}})
	s.c.Shut(h.s)
	talk(s, c, 1<<20)
	a := c.refs[ask]
	if a.resp.Status != 200 || string(h.body) != "ping" || string(a.body) != "pong" || !a.ended || h.ended {
		t.Fatalf("status %d, %q and %q, ended %v and %v", a.resp.Status, h.body, a.body, a.ended, h.ended)
	}
	c.c.Close(ask, false)
	talk(c, s, 1<<20)
	if !h.ended || h.gone != nil {
		t.Errorf("the server heard the end: %v, and %v", h.ended, h.gone)
	}
}

// TestDrain proves that a server that drains takes what is on its way, refuses what
// comes later in a way that it can be sent again, and ends with its last answer.
func TestDrain(t *testing.T) {
	c, s := pair(t, h2.Options{}, h2.Options{})
	first := c.ask("GET", "/1", true)
	talk(c, s, 1<<20)
	s.c.Drain(epoch)
	second := c.ask("GET", "/2", true) // sent before the GOAWAY is heard
	talk(c, s, 1<<20)
	if len(s.heard) != 2 || c.c.Room() != 0 {
		t.Fatalf("%d streams reached the server, and the client may open %d", len(s.heard), c.c.Room())
	}
	at := s.c.Deadline()
	s.c.Tick(at)
	talk(c, s, 1<<20)
	for _, h := range s.heard {
		s.c.Send(h.s, &h2.Message{Response: &message.Response{Status: 200, Framing: message.Length}, End: true})
		if s.c.Done() {
			t.Fatal("done before its last answer")
		}
		s.c.Close(h.s, false)
	}
	talk(s, c, 1<<20)
	if !s.c.Done() || !c.refs[first].ended || !c.refs[second].ended {
		t.Errorf("done %v, answers %v and %v", s.c.Done(), c.refs[first].ended, c.refs[second].ended)
	}
}

// TestAge proves that a server takes new streams for so long, and then drains.
func TestAge(t *testing.T) {
	c, s := pair(t, h2.Options{}, h2.Options{Age: time.Hour})
	c.ask("GET", "/", true)
	talk(c, s, 1<<20)
	s.c.Tick(epoch.Add(time.Hour - 1))
	talk(s, c, 1<<20)
	if c.c.Room() == 0 {
		t.Fatal("the client may open no stream before the time")
	}
	s.c.Tick(epoch.Add(time.Hour))
	talk(s, c, 1<<20)
	if c.c.Room() != 0 || len(s.heard) != 1 || s.heard[0].gone != nil {
		t.Errorf("the client may open %d streams, the one there was is gone: %v", c.c.Room(), s.heard[0].gone)
	}
}

// TestRefused proves that a stream beyond the last one that GOAWAY names, and one
// too many, are gone as refused, which no other is.
func TestRefused(t *testing.T) {
	c, s := pair(t, h2.Options{}, h2.Options{Limits: limits(2)})
	if got := c.c.Room(); got != 2 {
		t.Fatalf("Room() = %d, want 2", got)
	}
	for range 3 {
		c.ask("GET", "/", true)
	}
	talk(c, s, 1<<20)
	if h := c.heard[2]; h.gone == nil || !h.refused || len(s.heard) != 2 {
		t.Errorf("the third of two streams: %+v", h.gone)
	}
	s.c.Close(s.heard[1].s, true)
	talk(s, c, 1<<20)
	if h := c.heard[1]; h.gone == nil || h.refused || h.gone.Code != h2.InternalError {
		t.Errorf("a stream that was ended: %+v", h.gone)
	}
	s.c.Drain(epoch)
	s.c.Tick(s.c.Deadline())
	late := c.ask("GET", "/", true)
	talk(c, s, 1<<20)
	if h := c.refs[late]; h.gone == nil || !h.refused {
		t.Errorf("a stream after the last: %+v", h.gone)
	}
	c.c.Lost(epoch)
	c.events()
	if h := c.heard[0]; h.gone == nil || h.refused {
		t.Errorf("a stream of a lost connection: %+v", h.gone)
	}
}
