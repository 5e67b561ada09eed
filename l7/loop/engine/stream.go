package engine

import (
	"errors"

	"portico/l7/exchange"
	"portico/l7/h2"
)

// errStream is what a Send to a stream that is gone failed with.
var errStream = errors.New("the stream was reset")

// streamsMax is how many conns of streams a loop keeps for its next requests.
const streamsMax = 1024

// ext is what a conn needs of which a side is a stream.
type ext struct {
	flows [2]flow
	waker func() // wake, made once; nil where the client's side is none
	// While there is no target yet.
	upgrade bool   // the request asks to switch protocols
	waits   *trunk // for a connection that is being made
	tunnels *mux   // for what the target of this one says of tunnels
}

// flow is a side that is a stream.
type flow struct {
	mux     *mux
	stream  *h2.Stream // nil where the side is none
	busy    bool       // a Send is under way
	slow    bool       // the peer takes less than it is sent: read less ahead of it
	head    bool       // a head was read that the machine does not know of
	headEnd bool       // nothing follows it
	last    bool       // it ended, which the machine does not know of
}

// flow is that of a side; nil where it is no stream.
func (c *conn) flow(s exchange.Side) *flow {
	if c.ext == nil || c.ext.flows[s].stream == nil {
		return nil
	}
	return &c.ext.flows[s]
}

// joins makes a side a stream.
func (c *conn) joins(s exchange.Side, x *mux, stream *h2.Stream) {
	c.extend().flows[s] = flow{mux: x, stream: stream}
	c.side(s).told = false
	stream.Owner = c
}

func (c *conn) extend() *ext {
	if c.ext == nil {
		c.ext = &ext{}
	}
	return c.ext
}

// isStream reports whether the conn is one request of a client of HTTP/2.
func (c *conn) isStream() bool { return c.ext != nil && c.ext.waker != nil }

// waiting is what the conn waits for a connection of, or nil.
func (c *conn) waiting() *trunk {
	if c.ext == nil {
		return nil
	}
	return c.ext.waits
}

// streamConn is a conn for one request that a client sends as a stream.
func (w *worker) streamConn(host *conn) *conn {
	var c *conn
	if n := len(w.idleStreams); n > 0 {
		c = w.idleStreams[n-1]
		w.idleStreams = w.idleStreams[:n-1]
	} else {
		c = &conn{w: w}
		c.timer.Who = c
		c.extend().waker = c.wake
	}
	c.phase, c.svc, c.l = serving, host.svc, host.l
	return c
}

// doneStream forgets a request that was a stream. Its timer goes on: the next
// request would start it again.
func (c *conn) doneStream() {
	c.phase = over
	c.client, c.target = side{}, side{}
	if len(c.w.idleStreams) < streamsMax && !c.again {
		c.w.idleStreams = append(c.w.idleStreams, c)
		return
	}
	c.w.Wheel.Stop(&c.timer)
}

// stream takes an event of a side that is a stream.
func (c *conn) stream(x *mux, ev *h2.Event) {
	f := c.flow(x.side)
	if f == nil || f.stream != ev.Stream {
		return // it was parted with
	}
	switch ev.Kind {
	case h2.Head:
		c.response(x, f, ev)
	case h2.Data:
		c.data(x, f, ev)
	case h2.Trailers:
		trailers, octets := c.m.TrailerRoom(x.side)
		if x.c.ReadTrailers(ev.Stream, trailers, octets) != nil {
			return // Gone says so
		}
		f.last = true
	case h2.Sent:
		f.busy, f.slow = false, false
		c.m.Sent(x.side, c.w.Now)
	case h2.Gone:
		c.gone(x, ev)
	}
	c.run()
}

// response reads the head of a target's answer. The machine may want to hear of it
// later, when what it said before was sent.
func (c *conn) response(x *mux, f *flow, ev *h2.Event) {
	resp, octets := c.m.ResponseRoom()
	if err := x.c.Response(ev.Stream, resp, octets); err != nil {
		c.side(x.side).told = true
		c.m.Unfit(x.side, err, c.w.Now)
		return
	}
	f.head, f.headEnd = true, ev.End
}

// data hands bytes of a body to the machine, and keeps what it does not take.
func (c *conn) data(x *mux, f *flow, ev *h2.Event) {
	s, p := ev.Stream, ev.Data
	f.last = ev.End
	for len(p) > 0 && !f.head && len(s.Waiting()) == 0 && c.m.Reads(x.side) {
		n := c.m.Bytes(x.side, p, c.w.Now)
		c.perform() // what it took lies in memory of the loop
		if f.stream != s {
			return
		}
		x.c.Took(s, n)
		p = p[n:]
	}
	x.c.Hold(s, p)
}

// gone is that a stream is no more.
func (c *conn) gone(x *mux, ev *h2.Event) {
	d := c.side(x.side)
	if d.told {
		return
	}
	d.told = true
	if x.side == exchange.TargetSide && ev.Refused {
		c.m.Refused(ev.Err, c.w.Now)
		return
	}
	c.m.Broke(x.side, ev.Err, c.w.Now)
}

// hearStream gives the machine something of a side that is a stream, and reports
// whether there was any.
func (c *conn) hearStream(s exchange.Side, f *flow) bool {
	x, stream := f.mux, f.stream
	if f.head {
		f.head = false
		c.m.Whole(s, f.headEnd, c.w.Now)
		return true
	}
	if p := stream.Waiting(); len(p) > 0 {
		n := c.m.Bytes(s, p, c.w.Now)
		c.perform() // before the memory it lies in is let go
		if f.stream == stream {
			x.c.Took(stream, n)
			x.touch()
		}
		return true
	}
	if f.last {
		f.last = !c.m.Last(s, c.w.Now)
		return !f.last
	}
	return false
}

// sendStream gives a stream what it is to send.
func (c *conn) sendStream(f *flow, a *exchange.Action) {
	if c.side(a.Side).told {
		c.m.SendFailed(a.Side, 0, errStream, c.w.Now)
		return
	}
	c.w.message = h2.Message{
		Request: a.Request, Response: a.Response, Segs: a.Segs, End: a.End, Trailers: a.Trailers,
	}
	done := f.mux.c.Send(f.stream, &c.w.message)
	c.w.message = h2.Message{}
	f.mux.touch()
	if done {
		c.m.Sent(a.Side, c.w.Now)
		return
	}
	f.busy, f.slow = true, true
}

// closeStream parts with a stream. A Send that is under way on it has failed.
func (c *conn) closeStream(s exchange.Side, abort bool) {
	f := c.flow(s)
	x, stream, busy := f.mux, f.stream, f.busy
	*f, *c.side(s) = flow{}, side{}
	x.c.Close(stream, abort)
	x.touch()
	if s == exchange.TargetSide {
		x.rest()
	}
	if busy {
		c.m.SendFailed(s, sentSome, errStream, c.w.Now)
	}
}
