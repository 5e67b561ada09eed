package engine

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// fire is a function that is told of a timer.
type fire func()

func (f fire) expired() { f() }

var wheelEpoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// TestWheel proves that timers fire in order, never early, at most a tick late
// after the time was told, wherever they were moved before.
func TestWheel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var w wheel
		now := wheelEpoch
		w.init(now)
		waits := rapid.SampledFrom([]time.Duration{
			0, time.Millisecond, tick, 63 * tick, 64 * tick, 65 * tick, 4095 * tick, 4096 * tick, time.Minute, time.Hour, 200 * 24 * time.Hour,
		})
		timers := make([]timer, 20)
		due := make([]time.Time, len(timers)) // zero: not started
		for i := range timers {
			timers[i].who = fire(func() {
				if due[i].IsZero() {
					t.Fatalf("timer %d fired and is not started", i)
				}
				if fired := w.epoch.Add(time.Duration(w.now) * tick); fired.Before(due[i]) {
					t.Fatalf("timer %d fired at %v, before %v", i, fired, due[i])
				}
				due[i] = time.Time{}
			})
		}
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			i := rapid.IntRange(0, len(timers)-1).Draw(t, "timer")
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0:
				w.stop(&timers[i])
				due[i] = time.Time{}
			case 1:
				due[i] = now.Add(waits.Draw(t, "wait") + waits.Draw(t, "more"))
				w.start(&timers[i], due[i])
			case 2:
				now = now.Add(waits.Draw(t, "passes"))
				w.advance(now)
			case 3:
				if next := w.next(); !next.IsZero() {
					now = slices.MaxFunc([]time.Time{now, next}, time.Time.Compare)
					w.advance(now)
				}
			}
			for i := range due {
				if !due[i].IsZero() && now.Sub(due[i]) > tick {
					t.Fatalf("timer %d is late: due %v, now %v", i, due[i], now)
				}
			}
		}
	})
}

// TestWheelNext proves that next names a time no later than the first timer needs,
// and none when there is no timer, so that a loop can sleep until then.
func TestWheelNext(t *testing.T) {
	var w wheel
	w.init(wheelEpoch)
	if next := w.next(); !next.IsZero() {
		t.Errorf("next() of an empty wheel = %v, want never", next)
	}
	fired := 0
	x := timer{who: fire(func() { fired++ })}
	at := wheelEpoch.Add(90 * time.Minute)
	w.start(&x, at)
	wakes := 0
	for fired == 0 {
		next := w.next()
		if next.IsZero() || next.After(at.Add(tick)) {
			t.Fatalf("next() = %v with a timer at %v", next, at)
		}
		w.advance(next)
		if wakes++; wakes > levels {
			t.Fatalf("still waiting after %d wakes", wakes)
		}
	}
	if next := w.next(); !next.IsZero() {
		t.Errorf("next() = %v after the only timer fired", next)
	}
}

// TestWheelFromFire proves that what fires may start and stop others, itself too.
func TestWheelFromFire(t *testing.T) {
	var w wheel
	w.init(wheelEpoch)
	var order []string
	var a, b, c timer
	a.who = fire(func() {
		order = append(order, "a")
		w.stop(&b)
		if len(order) < 3 {
			w.start(&a, wheelEpoch) // late already: in the next tick
		}
	})
	b.who = fire(func() { order = append(order, "b") })
	c.who = fire(func() { order = append(order, "c") })
	w.start(&c, wheelEpoch.Add(10*tick))
	w.start(&b, wheelEpoch.Add(5*tick))
	w.start(&a, wheelEpoch.Add(5*tick))
	w.advance(wheelEpoch.Add(time.Hour))
	if want := []string{"a", "a", "a", "c"}; !slices.Equal(order, want) {
		t.Errorf("fired %v, want %v", order, want)
	}
}

func BenchmarkWheel(b *testing.B) {
	var w wheel
	w.init(wheelEpoch)
	timers := make([]timer, 10000)
	for i := range timers {
		w.start(&timers[i], wheelEpoch.Add(time.Duration(i)*time.Millisecond+time.Minute))
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		w.start(&timers[i%len(timers)], wheelEpoch.Add(time.Duration(i%1000)*time.Millisecond+time.Minute))
	}
}
