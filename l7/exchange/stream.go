package exchange

import (
	"time"

	"portico/l7/exchange/outcome"
	"portico/l7/http1"
	"portico/l7/message"
)

// A stream is a side whose protocol frames messages itself (HTTP/2, HTTP/3): it
// yields heads, bytes of a body and its end as they are, and takes them so. What
// is heard of one comes by these events in place of bytes alone:
//
//	Whole    a head is in its Room          Last     the body ended
//	Unfit    a head is not acceptable       Refused  the target did not look at it
//
// Bytes are those of the body. Broke says that the stream was reset or that its
// connection is gone; Ended is never said of a stream.

// StartStream makes m serve one request that comes as a stream, whatever it served
// before. The request is put into Room, then Whole or Unfit says so.
func (m *Machine) StartStream(o Options, now time.Time) {
	*m = Machine{o: o, serial: o.Serial}
	m.stream[ClientSide] = true
	m.open(now)
}

// ConnectedStream is Connected to a stream of a connection; reused says that the
// connection carried requests before.
func (m *Machine) ConnectedStream(reused bool, now time.Time) { m.connected(true, reused, now) }

// RequestRoom is where a stream's request is put, and memory for its octets,
// between StartStream and Whole. What they hold must stay until the machine is Done.
func (m *Machine) RequestRoom() (req *message.Request, octets *[]byte) {
	return &m.mem.req, &m.mem.head
}

// ResponseRoom is where the response of a target's stream is put before Whole, and
// memory for its octets. It may be used while Reads says so of the target's side.
func (m *Machine) ResponseRoom() (resp *message.Response, octets *[]byte) {
	m.mem.rhead = m.mem.rhead[:0]
	return &m.mem.resp, &m.mem.rhead
}

// TrailerRoom is where the trailers of a stream are put before Last, and memory
// for their octets. Fields that may not be trailers are not to be among them.
func (m *Machine) TrailerRoom(s Side) (trailers *[]message.Field, octets *[]byte) {
	octets = &m.mem.head
	if s == TargetSide {
		octets = &m.mem.rhead
	}
	return &m.mem.trailers[s], octets
}

// Whole is the event that the head in a stream's room is whole; end says that
// nothing follows. A request to switch the protocol is a tunnel's, without a body.
func (m *Machine) Whole(s Side, end bool, now time.Time) {
	mem := m.mem
	switch {
	case s == ClientSide:
		m.request(end || mem.req.Upgrade != nil || message.Connects(&mem.req), now)
	case !m.Reads(TargetSide) || m.down != downHead:
	case mem.req.Upgrade != nil && mem.resp.Status/100 == 2:
		mem.resp.Status, mem.resp.Reason, mem.resp.Upgrade = 101, nil, mem.req.Upgrade
		m.response(false, now)
		if end {
			m.targetEnded(now)
		}
	default:
		m.response(end, now)
	}
}

// Unfit is the event that a stream's head is not acceptable. Of a request err says
// by which status, where it is an *http1.Error.
func (m *Machine) Unfit(s Side, err error, now time.Time) {
	switch {
	case s == ClientSide && m.up == upHead:
		m.refuse(err, now)
	case s == TargetSide && m.link == linkOpen:
		m.fail(502, outcome.TargetBadResponse, err, now)
	}
}

// Last is the event that a stream ended as it should, after all it sent was taken;
// its trailers are in TrailerRoom. Not taken, it is to be told again later, as
// bytes would be.
func (m *Machine) Last(s Side, now time.Time) (taken bool) {
	if !m.Reads(s) {
		return false
	}
	if s == ClientSide {
		m.lastUp(now)
	} else {
		m.lastDown(now)
	}
	return true
}

func (m *Machine) lastUp(now time.Time) {
	switch m.up {
	case upGather, upWait, upBody:
		if err := m.mem.body.EOF(); err != nil {
			m.refuse(err, now)
			return
		}
		if m.up == upGather {
			m.gathered(now)
			return
		}
		m.uploaded(now)
		m.settle(now)
	case upTunnel:
		m.clientEnded(now)
	case upDrop:
		m.up = upDone
		m.settle(now)
	case upIdle, upHead, upHeld, upSkip, upDone, upLinger: // not read, or none of a stream's
	}
}

func (m *Machine) lastDown(now time.Time) {
	switch m.down {
	case downHead:
		m.noAnswer(errTargetEnd, now)
	case downBody:
		m.bodyEnded(now)
	case downTunnel:
		m.targetEnded(now)
	case downNone, downDone: // not read
	}
}

// Refused is the event that the target of a stream will not answer it and did
// nothing of what it asks (REFUSED_STREAM, or GOAWAY of what came before it). Such
// a request may be sent again whatever its method (RFC 9113, section 8.7), as long
// as there is still all of it.
func (m *Machine) Refused(err error, now time.Time) {
	switch {
	case m.link != linkOpen || m.want.pool:
	case m.consumed || !m.unheard():
		m.targetBroke(err, now)
	case m.fresh:
		m.notConnected(503, outcome.TargetConnectFailed, err, now)
	default:
		m.redial(now)
	}
}

// begin starts the body that a side sends. That of a stream ends with Last.
func (m *Machine) begin(s Side) {
	mem := m.mem
	dec, framing, length := &mem.body, mem.req.Framing, mem.req.Length
	if s == TargetSide {
		dec, framing, length = &mem.rbody, mem.resp.Framing, mem.resp.Length
	}
	if m.stream[s] && framing == message.Chunked {
		framing = message.UntilClose
	}
	dec.Reset(framing, length, m.limits())
}

// finish ends the body that is sent to a side, with the other's trailers.
func (m *Machine) finish(to Side, chunked bool) {
	if !m.stream[to] && !chunked {
		return
	}
	o, trailers := &m.mem.out[to], m.trailers(1-to)
	if m.stream[to] {
		o.Finish(trailers)
		return
	}
	o.Grown(http1.AppendLastChunk(o.Buffer(), trailers))
}

// trailers are those that a body of a side ended with.
func (m *Machine) trailers(s Side) []message.Field {
	switch {
	case m.stream[s]:
		return m.mem.trailers[s]
	case s == ClientSide:
		return m.mem.body.Trailers()
	}
	return m.mem.rbody.Trailers()
}
