package exchange

import (
	"time"

	"portico/l7/exchange/deadline"
	"portico/l7/exchange/outcome"
	"portico/l7/message"
	"portico/target/balance"
)

// up is what the machine awaits of the client.
type up uint8

const (
	upIdle   up = iota // the first byte of a head
	upHead             // the rest of a head
	upHeld             // nothing yet: the request's body waits for a target
	upGather           // all of the body, before the request goes anywhere
	upWait             // nothing yet: the target is to say 100 (Continue) first
	upBody             // the body, for the target
	upSkip             // the rest of a body nobody wants, then another request
	upDone             // nothing: the request is wholly taken
	upDrop             // whatever comes is thrown away, no request follows
	upTunnel           // bytes for the target
	upLinger           // the end, after the last answer
)

// down is what the machine awaits of the target.
type down uint8

const (
	downNone   down = iota // nothing: it has no request
	downHead               // the head of an answer
	downBody               // its body
	downDone               // nothing: the answer is whole, or made here
	downTunnel             // bytes for the client
)

// link is the state of the connection to a target.
type link uint8

const (
	linkNone link = iota
	linkDialing
	linkOpen
)

// Handlers name the handler for a new request, whose bounds hold until then.
type Handlers interface{ Handler() Handler }

// Options are what a Machine is started with.
type Options struct {
	Client   *message.Client
	Handlers Handlers
	Memories Memories
	// Wake has the driver give the machine the event Resume, soon. It is safe to
	// call from any goroutine, as often as one likes, also during an event of this
	// machine, and also when the request, or the connection, is long over: a driver
	// that uses its memory for another connection may wake that one instead. Nil
	// means that the driver wakes nobody; requests then wait until Decision.Until.
	Wake func()
	// Seed makes the draws of this connection unlike those of others.
	Seed uint64
	// Serial is the number of the first request on its connection, from 0.
	Serial int
}

// Machine serves one client connection, or one request that is a stream of its
// own: events in, actions out. It is not safe for use by several goroutines at
// once. After each event the driver calls Next until there is no action (other
// events may come between), then reads from the sides that Reads names, and calls
// Tick when Deadline has passed. Done says when to let go of it.
type Machine struct {
	o   Options
	h   Handler // of the request going on
	mem *Memory // of the request going on; nil between two

	up     up
	down   down
	link   link
	want   wants
	serial int
	draws  int

	dialing     bool // a Dial is unanswered
	reused      bool // the target's connection was pooled
	fresh       bool // a pooled connection failed already
	consumed    bool // some of the request's body was taken
	sentTarget  bool // something was sent on this connection to the target
	answered    bool // the final head went to the client, or is about to
	said100     bool // the client was told 100 (Continue)
	interims    int
	ended       bool // End was called for the request
	keep        bool // another request may follow
	clientKeeps bool // the client did not ask for the end
	clientEOF   bool
	targetEOF   bool
	leaving     bool // the next answer is the last
	draining    bool
	closed      bool // the client's connection is closed, or about to
	stream      [sides]bool
	chunkUp     bool // the body goes to the target in chunks
	chunkDown   bool // the body goes to the client in chunks
	poolable    bool // the target would take another request
	waits       bool // the handler is to be woken

	bounds *Bounds
	upAt   time.Time // deadlines; zero means none
	downAt time.Time
	born   int64 // when the connection was accepted, in Unix nanoseconds
}

// Start makes m serve a connection that was just accepted, whatever it served
// before. The first head must begin within the bound for heads.
func (m *Machine) Start(o Options, now time.Time) {
	*m = Machine{o: o, serial: o.Serial}
	m.bounds = o.Handlers.Handler().Bounds()
	m.upAt = deadline.In(now, m.bounds.HeadTimeout)
	m.born = now.UnixNano()
}

// Done reports that the client's connection is closed and nothing is unanswered;
// the machine may be started again.
func (m *Machine) Done() bool {
	return m.closed && m.up != upLinger && m.mem == nil && !m.dialing && m.want == wants{}
}

