package exchange

import (
	"errors"
	"time"

	"portico/l7/exchange/deadline"
	"portico/l7/exchange/outcome"
)

var (
	errConnectSlow = errors.New("connecting took too long")
	errAnswerSlow  = errors.New("no answer in time")
	errTakesSlow   = errors.New("took no bytes in time")
	errRateLow     = errors.New("slower than the least rate")
	errSendsSlow   = errors.New("sent no bytes in time")
)

// Deadline is when Tick is due; zero means never. It may move with every event.
func (m *Machine) Deadline() time.Time {
	t := deadline.Sooner(m.upAt, m.downAt)
	if mem := m.mem; mem != nil && !m.ended {
		t = deadline.Sooner(t, deadline.Sooner(deadline.Sooner(mem.totalAt, mem.tryAt), mem.pace.End))
	}
	return t
}

// Tick is the event that time passed; it may come early.
func (m *Machine) Tick(now time.Time) {
	mem := m.mem
	if m.ended {
		mem = nil // what is left of its memory is with the driver
	}
	switch {
	case mem != nil && deadline.Due(&mem.totalAt, now):
		m.fail(504, outcome.TotalTimeout, nil, now)
	case mem != nil && deadline.Due(&mem.tryAt, now):
		m.tryPassed(now)
	case deadline.Due(&m.upAt, now):
		m.upPassed(now)
	case mem != nil && deadline.Due(&mem.pace.End, now):
		m.pacePassed(now)
	case deadline.Due(&m.downAt, now):
		m.downPassed(now)
	}
}

// upPassed is that the request's side took too long.
func (m *Machine) upPassed(now time.Time) {
	if m.link == linkDialing {
		m.notConnected(504, outcome.TargetConnectTimeout, errConnectSlow, now)
		return
	}
	if m.waits {
		m.waitPassed(now)
		return
	}
	switch m.up {
	case upIdle, upLinger:
		m.shutDown(false)
	case upHead:
		m.fail(408, outcome.ClientTimeout, nil, now)
	case upWait:
		if m.hearsInterims() && !m.said100 {
			m.sayContinue()
		}
		m.goOn(now)
	case upBody:
		if m.pending(TargetSide) {
			m.fail(504, outcome.TargetTimeout, errTakesSlow, now)
		} else {
			m.fail(408, outcome.ClientTimeout, errSendsSlow, now)
		}
	case upGather:
		m.fail(408, outcome.ClientTimeout, errSendsSlow, now)
	case upSkip:
		m.up, m.keep = upDrop, false
		m.settle(now)
	case upHeld, upDone, upDrop, upTunnel: // nothing is awaited of the client
	}
}

// sayContinue tells the client to send its body, in place of a silent target.
func (m *Machine) sayContinue() {
	m.said100 = true
	m.mem.resp.Status = 100
	m.mem.resp.Reason, m.mem.resp.Fields = nil, m.mem.resp.Fields[:0]
	m.say(&m.mem.resp)
}

// downPassed is that the answer's side took too long.
func (m *Machine) downPassed(now time.Time) {
	switch m.down {
	case downHead:
		m.slow(errAnswerSlow, now)
	case downBody:
		if m.pending(ClientSide) {
			m.abort(outcome.ClientTimeout, errTakesSlow, now)
		} else {
			m.fail(504, outcome.TargetTimeout, errSendsSlow, now)
		}
	case downDone:
		if m.pending(ClientSide) {
			m.abort(outcome.ClientTimeout, errTakesSlow, now)
		} else if m.pending(TargetSide) && m.up != upBody { // it answered, and takes no more
			m.unlink()
		}
	case downTunnel:
		m.unlink()
		m.end(outcome.TunnelTimeout, nil, now)
		m.shutDown(false)
	case downNone: // nothing is awaited of the target
	}
}
