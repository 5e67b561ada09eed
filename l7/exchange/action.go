package exchange

import (
	"net/netip"

	"portico/l7/message"
	"portico/l7/transport"
)

// Side is one of the two peers of an exchange: a connection of HTTP/1, or a
// stream of a protocol that carries several requests on one connection.
type Side uint8

// The sides.
const (
	ClientSide Side = iota
	TargetSide
	sides
)

// String names the side.
func (s Side) String() string { return [...]string{"client", "target"}[s] }

// Kind says what a driver is to do.
type Kind uint8

// The actions.
const (
	// Dial connects to To by Via, or takes a pooled connection that was made so
	// unless Fresh is set.
	// It is answered by one Connected or ConnectFailed, also when the target's
	// side was closed meanwhile (then the dial should be given up at once).
	Dial Kind = iota
	// Send writes Segs, in order and wholly, to Side. It is answered by one Sent
	// or SendFailed, also when the side was closed meanwhile. Until then the
	// segments, and the input they are slices of, must not change. To a stream a
	// head comes before them and an end after them, where they are set.
	Send
	// Shut ends the sending direction of Side (FIN, close_notify, END_STREAM).
	Shut
	// Pool keeps the target's connection for another request to its address by the
	// same Transport. It is not the machine's any more. A stream is over with it.
	Pool
	// Close closes Side; Reset says that the peer must not take what it got for
	// the whole (RST). On the target's side it also gives up a dial. What a
	// stream did not end by then, in either direction, is canceled.
	Close
)

// String names the action.
func (k Kind) String() string { return [...]string{"dial", "send", "shut", "pool", "close"}[k] }

// Action is one thing for the driver to do.
type Action struct {
	Kind  Kind
	Side  Side                 // of Send, Shut and Close
	To    netip.AddrPort       // of Dial
	Via   *transport.Transport // of Dial; nil means HTTP/1.1 in plain text
	Fresh bool                 // of Dial
	Reset bool                 // of Close
	Segs  [][]byte             // of Send

	// Of Dial: the protocol that the request asks to switch to, or nil. A stream
	// that is connected must be able to carry it.
	Upgrade []byte
	// Of Send to a stream: a head that goes before Segs, or nil. It is valid until
	// the machine is told anything, so the driver encodes it at once. An interim
	// response has a status below 200; 101 says that a tunnel follows.
	Request  *message.Request
	Response *message.Response
	// Of Send to a stream: nothing follows Segs but Trailers, if there are any.
	End      bool
	Trailers []message.Field
}

// wants are the actions that are due, apart from Send, which the outs know.
type wants struct {
	dial, fresh bool
	pool        bool
	shut        [sides]bool
	close       [sides]bool
	reset       bool // of close[ClientSide]
}

// Next yields the next action in a, or false when there is nothing to do until
// the next event. The driver calls it after every event until it is false.
func (m *Machine) Next(a *Action) bool {
	switch w := &m.want; {
	case w.close[TargetSide]:
		w.close[TargetSide] = false
		*a = Action{Kind: Close, Side: TargetSide}
	case m.sendable(ClientSide):
		m.send(ClientSide, a)
	case m.sendable(TargetSide):
		m.send(TargetSide, a)
	case w.shut[TargetSide] && !m.pending(TargetSide):
		w.shut[TargetSide] = false
		*a = Action{Kind: Shut, Side: TargetSide}
	case w.shut[ClientSide] && !m.pending(ClientSide):
		w.shut[ClientSide] = false
		*a = Action{Kind: Shut, Side: ClientSide}
	case w.pool:
		w.pool = false
		*a = Action{Kind: Pool, Side: TargetSide}
	case w.dial && !m.dialing && !m.pending(TargetSide):
		w.dial, m.dialing = false, true
		*a = Action{
			Kind: Dial, Side: TargetSide,
			To: m.mem.d.Address, Via: m.mem.d.Via, Fresh: w.fresh, Upgrade: m.mem.req.Upgrade,
		}
		w.fresh = false
	case w.close[ClientSide]:
		*a = Action{Kind: Close, Side: ClientSide, Reset: w.reset}
		*w = wants{}
	default:
		return false
	}
	return true
}

// send makes a the Send that is due on a side.
func (m *Machine) send(s Side, a *Action) {
	p := m.mem.out[s].Take()
	*a = Action{
		Kind: Send, Side: s, Segs: p.Segs, Request: p.Request, Response: p.Response, End: p.End, Trailers: p.Trailers,
	}
}

// sendable reports whether a Send is due on a side.
func (m *Machine) sendable(s Side) bool {
	if m.mem == nil || s == ClientSide && m.closed || s == TargetSide && m.link != linkOpen {
		return false
	}
	return m.mem.out[s].Ready()
}

// pending reports whether anything is still to be sent, or being sent, on a side.
func (m *Machine) pending(s Side) bool { return m.mem != nil && m.mem.out[s].Pending() }
