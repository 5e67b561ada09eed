package exchange

import (
	"errors"
	"time"

	"portico/l7/exchange/deadline"
	"portico/l7/exchange/outcome"
	"portico/l7/http1"
	"portico/l7/message"
	"portico/l7/transport"
)

// continueWait is how long a client that asked for 100 (Continue) waits at most
// for the target's word; many targets never send one.
const continueWait = time.Second

// dial asks for a connection to the decision's target. What the client sent of a
// body stays with the driver, so that it can go to any target.
func (m *Machine) dial(fresh bool, now time.Time) {
	m.link, m.down = linkDialing, downNone
	m.want.dial, m.want.fresh = true, fresh || message.Connects(&m.mem.req)
	m.mem.dialAt = now
	m.upAt = deadline.In(now, m.mem.d.Timeouts.Connect.D())
	if r := m.mem.d.Retry; r != nil {
		m.mem.tryAt = deadline.In(now, r.PerTry)
	}
}

// Connected is the event that a Dial was done; reused says that the connection
// served requests before.
func (m *Machine) Connected(reused bool, now time.Time) {
	m.connected(false, reused, now)
}

// connected begins to send the request, to a stream or another connection.
func (m *Machine) connected(stream, reused bool, now time.Time) {
	m.dialing = false
	if m.link != linkDialing || m.want.dial {
		m.want.close[TargetSide] = true // nobody waits for it any more
		m.settle(now)
		return
	}
	m.link, m.reused, m.targetEOF, m.sentTarget = linkOpen, reused, false, false
	m.stream[TargetSide] = stream
	m.mem.res.Reused = reused
	if !reused {
		m.mem.res.Connect += now.Sub(m.mem.dialAt)
	}
	if message.Connects(&m.mem.req) && !stream {
		m.establish(now)
	} else {
		m.sendRequest(now)
	}
}

// sendRequest sends the head to the target and lets the body follow.
func (m *Machine) sendRequest(now time.Time) {
	mem := m.mem
	t := &mem.d.Timeouts
	wait := mem.req.Expect100 && m.up == upHeld
	m.headUp(wait)
	m.chunkUp = mem.req.Framing == message.Chunked && !m.stream[TargetSide]
	m.down, m.downAt = downHead, time.Time{}
	mem.rhead, mem.rscan = mem.rhead[:0], http1.Scanner{}
	switch {
	case m.up == upDone:
		m.sendWhole()
		m.upAt, m.downAt = time.Time{}, deadline.In(now, t.Response.D())
	case wait:
		m.up, m.upAt = upWait, now.Add(continueWait)
	default:
		m.up, m.upAt = upBody, deadline.In(now, t.Body.D())
	}
}

// ConnectFailed is the event that a Dial could not be done.
func (m *Machine) ConnectFailed(err error, now time.Time) {
	m.dialing = false
	if m.link != linkDialing || m.want.dial {
		m.settle(now)
		return
	}
	if transport.NoFile(err) { // no target is at fault, and another would take a file too
		m.unlink()
		m.fail(503, outcome.Overloaded, err, now)
		return
	}
	why := outcome.TargetConnectFailed
	if handshake := (*transport.HandshakeError)(nil); errors.As(err, &handshake) {
		why = outcome.TargetHandshakeFailed
	}
	m.notConnected(502, why, err, now)
}

// notConnected tries the next target, or gives up.
func (m *Machine) notConnected(status int, why outcome.Why, err error, now time.Time) {
	d := &m.mem.d
	m.mem.res.Connect += now.Sub(m.mem.dialAt)
	m.unlink()
	d.At = now
	if d.Attempts <= 0 || !m.h.Next(&m.mem.req, d, why) {
		m.fail(status, why, err, now)
		return
	}
	d.Attempts--
	m.mem.res.Retries++
	m.decided(now)
}

// unlink lets go of the target: closes its connection or gives up its dial.
func (m *Machine) unlink() {
	if m.link == linkOpen || m.dialing || m.want.pool {
		m.want.close[TargetSide] = true
	}
	if m.mem != nil {
		m.mem.out[TargetSide].Drop()
		m.mem.tryAt = time.Time{}
	}
	m.link, m.want.dial, m.want.pool, m.want.shut[TargetSide] = linkNone, false, false, false
}

// headUp sends the head of the request to the target.
func (m *Machine) headUp(wait bool) {
	req, o := &m.mem.req, &m.mem.out[TargetSide]
	if m.stream[TargetSide] {
		o.Request(req)
		return
	}
	opt := http1.RequestOptions{Expect100: wait}
	if m.switching() {
		opt.WebSocketKey = m.newKey()
	}
	o.Grown(http1.AppendRequestHead(o.Buffer(), req, opt))
}
