package exchange

import (
	"net/netip"
	"time"

	"portico/l7/exchange/deadline"
	"portico/l7/exchange/outcome"
	"portico/l7/message"
)

// waitMax bounds a wait whose end the handler did not say (Decision.Until).
const waitMax = time.Minute

// decided does what the handler said of a request.
func (m *Machine) decided(now time.Time) {
	d, req := &m.mem.d, &m.mem.req
	m.mem.totalAt = deadline.In(d.Now, d.Timeouts.Total.D())
	switch {
	case d.Fixed != nil:
		why := outcome.Handled
		if d.Fixed.Why != outcome.OK {
			why = d.Fixed.Why
		}
		m.answerFixed(d.Fixed, why, now)
	case d.Pending && d.Gather > 0:
		m.gather(now)
	case d.Pending:
		m.wait(now)
	case !d.Address.IsValid():
		m.fail(503, outcome.NoTarget, nil, now)
	case d.BodyLimit > 0 && req.Framing == message.Length && req.Length > d.BodyLimit:
		m.fail(413, outcome.ClientTooLarge, nil, now)
	default:
		m.dial(false, now)
	}
}

// wait holds the request until its handler is woken. Nothing more is read of the
// client: a body stays with the driver, as while connecting.
func (m *Machine) wait(now time.Time) {
	d := &m.mem.d
	d.Address = netip.AddrPort{} // of a target that did not take it
	if m.mem.waitAt.IsZero() {
		m.mem.waitAt = now
	}
	end := m.mem.waitAt.Add(waitMax)
	if !d.Until.IsZero() {
		end = d.Until
	}
	if !now.Before(end) {
		m.fail(503, outcome.WaitTimeout, nil, now) // or Resume and Pending would take turns for ever
		return
	}
	m.waits, m.upAt = true, end
}

// Resume is the event that Wake was called, some time before: the driver gives it
// once for any number of calls, and never while another event is under way. It is
// harmless where nothing waits any more.
func (m *Machine) Resume(now time.Time) {
	if !m.waits {
		return
	}
	m.waits, m.upAt = false, time.Time{}
	d := &m.mem.d
	d.Pending, d.Until, d.At = false, time.Time{}, now
	m.h.Resume(&m.mem.req, d, now)
	if !d.Pending || d.Fixed != nil {
		m.waited(now)
	}
	m.decided(now)
}

// waitPassed is that a request waited for as long as it may.
func (m *Machine) waitPassed(now time.Time) {
	if m.mem.d.Until.IsZero() {
		m.fail(503, outcome.WaitTimeout, nil, now)
		return
	}
	m.Resume(now)
}

// waited ends a wait, whether what it was for has come or not.
func (m *Machine) waited(now time.Time) {
	if !m.mem.waitAt.IsZero() {
		m.mem.res.Held += now.Sub(m.mem.waitAt)
	}
	m.waits, m.mem.waitAt, m.mem.d.Pending = false, time.Time{}, false
}
