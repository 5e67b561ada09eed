package engine

import (
	"errors"
	"io"
	"math/rand/v2"
	"sync/atomic"

	"portico/l7/exchange"
	"portico/l7/exchange/deadline"
	"portico/l7/loop"
	"portico/l7/loop/link"
	"portico/l7/loop/sys"
	"portico/l7/loop/wheel"
	"portico/l7/message"
)

// conn serves one client connection: its machine, and the links to the client and,
// while a request needs one, to a target.
type conn struct {
	w    *worker
	svc  loop.Service
	l    loop.Listener // once greeted
	info message.Client

	phase  phase
	quiet  bool // a connection without requests ended as it should
	killed bool // to be ended as soon as the handshake lets go
	drain  bool // asked for before the machine ran
	again  bool // has another turn coming
	sniff  bool // the first bytes say which protocol it is
	woken  atomic.Bool
	at     int32 // in w.conns

	m       exchange.Machine
	timer   wheel.Timer
	client  side
	target  side
	dialing *link.Link // to a target, not connected yet
	mux     *mux       // of a client that speaks HTTP/2: each of its streams has a conn
	ext     *ext       // what streams need; nil before there was one
}

// phase is what a connection is at.
type phase uint8

const (
	greeting phase = iota // PROXY header and handshake
	serving               // the machine runs
	parting               // refused, and told so: what the client still sends is thrown away
	over                  // it is forgotten
)

// side is one end of a conn.
type side struct {
	link *link.Link // nil without one
	told bool       // the machine knows that it ended or broke
}

// turns is how often a connection may read before others have their turn.
const turns = 16

// begin starts the machine of a connection that was greeted.
func (c *conn) begin() {
	c.w.Wheel.Stop(&c.timer)
	c.phase = serving
	l := c.client.link
	if l.Encrypted() && l.State().NegotiatedProtocol == "h2" {
		c.multiplex()
		return
	}
	c.sniff = !l.Encrypted() && c.l.Handler().Bounds().HTTP2 != nil
	c.m.Start(exchange.Options{
		Client: &c.info, Handlers: c.l, Memories: c.w, Wake: c.wake, Seed: rand.Uint64(),
	}, c.w.Now)
	if c.w.leaving {
		c.m.Leave()
	}
	if c.drain || c.w.draining {
		c.m.Drain(c.w.Now)
	}
	c.run()
}

// Ready is called when one of the links can be read or written.
func (c *conn) Ready(l *link.Link) {
	switch {
	case c.phase == greeting:
		c.greet()
		return
	case c.phase == parting:
		c.parted()
		return
	case l == c.dialing:
		c.dialed()
	case l.Pending() && l.Out:
		c.flush(l)
	}
	c.run()
	c.notice()
}

// notice finds out that the client is gone though the machine reads nothing of it:
// a request whose answer nobody waits for is given up.
func (c *conn) notice() {
	l := c.client.link
	if c.phase != serving || l == nil || !l.Ended || c.client.told || c.m.Reads(exchange.ClientSide) {
		return
	}
	if err := sys.Broken(l.FD); err != nil {
		c.client.told = true
		c.m.Broke(exchange.ClientSide, err, c.w.Now)
		c.run()
	}
}

// flush goes on with what did not fit.
func (c *conn) flush(l *link.Link) {
	s := exchange.ClientSide
	if l == c.target.link {
		s = exchange.TargetSide
	}
	done, err := l.Flush()
	if !l.Busy || !done && err == nil {
		return
	}
	l.Busy = false
	if err != nil {
		c.m.SendFailed(s, sentSome, err, c.w.Now)
		return
	}
	c.m.Sent(s, c.w.Now)
}

// run does what the machine asks for, and reads what it would hear, until it waits.
func (c *conn) run() {
	if c.phase != serving || c.mux != nil {
		return
	}
	for range turns {
		c.perform()
		if c.m.Done() {
			c.finish()
			return
		}
		if !c.hear(exchange.TargetSide) && !c.hear(exchange.ClientSide) {
			c.arm()
			return
		}
	}
	c.perform()
	if !c.again {
		c.again = true
		c.w.Later(c)
	}
}

// Turn is another turn of one that had more to do.
func (c *conn) Turn() {
	c.again = false
	c.run()
}

// sentSome stands for how much of a Send was written, where some may have been.
const sentSome = 1

func (c *conn) side(s exchange.Side) *side {
	if s == exchange.ClientSide {
		return &c.client
	}
	return &c.target
}

// hear gives the machine something of a side, and reports whether there was any.
func (c *conn) hear(s exchange.Side) bool {
	d := c.side(s)
	if f := c.flow(s); f != nil {
		return !d.told && c.m.Reads(s) && c.hearStream(s, f)
	}
	l := d.link
	if l == nil || d.told || l == c.dialing || !c.m.Reads(s) {
		return false
	}
	if c.sniff && s == exchange.ClientSide {
		return c.sniffed(l)
	}
	if len(l.Rest) > 0 {
		c.offer(s, l, l.Rest)
		return true
	}
	n, err := l.Read(c.w.room(c, s))
	switch {
	case n > 0:
		c.offer(s, l, c.w.buf[:n])
	case errors.Is(err, link.ErrAgain):
		return false
	case errors.Is(err, io.EOF):
		d.told = true
		c.m.Ended(s, c.w.Now)
	default:
		d.told = true
		c.m.Broke(s, err, c.w.Now)
	}
	return true
}

