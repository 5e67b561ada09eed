// Package bucket holds connections of a listener to a rate: one bucket for all
// event loops of a node, without a lock.
//
// What comes in: the rate that a spec asks for, and the time of a loop. What goes
// out: whether there is room for one connection more. It reads no clock, and knows
// nothing of clients. Start reading at Bucket.
package bucket

import (
	"math"
	"sync/atomic"
	"time"

	"portico/spec"
)

// Bucket lets through so many connections a second in the long run, and so many
// at once. Its state is one instant, when it is full again (the generic cell rate
// algorithm, ITU-T I.371, as virtual scheduling), so that several goroutines may
// take from it. A nil Bucket lets everything through.
type Bucket struct {
	rate  spec.ConnectionRate
	every int64 // nanoseconds until one more may come
	room  int64 // every, times those that may come at once

	start time.Time // that instants are counted from: differences do not jump with the wall clock
	full  atomic.Int64
}

// Keep returns the bucket of a rate: b, with what was taken from it, where that is
// its rate, and a full one otherwise; nil for no rate.
func (b *Bucket) Keep(rate *spec.ConnectionRate, now time.Time) *Bucket {
	switch {
	case rate == nil:
		return nil
	case b != nil && b.rate == *rate:
		return b
	}
	every := max(int64(time.Second)/int64(max(rate.PerSecond, 1)), 1)
	made := &Bucket{rate: *rate, every: every, room: every * int64(max(rate.AtOnce(), 1)), start: now}
	made.full.Store(math.MinInt64) // for a loop whose time is a little behind, too
	return made
}

// Take reports whether one more may come now, and counts it if so. What is refused
// uses nothing up.
func (b *Bucket) Take(now time.Time) bool {
	if b == nil {
		return true
	}
	at := int64(now.Sub(b.start))
	for {
		full := b.full.Load()
		next := max(full, at) + b.every
		if next-at > b.room {
			return false
		}
		if b.full.CompareAndSwap(full, next) {
			return true
		}
	}
}
