package exchange

import (
	"time"

	"portico/l7/exchange/outcome"
	"portico/l7/exchange/pace"
)

// measure begins a window in which the client's rate is measured.
func (m *Machine) measure(now time.Time) {
	if b := m.bounds; b.RateLeast > 0 {
		m.mem.pace = pace.Begin(m.sight(), b.RateWindow, now)
	}
}

func (m *Machine) sight() pace.Sight {
	return pace.Sight{
		In: m.mem.res.BytesIn, Out: m.mem.res.BytesOut,
		Up:   m.up == upSkip || m.up == upGather || m.up == upBody && m.link == linkOpen && !m.pending(TargetSide),
		Down: m.down >= downBody && m.pending(ClientSide),
	}
}

// pacePassed is the end of a window.
func (m *Machine) pacePassed(now time.Time) {
	if m.ended || m.up == upTunnel {
		return
	}
	up, down := m.mem.pace.Slow(m.sight(), m.bounds.RateLeast)
	switch {
	case up && m.up == upSkip:
		m.up, m.keep = upDrop, false
		m.settle(now)
	case up:
		m.fail(408, outcome.ClientTimeout, errRateLow, now)
	case down:
		m.abort(outcome.ClientTimeout, errRateLow, now)
	default:
		m.measure(now)
	}
}

// aged reports whether a connection has had as many requests, or is as old, as one may.
func (m *Machine) aged(now time.Time) bool {
	b := m.bounds
	return b.Requests > 0 && m.serial >= b.Requests ||
		b.Age > 0 && !m.stream[ClientSide] && now.UnixNano()-m.born >= int64(b.Age)
}
