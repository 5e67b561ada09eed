package wheel

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// fire is a function that is told of a timer.
type fire func()

func (f fire) Expired() { f() }

var wheelEpoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// TestWheel proves that timers fire in order, never early, at most a tick late
// after the time was told, wherever they were moved before.
func TestWheel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var w Wheel
		now := wheelEpoch
		w.Init(now)
		waits := rapid.SampledFrom([]time.Duration{
			0, time.Millisecond, Tick, 63 * Tick, 64 * Tick, 65 * Tick, 4095 * Tick, 4096 * Tick, time.Minute, time.Hour, 200 * 24 * time.Hour,
		})
		timers := make([]Timer, 20)
		due := make([]time.Time, len(timers)) // zero: not started
		for i := range timers {
			timers[i].Who = fire(func() {
				if due[i].IsZero() {
					t.Fatalf("timer %d fired and is not started", i)
				}
				if fired := w.epoch.Add(time.Duration(w.now) * Tick); fired.Before(due[i]) {
					t.Fatalf("timer %d fired at %v, before %v", i, fired, due[i])
				}
				due[i] = time.Time{}
			})
		}
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			i := rapid.IntRange(0, len(timers)-1).Draw(t, "timer")
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0:
				w.Stop(&timers[i])
				due[i] = time.Time{}
			case 1:
				due[i] = now.Add(waits.Draw(t, "wait") + waits.Draw(t, "more"))
				w.Start(&timers[i], due[i])
			case 2:
				now = now.Add(waits.Draw(t, "passes"))
				w.Advance(now)
			case 3:
				if next := w.Next(); !next.IsZero() {
					now = slices.MaxFunc([]time.Time{now, next}, time.Time.Compare)
					w.Advance(now)
				}
			}
			for i := range due {
				if !due[i].IsZero() && now.Sub(due[i]) > Tick {
					t.Fatalf("timer %d is late: due %v, now %v", i, due[i], now)
				}
			}
		}
	})
}

// TestWheelNext proves that Next names a time no later than the first timer needs,
// and none when there is no timer, so that a loop can sleep until then.
func TestWheelNext(t *testing.T) {
	var w Wheel
	w.Init(wheelEpoch)
	if next := w.Next(); !next.IsZero() {
		t.Errorf("Next() of an empty wheel = %v, want never", next)
	}
	fired := 0
	x := Timer{Who: fire(func() { fired++ })}
	at := wheelEpoch.Add(90 * time.Minute)
	w.Start(&x, at)
	wakes := 0
	for fired == 0 {
		next := w.Next()
		if next.IsZero() || next.After(at.Add(Tick)) {
			t.Fatalf("Next() = %v with a timer at %v", next, at)
		}
		w.Advance(next)
		if wakes++; wakes > levels {
			t.Fatalf("still waiting after %d wakes", wakes)
		}
	}
	if next := w.Next(); !next.IsZero() {
		t.Errorf("Next() = %v after the only timer fired", next)
	}
}

// TestWheelFromFire proves that what fires may start and stop others, itself too.
func TestWheelFromFire(t *testing.T) {
	var w Wheel
	w.Init(wheelEpoch)
	var order []string
	var a, b, c Timer
	a.Who = fire(func() {
		order = append(order, "a")
		w.Stop(&b)
		if len(order) < 3 {
			w.Start(&a, wheelEpoch) // late already: in the next tick
		}
	})
	b.Who = fire(func() { order = append(order, "b") })
	c.Who = fire(func() { order = append(order, "c") })
	w.Start(&c, wheelEpoch.Add(10*Tick))
	w.Start(&b, wheelEpoch.Add(5*Tick))
	w.Start(&a, wheelEpoch.Add(5*Tick))
	w.Advance(wheelEpoch.Add(time.Hour))
	if want := []string{"a", "a", "a", "c"}; !slices.Equal(order, want) {
		t.Errorf("fired %v, want %v", order, want)
	}
}

func BenchmarkWheel(b *testing.B) {
	var w Wheel
	w.Init(wheelEpoch)
	timers := make([]Timer, 10000)
	for i := range timers {
		w.Start(&timers[i], wheelEpoch.Add(time.Duration(i)*time.Millisecond+time.Minute))
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		w.Start(&timers[i%len(timers)], wheelEpoch.Add(time.Duration(i%1000)*time.Millisecond+time.Minute))
	}
}
