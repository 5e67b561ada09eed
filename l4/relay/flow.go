package relay

import (
	"time"

	"golang.org/x/sys/unix"

	"portico/internal/netx"
	"portico/internal/poll"
)

// flow is one connection of a client and, once there is one, that to its target.
type flow struct {
	life
	phase phase
	again bool // has another turn coming

	client, target end
	up             pump // client to target
	down           pump // target to client
	broken         bool // a side was found dead by writing to it
	kept           bool // the target's socket has keepalive

	head  *head     // what was read of the client before a target was chosen; nil for most
	began time.Time // of the first try to connect
	owed  *end      // who is flushed
	since time.Time // when that began
}

// phase is what a flow is at.
type phase uint8

const (
	connecting phase = iota // to a target
	heading                 // the client says whom it is from, or for
	carrying                // bytes both ways
	flushing                // to be reset, once the first side has what it was owed
	gone                    // it is forgotten
)

// end is one of the two connections of a flow.
type end struct {
	flow  *flow
	fd    int // -1 without one
	token poll.Token
	in    bool // something may be read
	out   bool // something may be written
	ended bool // the peer will send no more, or may have said so
	last  bool // it did, and a short read has its last bytes
	gone  bool // the connection is over both ways

	owes   bool // its end, which waits for an answer to its SYN
	wrote  bool // once, at least
	prompt bool // no write waits for what an earlier one sent to be acknowledged
}

func (e *end) event(r poll.Ready) {
	e.in = e.in || r&poll.In != 0
	e.out = e.out || r&poll.Out != 0
	e.ended = e.ended || r&poll.Ended != 0
	e.last = e.last || r&poll.Last != 0
	e.gone = e.gone || r&poll.Gone != 0
	if e.owes && r&poll.Out != 0 {
		e.finish()
	}
	f := e.flow
	switch {
	case f.phase == heading:
		f.readHead()
	case f.phase != connecting:
		f.step()
	case e == &f.target:
		f.connected()
	case e.gone:
		f.giveUp(ClientReset)
	}
}

// hasten is called before each write. Before the first nothing can be unacknowledged,
// and short flows make no second.
func (e *end) hasten() {
	switch {
	case e.prompt:
	case !e.wrote:
		e.wrote = true
	default:
		e.prompt = true
		_ = netx.NoDelayFD(e.fd) // where it fails, so does the write
	}
}

// finish tells a side that no more comes. Where the first bytes went with a SYN (RFC 7413,
// section 4.2) that must wait for an answer: until then Linux takes it for giving up.
func (e *end) finish() {
	f := e.flow
	e.owes = e == &f.target && f.choice.Share.TCP.FastOpen && netx.OpeningFD(e.fd)
	if !e.owes {
		netx.EndFD(e.fd)
	}
}

// begin watches the client and connects to a target.
func (f *flow) begin() {
	l := f.loop
	l.add(f)
	var err error
	if f.client.token, err = l.watch(f.client.fd, &f.client); err != nil {
		l.relay.o.Log.Warn("flow dropped", "error", err)
		f.note(Limit)
		f.reset()
		return
	}
	f.up.init(&f.client, &f.target, ClientClosed, ClientReset)
	f.down.init(&f.target, &f.client, TargetClosed, TargetReset)
	f.up.moved, f.down.moved = &f.moved[0], &f.moved[1]
	f.began = l.now
	if f.hears() {
		f.phase = heading
		return
	}
	f.connect()
}

// carry begins to pass on bytes.
func (f *flow) carry() {
	f.phase = carrying
	if f.choice.Share.Proxy != "" && !f.sendHead() {
		return
	}
	f.step()
}

// turns is how many reads of each side a flow has before others have their turn.
const turns = 16

// step does what can be done without waiting.
func (f *flow) step() {
	if f.phase == flushing {
		f.flushed()
		return
	}
	for range turns {
		if f.phase != carrying {
			return
		}
		moved := f.up.move()
		if f.phase != carrying || !f.down.move() && !moved {
			return
		}
	}
	if f.phase == carrying && !f.again {
		f.again = true
		f.loop.again = append(f.loop.again, f)
	}
}

// settle tells the other side what one direction came to; with the second, the flow
// is over.
func (f *flow) settle(p *pump, came outcome) {
	back := &f.down
	if p == back {
		back = &f.up
	}
	p.done = true
	switch came {
	case ended:
		// Where a write to the dead side took the error away, reading from it looks
		// like an end. It is none: the other side must not take it for one.
		if f.broken || !back.done && p.from.gone {
			f.note(p.onReset)
			f.flush(p.to)
			return
		}
		f.note(p.onEnd)
		if !back.done {
			p.to.finish()
		}
	case fromReset:
		f.note(p.onReset)
		f.flush(p.to)
		return
	case toReset:
		// What that side sent before may still be on its way: the other direction
		// delivers it, then finds the end.
		f.note(back.onReset)
		f.broken = true
	}
	switch {
	case !back.done:
	case f.broken:
		f.flush(&f.client)
	default:
		f.close()
	}
}

// How long a side that is to be reset is given to take what it was sent, and
// how often to look: a reset overtakes and discards it.
const (
	flushMax  = time.Second
	flushLook = 2 * time.Millisecond
)

// flush resets both sides, once one has all that was sent to it.
func (f *flow) flush(to *end) {
	f.phase = flushing
	f.up.drop()
	f.down.drop()
	f.owed, f.since = to, f.loop.now
	f.flushed()
}

func (f *flow) flushed() {
	if f.loop.now.Sub(f.since) < flushMax && unsent(f.owed.fd) {
		f.loop.wait(f, f.loop.now.Add(flushLook))
		return
	}
	f.reset()
}

// expired is that the flow waited long enough.
func (f *flow) expired() {
	switch f.phase {
	case connecting:
		f.failed(unix.ETIMEDOUT)
		f.connect()
	case flushing:
		f.flushed()
	case heading:
		f.giveUp(BadHead)
	case carrying, gone:
	}
}

// cut resets both sides at once, from outside of the flow.
func (f *flow) cut(why Reason) {
	if f.phase != gone {
		f.giveUp(why)
	}
}

// giveUp resets both sides at once.
func (f *flow) giveUp(why Reason) {
	f.note(why)
	f.reset()
}

// reset ends the flow with a reset of both sides.
func (f *flow) reset() { f.over(netx.ResetFD) }

// close ends it where both sides have said all they had to say.
func (f *flow) close() { f.over(netx.CloseFD) }

// over takes the flow off the books, and closes what is open of it.
func (f *flow) over(how func(fd int)) {
	f.phase = gone
	f.up.drop()
	f.down.drop()
	f.loop.wait(f, time.Time{})
	f.loop.remove(f)
	f.end()
	f.client.close(f.loop, how)
	f.target.close(f.loop, how)
	f.loop.relay.left()
}

func (e *end) close(l *loop, how func(int)) {
	if e.fd < 0 {
		return
	}
	l.unwatch(e.fd, e.token)
	how(e.fd)
	e.fd, e.token = -1, 0
}

// age lets time pass for the flow.
func (f *flow) age(by time.Duration) {
	f.keep()
	if why := f.pass(by); why != open {
		f.cut(why)
	}
}

// keep turns keepalive on, which most flows do not live long enough to need.
func (f *flow) keep() {
	if f.phase == carrying && !f.kept {
		f.kept = true
		_ = netx.KeepAliveFD(f.target.fd, netx.OptionsOf(&f.choice.Share.TCP))
	}
}
