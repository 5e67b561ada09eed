package reactor

import (
	"sync/atomic"
	"time"
)

// lagOver is the time over which a loop's lag is a mean: a pause of the garbage
// collector is not a loop that is late.
const lagOver = 250 * time.Millisecond

// lag is how late a loop is: how long what becomes ready waits until it is looked at.
type lag struct {
	mean time.Duration
	at   time.Time // until when it is the mean

	told   atomic.Int64 // mean, for other goroutines
	toldAt atomic.Int64 // at, in Unix nanoseconds
}

// note takes what the lag was until a time.
func (l *lag) note(was time.Duration, now time.Time) {
	weight := min(1, float64(now.Sub(l.at))/float64(lagOver))
	l.mean += time.Duration(float64(was-l.mean) * weight)
	l.at = now
}

// tell lets other goroutines know.
func (l *lag) tell() {
	l.told.Store(int64(l.mean))
	l.toldAt.Store(l.at.UnixNano())
}

// seen is the lag at a time, for any goroutine. A loop that waits since is not late.
func (l *lag) seen(now time.Time) time.Duration {
	waits := time.Duration(now.UnixNano() - l.toldAt.Load())
	rest := max(0, 1-float64(waits)/float64(lagOver))
	return time.Duration(float64(l.told.Load()) * min(1, rest))
}

// Lag is how late the loop is, for what it calls.
func (l *Loop) Lag() time.Duration { return l.lag.mean }

// LagAt is how late the loop is at a time, for any goroutine.
func (l *Loop) LagAt(now time.Time) time.Duration { return l.lag.seen(now) }