// Reads reports whether the machine would take bytes from a side. As long as it
// does it takes at least one of any it is offered. Where it does not, the driver
// should not read (back-pressure); bytes it has already it offers again later.
func (m *Machine) Reads(s Side) bool {
	if m.closed && m.up != upLinger {
		return false
	}
	if s == TargetSide {
		return m.link == linkOpen && !m.targetEOF && !m.mem.out[ClientSide].Full() &&
			(m.down == downHead || m.down == downBody || m.down == downTunnel)
	}
	switch {
	case m.clientEOF:
		return false
	case m.up == upBody || m.up == upTunnel:
		return m.link == linkOpen && !m.mem.out[TargetSide].Full()
	case m.up == upIdle:
		return !m.pending(ClientSide)
	}
	return m.up != upHeld && m.up != upDone
}

// Bytes is the event that p came from a side. The machine takes the first n bytes
// of p, which it may overwrite, and which must stay until every Send that follows
// is answered; the rest is to be offered again, with what comes after it.
func (m *Machine) Bytes(s Side, p []byte, now time.Time) (n int) {
	if len(p) == 0 || !m.Reads(s) {
		return 0
	}
	if s == TargetSide {
		switch m.down {
		case downHead:
			return m.responseHead(p, now)
		case downBody:
			return m.download(p, now)
		default:
			return m.tunnel(TargetSide, p, now)
		}
	}
	switch m.up {
	case upIdle, upHead:
		return m.requestHead(p, now)
	case upWait, upBody:
		return m.upload(p, now)
	case upGather:
		return m.gatherMore(p, now)
	case upSkip:
		return m.skip(p, now)
	case upTunnel:
		return m.tunnel(ClientSide, p, now)
	default:
		return len(p) // dropped
	}
}

// Ended is the event that a side will send no more (FIN), after all it sent was
// taken.
func (m *Machine) Ended(s Side, now time.Time) {
	if s == TargetSide {
		m.targetEnded(now)
	} else if !m.clientEOF {
		m.clientEnded(now)
	}
}

// Broke is the event that a side is gone: reset, or an error while reading.
func (m *Machine) Broke(s Side, err error, now time.Time) {
	switch {
	case s == TargetSide:
		m.targetBroke(err, now)
	case m.closed && m.up != upLinger:
	case m.mem == nil || m.ended:
		m.shutDown(false)
	default:
		m.abort(outcome.ClientClosed, err, now)
	}
}

// Sent is the event that a Send was done.
func (m *Machine) Sent(s Side, now time.Time) {
	if m.mem == nil {
		return
	}
	m.mem.out[s].Sent()
	switch {
	case m.ended || m.closed:
	case m.down == downTunnel:
		m.touchTunnel(now)
	case s == ClientSide && m.down >= downBody:
		m.downAt = deadline.In(now, m.mem.d.Timeouts.Body.D())
	case s == TargetSide && m.link == linkOpen:
		m.sentTarget = true
		m.touchUpload(now)
	}
	m.settle(now)
}

// Progress is that some of a Send that is under way was taken, the last of it at a
// time. It may be told as late as before Tick: the side is not stuck, only slow.
func (m *Machine) Progress(s Side, at time.Time) {
	switch {
	case m.mem == nil || m.ended || m.closed || !m.mem.out[s].Busy() || at.IsZero():
	case m.down == downTunnel:
		m.downAt = deadline.Later(m.downAt, deadline.In(at, m.mem.d.Timeouts.Tunnel.D()))
	case s == ClientSide && m.down >= downBody:
		m.downAt = deadline.Later(m.downAt, deadline.In(at, m.mem.d.Timeouts.Body.D()))
	case s == TargetSide && m.up == upBody:
		m.upAt = deadline.Later(m.upAt, deadline.In(at, m.mem.d.Timeouts.Body.D()))
	}
}

// SendFailed is the event that a Send could not be done; written is how many
// bytes of it were.
func (m *Machine) SendFailed(s Side, written int64, err error, now time.Time) {
	if m.mem == nil {
		return
	}
	m.mem.out[s].Sent()
	switch {
	case m.ended || m.closed:
	case s == ClientSide:
		m.abort(outcome.ClientClosed, err, now)
	case m.link == linkOpen:
		m.targetDeaf(written, err, now)
	}
	m.settle(now)
}

// draw is the next of well spread numbers.
func (m *Machine) draw() uint64 {
	m.draws++
	return balance.Mix(m.o.Seed, m.draws-1)
}
