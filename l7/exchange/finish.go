package exchange

import (
	"time"

	"portico/l7/exchange/deadline"
	"portico/l7/exchange/outcome"
)

const (
	// lingerTime is how long a client may go on sending after its last answer.
	// Closing at once would reset the connection, and the answer with it
	// (RFC 9112, section 9.6).
	lingerTime = 2 * time.Second
	// drainGrace is how long an idle connection may still begin a request when a
	// drain was asked for, so that one which is on its way is not lost; its
	// answer then says that the connection closes.
	drainGrace = 500 * time.Millisecond
)

// settle does what is due once nothing more is to be done for the request.
func (m *Machine) settle(now time.Time) {
	if m.mem == nil {
		return
	}
	switch {
	case m.ended:
		m.release()
	case m.down == downDone:
		m.settleTarget()
		m.settleClient(now)
	case m.down == downTunnel && m.clientEOF && m.targetEOF &&
		!m.pending(ClientSide) && !m.pending(TargetSide):
		m.unlink()
		m.end(outcome.OK, nil, now)
		m.shutDown(false)
	}
}

// settleTarget lets go of a target that has answered and got its whole request.
func (m *Machine) settleTarget() {
	if m.link != linkOpen || m.up == upBody || m.poolable && m.pending(TargetSide) {
		return
	}
	if m.poolable && m.up == upDone && !m.targetEOF {
		m.link, m.want.pool = linkNone, true
		return
	}
	m.unlink()
}

// settleClient ends the request when its answer was sent.
func (m *Machine) settleClient(now time.Time) {
	if m.up == upBody || m.up == upSkip || m.link != linkNone || m.pending(ClientSide) || m.pending(TargetSide) {
		return
	}
	m.end(outcome.OK, nil, now)
	switch {
	case m.closed:
	case m.stream[ClientSide]:
		m.shutDown(false)
	case m.keep && m.up == upDone && !m.clientEOF:
		m.rest(now)
	case m.clientEOF || m.up == upDone && !m.clientKeeps:
		m.shutDown(false)
	default:
		m.linger(now)
	}
}

// rest waits for the connection's next request.
func (m *Machine) rest(now time.Time) {
	m.up, m.down = upIdle, downNone
	m.downAt = time.Time{}
	m.upAt = deadline.In(now, m.bounds.IdleTimeout)
	if m.draining {
		m.upAt = deadline.Sooner(m.upAt, now.Add(drainGrace))
	}
}

// linger ends the sending direction and waits for the client to end its own.
func (m *Machine) linger(now time.Time) {
	m.closed = true
	m.up = upLinger
	m.want.shut[ClientSide] = true
	m.upAt, m.downAt = now.Add(lingerTime), time.Time{}
}

// shutDown closes the client's connection.
func (m *Machine) shutDown(reset bool) {
	m.closed = true
	m.up, m.down = upDone, downNone
	m.want.shut[ClientSide] = false
	m.want.close[ClientSide], m.want.reset = true, reset
	m.upAt, m.downAt = time.Time{}, time.Time{}
	m.release()
}

// end tells the handler, once, how the request ended. A reason given before stands.
func (m *Machine) end(why outcome.Why, err error, now time.Time) {
	if m.mem == nil || m.ended {
		return
	}
	m.ended = true
	r := &m.mem.res
	m.note(why, err)
	r.Total = now.Sub(r.Start)
	m.h.End(&m.mem.req, &m.mem.d, r)
	m.release()
}

// note keeps the first thing that went wrong with the request.
func (m *Machine) note(why outcome.Why, err error) {
	r := &m.mem.res
	if r.Why != outcome.OK {
		return
	}
	r.Why = why
	if err != nil {
		r.Detail = err.Error()
	}
}

// release gives the request's memory back once no driver holds any of it.
func (m *Machine) release() {
	if m.mem == nil || !m.ended || m.mem.out[ClientSide].Busy() || m.mem.out[TargetSide].Busy() {
		return
	}
	if m.mem.kept > 0 {
		m.o.Memories.Keep(-m.mem.kept)
		m.mem.kept = 0
	}
	m.mem.reset()
	m.o.Memories.Put(m.mem)
	m.mem, m.h = nil, nil
}

// clientEnded is the end of what the client sends. A client may end its side and
// still wait for the answer (RFC 9112, section 9.6), so that goes on.
func (m *Machine) clientEnded(now time.Time) {
	m.clientEOF = true
	switch m.up {
	case upIdle, upLinger:
		m.shutDown(false)
	case upHead, upHeld, upGather, upWait, upBody:
		m.abort(outcome.ClientClosed, nil, now)
	case upSkip:
		m.up, m.upAt = upDrop, time.Time{}
		m.settle(now)
	case upTunnel:
		m.want.shut[TargetSide] = true
		m.settle(now)
	case upDone, upDrop: // the answer is all that matters
	}
}

// Leave asks m to close the connection with its next answer, and to leave an idle
// one alone until then.
func (m *Machine) Leave() { m.leaving = true }

// Drain asks m to close the connection when its request is answered; an idle one
// closes after a short grace.
func (m *Machine) Drain(now time.Time) {
	if m.draining || m.closed {
		return
	}
	m.leaving, m.draining = true, true
	if m.up == upIdle {
		m.upAt = deadline.Sooner(m.upAt, now.Add(drainGrace))
	}
}

// Abort ends the connection at once, because the driver closes.
func (m *Machine) Abort(now time.Time) {
	if m.closed && m.up != upLinger {
		return
	}
	if m.mem != nil && !m.ended {
		m.abort(outcome.Drained, nil, now)
		return
	}
	m.shutDown(true)
}
