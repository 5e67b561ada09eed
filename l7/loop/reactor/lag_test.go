package reactor

import (
	"testing"
	"time"
)

// TestLagMean proves that the lag is a mean over time: one pause says little, pauses
// without end are what it is, and a loop that waits is not late, for whoever looks.
func TestLagMean(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	l := lag{at: now}
	turn := func(length time.Duration) {
		now = now.Add(length)
		l.note(length, now)
		l.tell()
	}
	turn(50 * time.Millisecond)
	if l.mean != 10*time.Millisecond {
		t.Errorf("after one pause of 50ms: %v, want a fifth of it", l.mean)
	}
	for range 100 {
		turn(50 * time.Millisecond)
	}
	if l.mean < 49*time.Millisecond || l.mean > 50*time.Millisecond || l.seen(now) != l.mean {
		t.Errorf("after many: %v, %v to others", l.mean, l.seen(now))
	}
	if half := l.seen(now.Add(lagOver / 2)); half < 24*time.Millisecond || half > 25*time.Millisecond {
		t.Errorf("to others, while the loop waits: %v", half)
	}
	now = now.Add(time.Minute)
	if l.note(0, now); l.mean != 0 || l.seen(now) != 0 {
		t.Errorf("after a rest: %v, %v to others", l.mean, l.seen(now))
	}
}
