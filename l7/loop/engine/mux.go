package engine

import (
	"errors"
	"math/rand/v2"
	"time"

	"portico/l7/exchange"
	"portico/l7/h2"
	"portico/l7/http1"
	"portico/l7/loop/link"
	"portico/l7/loop/wheel"
)

// mux is a connection of HTTP/2: a link whose bytes are those of many streams. Each
// stream is a side of a conn. What streams send is gathered and leaves once for each
// round of the loop.
type mux struct {
	w    *worker
	link *link.Link
	c    h2.Conn
	side exchange.Side // which one its streams are

	// Of a client's connection.
	host    *conn
	handler exchange.Handlers
	serial  int // requests so far
	// Of a target's.
	trunk *trunk
	used  bool // it carried requests before

	timer   wheel.Timer
	dirty   bool // there may be something to write
	again   bool // has another turn coming
	leaving bool // the next request is the last
	parting bool // all was said; the peer's end is awaited
	over    bool
}

// partTime is how long a peer may take to end its side after we ended ours. Closing
// at once could lose it our last words.
const partTime = time.Second

// lastTime is how long a peer may take nothing of what it is told last.
const lastTime = 5 * time.Second

// unreadMax is how much a client may leave unread, of what streams cannot hold back:
// heads, and frames that answer others. It is more than the answers to all the streams
// that most clients may open.
const unreadMax = 256 << 10

// multiplex begins to serve a client that speaks HTTP/2.
func (c *conn) multiplex() {
	c.w.Wheel.Stop(&c.timer)
	l := c.client.link
	x := &mux{w: c.w, link: l, side: exchange.ClientSide, host: c, handler: c.l, leaving: c.w.leaving}
	b := x.handler.Handler().Bounds()
	c.mux, l.Owner = x, x
	x.start(h2.Options{
		TLS: l.Encrypted(), Connect: true, Limits: b.HTTP2, Head: b.Head, Fields: b.Fields, Greeting: b.HeadTimeout, Idle: b.IdleTimeout, Age: b.Age,
	})
	if c.drain || c.w.draining {
		x.drain()
	}
	x.run()
}

// sniffed reads the first bytes of a client, which say whether it speaks HTTP/2
// without being asked. It reports whether there was any.
func (c *conn) sniffed(l *link.Link) bool {
	n, err := l.Read(c.w.buf)
	more := !errors.Is(err, link.ErrAgain)
	p := c.w.buf[:n]
	if len(l.Rest) > 0 {
		l.Add(p)
		p = l.Rest
	}
	k := min(len(p), len(h2.Preface))
	switch {
	case k == 0 && !more:
		return false
	case k == 0 || string(p[:k]) != h2.Preface[:k] || n == 0 && more: // or it ended
		c.sniff = false
		if n > 0 && len(l.Rest) == 0 {
			c.offer(exchange.ClientSide, l, p)
		}
		return true
	case len(l.Rest) == 0:
		l.Put(p)
	}
	if k < len(h2.Preface) {
		return more
	}
	c.multiplex()
	return false
}

func (x *mux) start(o h2.Options) {
	x.c.Start(o, &x.w.shared, x.w.Now)
	x.timer.Who = x
	x.touch()
}

// Ready is called when the link can be read or written.
func (x *mux) Ready(l *link.Link) {
	if l.Pending() && l.Out {
		done, err := l.Flush()
		if err != nil {
			x.lose()
			return
		}
		if done && l.Busy {
			l.Busy = false
			x.touch()
		}
	}
	x.run()
}

// run reads what there is.
func (x *mux) run() {
	for range turns {
		if x.over || !x.read() {
			return
		}
	}
	if !x.again {
		x.again = true
		x.w.Later(x)
	}
}

// Turn is another turn of one that had more to do.
func (x *mux) Turn() {
	x.again = false
	x.run()
}

// full reports whether a client has so much to read that it is not heard before it did:
// what it asks would be answered to memory.
func (x *mux) full() bool {
	if x.host == nil || len(x.c.Output()) < unreadMax {
		return false
	}
	x.flush()
	return x.over || len(x.c.Output()) >= unreadMax
}

// read gives the connection some bytes, and reports whether there were any.
func (x *mux) read() bool {
	if x.full() {
		return false // and goes on when the link can be written
	}
	l, buf := x.link, x.w.frames
	if len(l.Rest) > 0 {
		n := copy(buf, l.Rest)
		l.Put(l.Rest[n:])
		x.hear(buf[:n])
		return true
	}
	n, err := l.Read(buf)
	switch {
	case n > 0 && x.parting: // nobody is interested
	case n > 0:
		x.hear(buf[:n])
	case errors.Is(err, link.ErrAgain):
		return false
	default:
		x.lose()
	}
	return true
}

func (x *mux) hear(p []byte) {
	x.touch()
	for len(p) > 0 && !x.over {
		p = p[x.c.Bytes(p, x.w.Now):]
		x.events()
	}
	if x.trunk != nil && len(x.trunk.waiters) > 0 {
		x.trunk.serve(x)
	}
}

// touch has the loop look at the connection before it waits.
func (x *mux) touch() {
	if !x.dirty && !x.over {
		x.dirty = true
		x.w.dirty = append(x.w.dirty, x)
	}
}

