package balancetest

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"portico/target/balance"
)

// observers tests an algorithm that learns from outcomes.
func observers(t *testing.T, a balance.Algorithm) {
	t.Helper()
	slow := balance.Outcome{Took: 500 * time.Millisecond}
	hung := balance.Outcome{Took: 500 * time.Millisecond, Least: true}
	failing := balance.Outcome{Took: time.Microsecond, Failed: true}
	for name, o := range map[string]balance.Outcome{"slow": slow, "hung": hung, "failing": failing} {
		t.Run(name, func(t *testing.T) { rapid.Check(t, func(r *rapid.T) { avoided(r, a, o) }) })
	}
	t.Run("observing", func(t *testing.T) { observing(t, a) })
	t.Run("racing", func(t *testing.T) { racing(t, a) })
}

// avoided proves that a candidate whose outcomes are bad gets less than half of
// its share while others answer in milliseconds, that a new picker knows it, and
// that much later all is forgotten.
func avoided(r *rapid.T, a balance.Algorithm, bad balance.Outcome) {
	n := rapid.IntRange(3, 20).Draw(r, "n")
	weights := make([]int, n)
	for i := range weights {
		weights[i] = 1 + rand.IntN(3)
	}
	candidates := Candidates(weights...)
	at := rapid.IntRange(0, n-1).Draw(r, "bad")
	p := picker(a, candidates).(balance.Observer)
	now := Epoch
	for range 20 {
		now = now.Add(50 * time.Millisecond)
		for i := range candidates {
			o := balance.Outcome{Now: now, Took: time.Duration(2+rand.IntN(3)) * time.Millisecond}
			if i == at {
				o = bad
				o.Now = now
			}
			p.Observed(i, o)
		}
	}
	// As many picks as give it this many when it gets its share: half of that away
	// is more than six deviations.
	const due = 160
	sum := 0
	for _, w := range weights {
		sum += w
	}
	share := func(p balance.Picker, now time.Time) float64 {
		count := 0
		for range due * sum / weights[at] {
			if p.Pick(balance.Query{Key: rand.Uint64(), Draw: rand.Uint64(), Now: now}) == at {
				count++
			}
		}
		return float64(count) / due
	}
	for name, p := range map[string]balance.Picker{"it": p, "a new picker": picker(a, candidates)} {
		if got := share(p, now); got > 0.5 {
			r.Fatalf("the candidate with bad outcomes still gets %.2f of its share by %s", got, name)
		}
	}
	if got := share(p, now.Add(time.Hour)); got < 0.5 || got > 1.5 {
		r.Fatalf("an hour later it gets %.2f of its share", got)
	}
}

// observing proves that learning leaves no garbage.
func observing(t *testing.T, a balance.Algorithm) {
	t.Helper()
	p := picker(a, Candidates(1, 2, 3)).(balance.Observer)
	o := balance.Outcome{Now: Epoch, Took: time.Millisecond}
	got := testing.AllocsPerRun(1000, func() {
		o.Now, o.Failed = o.Now.Add(time.Millisecond), !o.Failed
		p.Observed(1, o)
		p.Pick(balance.Query{Draw: rand.Uint64(), Now: o.Now})
	})
	if got != 0 {
		t.Errorf("Observed and Pick allocate %v times", got)
	}
}

// racing proves that outcomes may come from many at once, and not in order.
func racing(t *testing.T, a balance.Algorithm) {
	t.Helper()
	candidates := Candidates(1, 1, 1)
	p := picker(a, candidates).(balance.Observer)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 2000 {
				now := Epoch.Add(time.Duration(rand.IntN(int(time.Minute))))
				i := p.Pick(balance.Query{Key: rand.Uint64(), Draw: rand.Uint64(), Now: now})
				p.Observed(i, balance.Outcome{Now: now, Took: time.Duration(rand.IntN(1000)) * time.Millisecond, Failed: rand.IntN(3) == 0})
			}
		})
	}
	all.Wait()
	seen := map[int]bool{}
	for range 1000 {
		seen[p.Pick(balance.Query{Key: rand.Uint64(), Draw: rand.Uint64(), Now: Epoch.Add(time.Hour)})] = true
	}
	if len(seen) != len(candidates) {
		t.Errorf("an hour later %d of %d candidates are picked", len(seen), len(candidates))
	}
}
