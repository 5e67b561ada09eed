package h2_test

import (
	"testing"

	"portico/l7/h2"
	"portico/l7/message"
)

// relay is a client and a server of long standing, and one request of theirs.
type relay struct {
	client, server h2.Conn
	tb             testing.TB
	req, asked     message.Request
	resp, got      message.Response
	reqOctets      []byte
	respOctets     []byte
	body           [][]byte
	in             []byte
}

func newRelay(tb testing.TB) *relay {
	tb.Helper()
	r := &relay{tb: tb, body: [][]byte{make([]byte, 1024)}}
	r.client.Start(h2.Options{Client: true}, &h2.Shared{}, epoch)
	r.server.Start(h2.Options{}, &h2.Shared{}, epoch)
	r.req = message.Request{
		Method: []byte("GET"), Path: []byte("/images/logo.png"), Authority: []byte("www.example.com"),
		Fields: list([]string{"user-agent: h2load nghttp2/1.52.0", "accept: */*"}),
	}
	r.resp = message.Response{
		Status: 200, Framing: message.Length, Length: 1024,
		Fields: list([]string{"Server: target", "Date: Mon, 23 Nov 2026 20:00:00 GMT", "Content-Type: image/png"}),
	}
	r.pass()
	r.pass()
	return r
}

// once is one request with its answer of 1 KiB, from both connections' view.
func (r *relay) once() {
	s := r.client.Open(epoch)
	s.Owner = r
	r.client.Send(s, &h2.Message{Request: &r.req, End: true})
	r.pass()
	r.pass()
}

// pass lets both sides hear what the other wrote.
func (r *relay) pass() {
	r.move(&r.client, &r.server)
	r.move(&r.server, &r.client)
}

func (r *relay) move(from, to *h2.Conn) {
	r.in = append(r.in[:0], from.Output()...)
	from.Wrote(len(r.in))
	var ev h2.Event
	for p := r.in; len(p) > 0; {
		p = p[to.Bytes(p, epoch):]
		for to.Next(&ev) {
			r.event(to, &ev)
		}
	}
}

func (r *relay) event(c *h2.Conn, ev *h2.Event) {
	s := ev.Stream
	switch {
	case ev.Kind == h2.Head && s.Owner == nil:
		r.reqOctets = r.reqOctets[:0]
		if err := c.Request(s, &r.asked, &r.reqOctets); err != nil {
			r.tb.Fatal(err)
		}
		c.Send(s, &h2.Message{Response: &r.resp, Segs: r.body, End: true})
		c.Close(s, false)
	case ev.Kind == h2.Head:
		r.respOctets = r.respOctets[:0]
		if err := c.Response(s, &r.got, &r.respOctets); err != nil {
			r.tb.Fatal(err)
		}
	case ev.Kind == h2.Data:
		c.Took(s, len(ev.Data))
		if ev.End {
			c.Close(s, false)
		}
	default:
		r.tb.Fatalf("%s: %v", ev.Kind, ev.Err)
	}
}

// TestNoAllocation proves that a request on the common path allocates nothing.
func TestNoAllocation(t *testing.T) {
	r := newRelay(t)
	r.once()
	if n := testing.AllocsPerRun(1000, r.once); n >= 1 {
		t.Errorf("a request allocates %v times, want 0", n)
	}
	if r.got.Status != 200 || r.client.Streams() != 0 || r.server.Streams() != 0 {
		t.Errorf("status %d, %d and %d streams", r.got.Status, r.client.Streams(), r.server.Streams())
	}
}

// BenchmarkRelay is the cost of one request of 1 KiB in a client and in a server
// together: what a proxy between two such peers spends on HTTP/2.
func BenchmarkRelay(b *testing.B) {
	r := newRelay(b)
	b.ReportAllocs()
	for b.Loop() {
		r.once()
	}
}
