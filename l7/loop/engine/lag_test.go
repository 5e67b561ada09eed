package engine

import (
	"testing"
	"time"

	"portico/l7/loop"
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

// TestSee proves that timers fire no further than what was ready has been looked at,
// up to the bound.
func TestSee(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	w := &worker{poll: still{}, seen: now, now: now}
	_, err := w.watch(0, true, &told{all: &[]*told{}})
	if err != nil {
		t.Fatal(err)
	}
	later := func(d time.Duration) time.Time { w.now = now.Add(d); return w.now }
	if at := later(time.Millisecond); true {
		if w.see(at); !w.seen.Equal(at) {
			t.Errorf("with nothing that waits: up to %v", w.seen.Sub(now))
		}
	}
	w.queue.push(queued{loop.Token(1), w.now})
	since := w.now
	if w.see(later(500 * time.Millisecond)); !w.seen.Equal(since) {
		t.Errorf("with a client that waits: up to %v", w.seen.Sub(now))
	}
	if w.see(later(3 * time.Second)); !w.seen.Equal(w.now.Add(-lateMax)) {
		t.Errorf("with one that waits for long: up to %v", w.seen.Sub(now))
	}
	w.queue.pop()
	if at := later(4 * time.Second); true {
		if w.see(at); !w.seen.Equal(at) {
			t.Errorf("when it was looked at: up to %v", w.seen.Sub(now))
		}
	}
}
