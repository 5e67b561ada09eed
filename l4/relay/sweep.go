package relay

import (
	"context"
	"math/rand/v2"
	"time"

	"portico/internal/clock"
)

// Sweeps are so far apart that a flow is cut at most an eighth of its idle time
// late, within these.
const (
	sweepMin  = 10 * time.Millisecond
	sweepMax  = time.Second
	sweepPart = 8
)

// sweep ages every flow now and then, instead of a timer for each: what a byte
// costs is one atomic addition. Where there are no flows it sleeps.
func (r *Relay) sweep(ctx context.Context) {
	last, every := clock.Now(), r.state.Load().sweepEvery()
	t := time.NewTimer(every)
	defer t.Stop()
	for {
		if r.flows.count.Load() == 0 {
			select {
			case <-ctx.Done():
				return
			case <-r.flows.some:
			}
			last, every = clock.Now(), r.state.Load().sweepEvery()
			t.Reset(every)
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		now := clock.Now()
		// A process that was stopped must not find every flow idle when it goes on:
		// their bytes are waiting.
		passed := min(now.Sub(last), 2*every)
		last, every = now, r.state.Load().sweepEvery()
		r.flows.each(func(f *flow) { f.age(passed) })
		t.Reset(every)
	}
}

func (s *state) sweepEvery() time.Duration {
	shortest := s.table.IdleMin()
	if shortest == 0 || s.drain > 0 && s.drain < shortest {
		shortest = s.drain
	}
	return min(max(shortest/sweepPart, sweepMin), sweepMax)
}

func draw() uint64 { return rand.Uint64() }
