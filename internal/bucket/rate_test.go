package bucket_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"portico/internal/bucket"
)

// A bucket gives its burst at once and then one request each interval, and says
// how much is left and how long to wait.
func TestRateSteps(t *testing.T) {
	r := bucket.NewRate(10, time.Second, 3) // one each 100 ms, three at once
	tests := []struct {
		at   time.Duration
		want bucket.Answer
	}{
		{0, bucket.Answer{OK: true, Left: 2, Full: 100 * time.Millisecond}},
		{0, bucket.Answer{OK: true, Left: 1, Full: 200 * time.Millisecond}},
		{0, bucket.Answer{OK: true, Left: 0, Full: 300 * time.Millisecond}},
		{0, bucket.Answer{Full: 300 * time.Millisecond, Retry: 100 * time.Millisecond}},
		{40 * time.Millisecond, bucket.Answer{Full: 260 * time.Millisecond, Retry: 60 * time.Millisecond}},
		{100 * time.Millisecond, bucket.Answer{OK: true, Full: 300 * time.Millisecond}},
		{100 * time.Millisecond, bucket.Answer{Full: 300 * time.Millisecond, Retry: 100 * time.Millisecond}},
		{time.Hour, bucket.Answer{OK: true, Left: 2, Full: 100 * time.Millisecond}},
	}
	var full time.Duration
	for i, tt := range tests {
		peek := r.Peek(full, tt.at)
		var got bucket.Answer
		if full, got = r.Step(full, tt.at); got != tt.want {
			t.Errorf("step %d at %v: %+v, want %+v", i, tt.at, got, tt.want)
		}
		if peek.OK != got.OK || peek.OK && peek.Left != got.Left+1 || !peek.OK && peek != got {
			t.Errorf("step %d at %v: Peek = %+v, then Step = %+v", i, tt.at, peek, got)
		}
	}
}

// The least rate there is has room for one request and not for a second.
func TestRateLeast(t *testing.T) {
	r := bucket.NewRate(0, 0, 0)
	full, a := r.Step(0, 5)
	if !a.OK || a.Left != 0 {
		t.Errorf("the first is %+v", a)
	}
	if _, a = r.Step(full, 5); a.OK {
		t.Errorf("the second is %+v", a)
	}
}

// However requests come, never more than the burst and what the rate makes of the
// time pass; whoever waits as long as told does; nothing is taken by a refusal.
func TestRateProperties(t *testing.T) {
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		requests, burst := 1+rnd.IntN(50), 1+rnd.IntN(60)
		per := time.Duration(1+rnd.IntN(5)) * time.Second
		r := bucket.NewRate(requests, per, burst)
		var full, now, first time.Duration
		passed := 0
		for range 500 {
			now += time.Duration(rnd.ExpFloat64() * float64(per) / float64(requests) / 2)
			before := full
			var a bucket.Answer
			full, a = r.Step(full, now)
			switch {
			case a.OK:
				if passed++; passed == 1 {
					first = now
				}
			case full != before:
				t.Fatalf("seed %d: a refusal took something", seed)
			case a.Retry <= 0:
				t.Fatalf("seed %d: refused, and told to retry after %v", seed, a.Retry)
			default:
				if _, early := r.Step(full, now+a.Retry-1); early.OK {
					t.Fatalf("seed %d: passes before the time that was told", seed)
				}
				if _, then := r.Step(full, now+a.Retry); !then.OK {
					t.Fatalf("seed %d: refused after waiting as long as told", seed)
				}
			}
			if a.Left < 0 || a.Left > burst || a.Full < 0 {
				t.Fatalf("seed %d: answer %+v with a burst of %d", seed, a, burst)
			}
			every := per / time.Duration(requests)
			if most := burst + int((now-first)/every) + 1; passed > most {
				t.Fatalf("seed %d: %d passed in %v, at most %d may", seed, passed, now-first, most)
			}
		}
	}
}