// room is where bytes of a side are read to: less where they would have to be
// kept, because the other side takes them slowly.
func (w *worker) room(c *conn, s exchange.Side) []byte {
	to, f := c.side(1-s).link, c.flow(1-s)
	if to != nil && to.Slow || f != nil && f.slow {
		return w.buf[:min(link.SlowRead, w.readMax())]
	}
	return w.buf[:w.readMax()]
}

// offer gives the machine bytes of a side and does what follows, before the
// memory they lie in is used for something else. What it does not take is kept.
func (c *conn) offer(s exchange.Side, l *link.Link, p []byte) {
	for len(p) > 0 && !l.Dead && c.m.Reads(s) {
		for len(p) > 0 && c.m.Reads(s) { // a head and what follows leave together
			p = p[c.m.Bytes(s, p, c.w.Now):]
		}
		l.Left = len(p)
		c.perform()
	}
	l.Left = 0
	if !l.Dead && l.Owner == link.Owner(c) {
		l.Put(p)
	}
}

// arm sees to it that the timer fires no later than the machine's deadline. It is
// left alone where it fires too early, so most requests never touch it.
func (c *conn) arm() {
	if at := c.m.Deadline(); !at.IsZero() && c.mux == nil && c.w.Wheel.Sooner(at, &c.timer) {
		c.w.Wheel.Start(&c.timer, at)
	}
}

// Expired is the timer's; it may come early.
func (c *conn) Expired() {
	if c.phase == parting {
		c.hangUp()
		return
	}
	if c.phase == greeting || c.due() {
		c.look()
	}
	if c.phase == greeting {
		c.giveUp()
		return
	}
	if c.phase != serving || c.mux != nil {
		return // of a stream that is over
	}
	c.progress(exchange.ClientSide)
	c.progress(exchange.TargetSide)
	if c.due() {
		c.m.Tick(c.w.Now)
	}
	c.run()
}

// due reports whether the machine's deadline has passed.
func (c *conn) due() bool {
	if c.phase != serving || c.mux != nil {
		return false
	}
	at := c.m.Deadline()
	return !at.IsZero() && !c.w.Now.Before(at)
}

// look takes what came in time on either side and was not told yet.
func (c *conn) look() {
	for _, s := range []exchange.Side{exchange.TargetSide, exchange.ClientSide} {
		l := c.side(s).link
		switch f := c.flow(s); {
		case f != nil:
			l = f.mux.link
		case s == exchange.TargetSide && c.dialing != nil:
			l = c.dialing
		}
		if l != nil {
			l.Look()
		}
	}
}

// progress tells the machine when a side last took some of what it is being sent.
func (c *conn) progress(s exchange.Side) {
	if f := c.flow(s); f != nil {
		at, open := f.stream.Progress()
		if l := f.mux.link; open && l.Busy {
			at = deadline.Later(at, l.Progress())
		}
		c.m.Progress(s, at)
	} else if l := c.side(s).link; l != nil && l.Busy {
		c.m.Progress(s, l.Progress())
	}
}

// wake has the machine look whether what its request waits for has come. Any
// goroutine may call it, handlers too.
func (c *conn) wake() {
	if c.woken.CompareAndSwap(false, true) {
		c.w.Post(c.resume)
	}
}

func (c *conn) resume() {
	c.woken.Store(false)
	if c.phase == serving {
		c.m.Resume(c.w.Now)
		c.run()
	}
}

// leave asks the connection to end with its next answer.
func (c *conn) leave() {
	switch {
	case c.mux != nil:
		c.mux.leave()
	case c.phase == serving:
		c.m.Leave()
	}
}

// end asks the connection to end when its request is answered.
func (c *conn) end() {
	if c.phase != serving {
		c.drain = true
		return
	}
	if c.mux != nil {
		c.mux.drain()
		return
	}
	c.m.Drain(c.w.Now)
	c.run()
}

// kill ends the connection at once.
func (c *conn) kill() {
	switch c.phase {
	case greeting:
		c.giveUp()
	case serving:
		if c.mux != nil {
			c.mux.kill()
			return
		}
		c.m.Abort(c.w.Now)
		c.run()
	case parting:
		c.hangUp()
	case over:
	}
}

// finish forgets the connection, whose links are closed.
func (c *conn) finish() {
	if c.isStream() {
		c.doneStream()
		return
	}
	c.phase = over
	c.w.Wheel.Stop(&c.timer)
	if c.l != nil {
		c.l.Closed()
	}
	c.w.remove(c)
}

// add counts a connection in.
func (w *worker) add(c *conn) {
	c.at = int32(len(w.conns))
	w.conns = append(w.conns, c)
}

// remove counts a connection out.
func (w *worker) remove(c *conn) {
	last := len(w.conns) - 1
	w.conns[c.at] = w.conns[last]
	w.conns[c.at].at = c.at
	w.conns[last] = nil
	w.conns = w.conns[:last]
	w.clients.Add(-1)
	w.d.left()
}

// each calls f for every connection there is now; f may end it.
func (w *worker) each(f func(*conn)) {
	for _, c := range append([]*conn(nil), w.conns...) {
		if c.phase != over {
			f(c)
		}
	}
}