// flushAll writes what streams sent in this round.
func (w *worker) flushAll() {
	for len(w.dirty) > 0 {
		x := w.dirty[len(w.dirty)-1]
		w.dirty = w.dirty[:len(w.dirty)-1]
		x.dirty = false
		x.flush()
	}
}

// flush writes what there is, sees to the timer, and ends what is over.
func (x *mux) flush() {
	l := x.link
	for !x.over && !l.Busy {
		out := x.c.Output()
		if len(out) == 0 {
			x.c.Wrote(0)
			break
		}
		done, _, err := l.WriteOne(out)
		if err != nil {
			x.lose()
			return
		}
		l.Busy = !done // the link keeps the rest
		x.c.Wrote(len(out))
		x.events()
	}
	switch {
	case x.over || x.parting:
	case x.c.Done():
		x.last()
	default:
		x.arm()
	}
}

// last parts with a peer that was told everything, or gives it a time for that.
func (x *mux) last() {
	if l := x.link; !l.Busy && len(x.c.Output()) == 0 {
		x.part()
	} else if at := x.w.Now.Add(lastTime); x.w.Wheel.Sooner(at, &x.timer) {
		x.w.Wheel.Start(&x.timer, at)
	}
}

// deaf gives up a peer that takes nothing of what it is told last.
func (x *mux) deaf() {
	if at := x.link.Progress().Add(lastTime); x.w.Now.Before(at) {
		x.w.Wheel.Start(&x.timer, at)
		return
	}
	x.kill()
}

func (x *mux) arm() {
	if at := x.c.Deadline(); !at.IsZero() && x.w.Wheel.Sooner(at, &x.timer) {
		x.w.Wheel.Start(&x.timer, at)
	}
}

// Expired is the timer's; it may come early.
func (x *mux) Expired() {
	switch {
	case x.parting:
		x.close(false)
		return
	case x.c.Done() && x.link.Busy:
		x.deaf()
		return
	case x.due():
		x.link.Look()
	}
	if x.due() {
		x.c.Tick(x.w.Now)
		x.events()
	}
	x.touch()
}

// due reports whether the connection's deadline has passed.
func (x *mux) due() bool {
	at := x.c.Deadline()
	return !x.over && !at.IsZero() && !x.w.Now.Before(at)
}

// part ends our side, and waits for the peer to end its own.
func (x *mux) part() {
	x.parting = true
	x.leaveTrunk()
	x.link.Finish()
	x.w.Wheel.Start(&x.timer, x.w.Now.Add(partTime))
}

// lose is that the link is of no use any more.
func (x *mux) lose() {
	x.c.Lost(x.w.Now)
	x.events()
	x.close(false)
}

// kill ends every stream, and the connection, at once.
func (x *mux) kill() {
	x.c.Lost(x.w.Now)
	var ev h2.Event
	for x.c.Next(&ev) {
		if c, ok := ev.Stream.Owner.(*conn); ok && x.host != nil {
			c.m.Abort(x.w.Now)
			c.run()
		} else {
			x.event(&ev)
		}
	}
	x.close(true)
}

// leave asks the connection to end with its next answer.
func (x *mux) leave() {
	x.leaving = true
	if x.c.Streams() > 0 {
		x.drain()
	}
}

// drain asks the connection to end when its requests are answered.
func (x *mux) drain() {
	x.c.Drain(x.w.Now)
	x.touch()
}

// close closes the link. No stream is left.
func (x *mux) close(hard bool) {
	if x.over {
		return
	}
	x.over = true
	x.w.Wheel.Stop(&x.timer)
	x.leaveTrunk()
	x.link.Close(hard)
	if x.host != nil {
		x.host.client = side{}
		x.host.finish()
	}
}

// events tells streams what happened to them.
func (x *mux) events() {
	var ev h2.Event
	for x.c.Next(&ev) {
		x.event(&ev)
	}
}

func (x *mux) event(ev *h2.Event) {
	s := ev.Stream
	c, ok := s.Owner.(*conn)
	switch {
	case ok:
		c.stream(x, ev)
	case ev.Kind == h2.Head && x.host != nil:
		x.request(ev)
	default: // it was lost before anyone saw it
		x.c.Close(s, true)
	}
}

// request begins to serve a stream that a client opened.
func (x *mux) request(ev *h2.Event) {
	c := x.w.streamConn(x.host)
	c.joins(exchange.ClientSide, x, ev.Stream)
	c.m.StartStream(exchange.Options{
		Client: &x.host.info, Handlers: x.handler, Memories: x.w, Wake: c.ext.waker, Seed: rand.Uint64(), Serial: x.serial,
	}, x.w.Now)
	x.serial++
	req, octets := c.m.RequestRoom()
	err := x.c.Request(ev.Stream, req, octets)
	switch refusal := (*http1.Error)(nil); {
	case err == nil:
		c.m.Whole(exchange.ClientSide, ev.End, x.w.Now)
	case errors.As(err, &refusal):
		c.m.Unfit(exchange.ClientSide, err, x.w.Now)
	default:
		c.client.told = true
		c.m.Broke(exchange.ClientSide, err, x.w.Now)
	}
	c.run()
	if most := x.handler.Handler().Bounds().Requests; x.leaving || most > 0 && x.serial >= most {
		x.c.Drain(x.w.Now)
	}
}
