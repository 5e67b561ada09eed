package exchange

import (
	"errors"
	"slices"
	"time"

	"portico/l7/exchange/outcome"
	"portico/l7/message"
)

// Retry says what of a target's failures is tried on another one, besides that it
// could not be reached. It is read only.
type Retry struct {
	Reset    bool  // the target went away instead of answering
	Timeout  bool  // the target took too long to begin its answer
	Statuses []int // the target answered so
	// Unsafe says that methods may be sent twice too that are not idempotent: what
	// they ask for may then be done twice.
	Unsafe bool
	// PerTry is how long a target has from when it is asked until the head of its
	// answer is whole, unless a body is being sent; zero means no bound.
	PerTry time.Duration
}

var errTrySlow = errors.New("no answer in the time for one try")

// again tries another target after one that got the request, and reports whether
// it does. The request must still be whole, and may be sent twice only where that
// was allowed.
func (m *Machine) again(why outcome.Why, now time.Time) bool {
	d := &m.mem.d
	if d.Retry == nil || !d.Retry.covers(why, m.mem.resp.Status) || d.Attempts <= 0 || !m.repeatable() {
		return false
	}
	d.At = now
	if !m.h.Next(&m.mem.req, d, why) {
		return false
	}
	m.unlink()
	d.Attempts--
	m.mem.res.Retries++
	if m.up != upDone {
		m.up = upHeld
	}
	m.down, m.upAt, m.downAt = downNone, time.Time{}, time.Time{}
	m.fresh = false
	m.decided(now)
	return true
}

// covers reports whether a request that ended so with a target is tried again.
func (r *Retry) covers(why outcome.Why, status int) bool {
	return why == outcome.OK && slices.Contains(r.Statuses, status) || why == outcome.TargetClosed && r.Reset || why == outcome.TargetTimeout && r.Timeout
}

// repeatable reports whether the request can be sent once more, and may be: nothing
// of its body is gone, and nothing of an answer reached the client.
func (m *Machine) repeatable() bool {
	req := &m.mem.req
	whole := !m.consumed && (m.up == upBody || m.up == upWait ||
		m.up == upDone && (req.Framing == message.NoBody || len(m.mem.whole) > 0 || req.Framing == message.Length && req.Length == 0))
	return whole && !m.answered && m.interims == 0 && req.Upgrade == nil &&
		(m.mem.d.Retry.Unsafe || message.Idempotent(req.Method))
}

// slow is that a target took too long to begin its answer.
func (m *Machine) slow(err error, now time.Time) {
	if !m.again(outcome.TargetTimeout, now) {
		m.fail(504, outcome.TargetTimeout, err, now)
	}
}

// tryPassed is that the time for one try is over.
func (m *Machine) tryPassed(now time.Time) {
	switch {
	case m.link == linkDialing:
		m.notConnected(504, outcome.TargetConnectTimeout, errTrySlow, now)
	case m.down == downHead && m.up != upBody:
		m.slow(errTrySlow, now)
	}
}
