// Package bucket bounds how often something comes: the arithmetic of a rate, and the
// bucket that connections of a listener share, one for all event loops of a node and
// without a lock.
//
// What comes in: a rate, and the time of the caller. What goes out: whether there is
// room for one more. It reads no clock, and knows nothing of clients. Start reading at
// Rate, then Bucket.
package bucket

import (
	"math"
	"sync/atomic"
	"time"

	"portico/spec"
)

// Bucket lets through so many connections a second in the long run, and so many
// at once. Its state is the one instant of its Rate, so that several goroutines may
// take from it. A nil Bucket lets everything through.
type Bucket struct {
	of    spec.ConnectionRate
	rate  Rate
	start time.Time // that instants are counted from: differences do not jump with the wall clock
	full  atomic.Int64
}

// Keep returns the bucket of a rate: b, with what was taken from it, where that is
// its rate, and a full one otherwise; nil for no rate.
func (b *Bucket) Keep(rate *spec.ConnectionRate, now time.Time) *Bucket {
	switch {
	case rate == nil:
		return nil
	case b != nil && b.of == *rate:
		return b
	}
	made := &Bucket{of: *rate, rate: NewRate(rate.PerSecond, time.Second, rate.AtOnce()), start: now}
	made.full.Store(math.MinInt64) // for a loop whose time is a little behind, too
	return made
}

// Take reports whether one more may come now, and counts it if so. What is refused
// uses nothing up.
func (b *Bucket) Take(now time.Time) bool {
	if b == nil {
		return true
	}
	at := now.Sub(b.start)
	for {
		full := b.full.Load()
		next, a := b.rate.Step(time.Duration(full), at)
		if !a.OK {
			return false
		}
		if b.full.CompareAndSwap(full, int64(next)) {
			return true
		}
	}
}
