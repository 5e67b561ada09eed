package exchange

import (
	"errors"
	"time"

	"portico/l7/exchange/deadline"
	"portico/l7/exchange/outcome"
	"portico/l7/message"
)

var errTargetEnd = errors.New("target closed the connection")

// targetEnded is the end of what the target sends.
func (m *Machine) targetEnded(now time.Time) {
	if m.link != linkOpen || m.targetEOF || m.want.pool {
		return
	}
	m.targetEOF = true
	switch m.down {
	case downHead:
		m.noAnswer(errTargetEnd, now)
	case downBody:
		m.poolable = false
		m.bodyEnded(now)
	case downDone:
		m.dropUpload()
		m.settle(now)
	case downTunnel:
		m.want.shut[ClientSide] = true
		m.settle(now)
	case downNone: // it has no request yet
	}
}

// bodyEnded is the end of an answer's body, where nothing more comes.
func (m *Machine) bodyEnded(now time.Time) {
	if err := m.mem.rbody.EOF(); err != nil {
		m.fail(502, outcome.TargetClosed, err, now)
		return
	}
	m.downloaded(now)
}

// targetBroke is the loss of the target's connection.
func (m *Machine) targetBroke(err error, now time.Time) {
	if m.link != linkOpen || m.want.pool {
		return
	}
	switch m.down {
	case downHead:
		m.noAnswer(err, now)
	case downBody, downTunnel:
		m.fail(502, outcome.TargetClosed, err, now)
	case downDone:
		m.dropUpload()
		m.settle(now)
	case downNone: // it has no request yet
	}
}

// targetDeaf is that the target takes no more, which need not mean that it says
// nothing more: it may have answered early and closed.
func (m *Machine) targetDeaf(written int64, err error, now time.Time) {
	switch {
	case m.down == downTunnel:
		m.abort(outcome.TargetClosed, err, now)
	case m.reused && !m.fresh && written == 0 && !m.sentTarget && !m.consumed && m.unheard():
		m.redial(now) // nothing of the request went out, whatever its method
	default:
		m.sentTarget = true
		if m.up == upBody || m.up == upWait {
			m.dropUpload()
		}
		m.poolable = false
		if m.down == downHead {
			m.downAt = deadline.In(now, m.mem.d.Timeouts.Response.D())
		}
	}
}

// noAnswer is that the target went away instead of answering. A request is sent
// once more, on a fresh connection, only where it may be sent twice, and where a
// connection that was idle is the likely cause (RFC 9110, section 9.2.2).
func (m *Machine) noAnswer(err error, now time.Time) {
	again := m.reused && !m.fresh && m.unheard() && m.up == upDone && !m.consumed &&
		message.Idempotent(m.mem.req.Method)
	if again {
		m.redial(now)
		return
	}
	if !m.again(outcome.TargetClosed, now) {
		m.fail(502, outcome.TargetClosed, err, now)
	}
}

// unheard reports that no byte of an answer came.
func (m *Machine) unheard() bool {
	return m.down == downHead && len(m.mem.rhead) == 0 && m.interims == 0
}

// redial sends the request again to the same target on a connection of its own.
func (m *Machine) redial(now time.Time) {
	m.unlink()
	m.fresh = true
	m.mem.res.Retries++
	if m.up != upDone {
		m.up = upHeld
	}
	m.downAt = time.Time{}
	m.dial(true, now)
}
