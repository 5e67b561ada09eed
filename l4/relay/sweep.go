package relay

import "time"

// Sweeps are so far apart that a flow is cut at most an eighth of its idle time
// late, within these.
const (
	sweepMin  = 10 * time.Millisecond
	sweepMax  = time.Second
	sweepPart = 8
)

// sweep ages every flow now and then, instead of a timer for each. Where there are
// no flows there are no sweeps.
func (l *loop) sweep() {
	if l.sweeps.IsZero() || l.now.Before(l.sweeps) {
		return
	}
	every := l.relay.state.Load().sweepEvery()
	// A process that was stopped must not find every flow idle when it goes on:
	// their bytes are waiting.
	passed := min(l.now.Sub(l.swept), 2*every)
	l.swept, l.sweeps = l.now, l.now.Add(every)
	l.each(func(f carried) { f.age(passed) })
}

func (s *state) sweepEvery() time.Duration {
	shortest := s.table.IdleMin()
	if shortest == 0 || s.drain > 0 && s.drain < shortest {
		shortest = s.drain
	}
	return min(max(shortest/sweepPart, sweepMin), sweepMax)
}
