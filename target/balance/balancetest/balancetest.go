// Package balancetest is the contract of package balance: what every algorithm
// must keep, whoever wrote it. A new entry of balance.All is tested by it on the
// day it is added.
package balancetest

import (
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"portico/target/balance"
)

// Epoch is the time at which candidates begin.
var Epoch = time.Unix(1_700_000_000, 0)

// Candidates makes one candidate for each weight, with a load of 0, of which
// nothing is known, and with a key that depends on its index alone.
func Candidates(weights ...int) []balance.Candidate {
	list := make([]balance.Candidate, len(weights))
	for i, w := range weights {
		list[i] = balance.Candidate{Key: balance.Mix(0xcafe, i), Weight: w, Load: new(atomic.Int64), Pace: balance.NewPace(Epoch)}
	}
	return list
}

// Run tests one algorithm.
func Run(t *testing.T, a balance.Algorithm) {
	t.Helper()
	t.Run("described", func(t *testing.T) { described(t, a) })
	t.Run("empty", func(t *testing.T) { empty(t, a) })
	t.Run("single", func(t *testing.T) { single(t, a) })
	if a.Shares == balance.InOrder {
		t.Run("order", func(t *testing.T) { rapid.Check(t, func(r *rapid.T) { order(r, a) }) })
	} else {
		t.Run("shares", func(t *testing.T) { rapid.Check(t, func(r *rapid.T) { shares(r, a) }) })
	}
	t.Run("most", func(t *testing.T) { most(t, a) })
	if a.Loads {
		t.Run("busy", func(t *testing.T) { rapid.Check(t, func(r *rapid.T) { busy(r, a) }) })
	} else {
		t.Run("blind", func(t *testing.T) { rapid.Check(t, func(r *rapid.T) { blind(r, a) }) })
	}
	t.Run("peek", func(t *testing.T) { rapid.Check(t, func(r *rapid.T) { peek(r, a) }) })
	t.Run("explain", func(t *testing.T) { rapid.Check(t, func(r *rapid.T) { explain(r, a) }) })
	t.Run("allocations", func(t *testing.T) { allocations(t, a) })
	t.Run("concurrency", func(t *testing.T) { concurrency(t, a) })
	if _, learns := picker(a, nil).(balance.Observer); learns {
		observers(t, a)
	}
	if a.Hashes {
		t.Run("agreement", func(t *testing.T) { rapid.Check(t, func(r *rapid.T) { agreement(r, a) }) })
		t.Run("disruption", func(t *testing.T) { rapid.Check(t, func(r *rapid.T) { disruption(r, a) }) })
	}
}

// picker builds one with the parameters that a spec without any has.
func picker(a balance.Algorithm, candidates []balance.Candidate) balance.Picker {
	var params any
	if a.Params != nil {
		params = a.Params()
	}
	return a.New(params, candidates)
}

func query() balance.Query {
	return balance.Query{Key: rand.Uint64(), Draw: rand.Uint64(), Now: Epoch}
}

// described proves that the entry can be shown to people.
func described(t *testing.T, a balance.Algorithm) {
	t.Helper()
	if a.Name == "" || a.Summary == "" || a.New == nil {
		t.Errorf("entry %+v: name, summary and New must all be there", a)
	}
}

// empty proves that without candidates there is no choice.
func empty(t *testing.T, a balance.Algorithm) {
	t.Helper()
	p := picker(a, nil)
	if got := p.Pick(query()); got != -1 {
		t.Errorf("Pick of none = %d, want -1", got)
	}
	if got := p.Peek(query()); got != -1 {
		t.Errorf("Peek of none = %d, want -1", got)
	}
}

// single proves that the only candidate is chosen, whatever its load.
func single(t *testing.T, a balance.Algorithm) {
	t.Helper()
	candidates := Candidates(balance.WeightMax)
	p := picker(a, candidates)
	for i := range 100 {
		candidates[0].Load.Store(int64(i) << 20)
		p.Loaded(0)
		if got := p.Pick(query()); got != 0 {
			t.Fatalf("Pick of one = %d, want 0", got)
		}
	}
}

// shares proves that idle candidates are picked as often as their weights say.
func shares(r *rapid.T, a balance.Algorithm) {
	weights := rapid.SliceOfN(rapid.IntRange(1, 20), 1, 30).Draw(r, "weights")
	inShares(r, a, weights, 300*len(weights))
}

// order proves that the first of the idle candidates gets all there is.
func order(r *rapid.T, a balance.Algorithm) {
	p := picker(a, Candidates(rapid.SliceOfN(rapid.IntRange(1, 20), 1, 200).Draw(r, "weights")...))
	for range 50 {
		if got := p.Pick(query()); got != 0 {
			r.Fatalf("Pick of idle ones = %d, want 0", got)
		}
	}
}

// busy proves that one that is busy beyond measure is passed over. None is due
// most of the load, or else a bound in shares of it would not be reached.
func busy(r *rapid.T, a balance.Algorithm) {
	weights := rapid.SliceOfN(rapid.IntRange(1, 3), 3, 30).Draw(r, "weights")
	candidates := Candidates(weights...)
	p := picker(a, candidates)
	at := rapid.IntRange(0, len(weights)-1).Draw(r, "busy")
	candidates[at].Load.Store(1 << 30)
	p.Loaded(at)
	for range 50 {
		if got := p.Pick(query()); got == at {
			r.Fatalf("Pick = %d, which has 2^30 in flight", got)
		}
	}
}

// blind proves of the others that loads change nothing.
func blind(r *rapid.T, a balance.Algorithm) {
	weights := rapid.SliceOfN(rapid.IntRange(1, 20), 1, 30).Draw(r, "weights")
	idle, loaded := Candidates(weights...), Candidates(weights...)
	p1, p2 := picker(a, idle), picker(a, loaded)
	for range 50 {
		q := query()
		got, want := p2.Pick(q), p1.Pick(q)
		if got != want {
			r.Fatalf("Pick = %d of loaded ones, and %d of idle ones", got, want)
		}
		loaded[got].Load.Add(1000)
		p2.Loaded(got)
	}
}

// most proves the same at the limits: the most candidates, and weights as far
// apart as they may be.
func most(t *testing.T, a balance.Algorithm) {
	t.Helper()
	alike := make([]int, balance.CandidatesMax)
	mixed := make([]int, balance.CandidatesMax)
	apart := make([]int, balance.CandidatesMax)
	for i := range alike {
		alike[i], mixed[i], apart[i] = 7, 1+i%10, 1
	}
	apart[balance.CandidatesMax/2] = balance.WeightMax
	few := []int{1, balance.WeightMax, balance.WeightMax}
	if a.Shares == balance.InOrder {
		for _, weights := range [][]int{alike, mixed, apart, few} {
			if got := picker(a, Candidates(weights...)).Pick(query()); got != 0 {
				t.Errorf("Pick of %d = %d, want 0", len(weights), got)
			}
		}
		return
	}
	inShares(t, a, alike, 8*len(alike))
	inShares(t, a, mixed, 8*len(alike))
	inShares(t, a, apart, 8*len(alike))
	inShares(t, a, []int{balance.WeightMax, 1}, 40000)
	inShares(t, a, few, 40000)
}

type failer interface{ Fatalf(string, ...any) }

// inShares picks n times and compares with the weights. The bound is six
// deviations of a random draw, for hashing three slots of a table, and where
// shares are rough half of what is due and some points of a ring.
func inShares(t failer, a balance.Algorithm, weights []int, n int) {
	p := picker(a, Candidates(weights...))
	counts, sum := make([]int, len(weights)), 0
	for _, w := range weights {
		sum += w
	}
	for range n {
		i := p.Pick(query())
		if i < 0 || i >= len(weights) {
			t.Fatalf("Pick among %d = %d", len(weights), i)
		}
		counts[i]++
	}
	for i, w := range weights {
		want := float64(n) * float64(w) / float64(sum)
		bound := 6*math.Sqrt(want) + 3
		if a.Hashes {
			bound += 3 * float64(n) / 65537
		}
		if a.Shares == balance.Roughly {
			bound += want/2 + 10*float64(n)/65537
		}
		if math.Abs(float64(counts[i])-want) > bound {
			t.Fatalf("%d candidates: number %d of weight %d of %d picked %d times of %d, want %.0f±%.0f",
				len(weights), i, w, sum, counts[i], n, want, bound)
		}
	}
}

// peek proves that Peek tells what Pick would do, and does not do it.
func peek(r *rapid.T, a balance.Algorithm) {
	weights := rapid.SliceOfN(rapid.IntRange(1, 5), 1, 8).Draw(r, "weights")
	candidates := Candidates(weights...)
	p, twin := picker(a, candidates), picker(a, candidates)
	for range 50 {
		q := query()
		seen := p.Peek(q)
		p.Peek(query())
		got, want := p.Pick(q), twin.Pick(q)
		if got != want || seen != got {
			r.Fatalf("Peek = %d, then Pick = %d; without peeking Pick = %d", seen, got, want)
		}
		if rapid.Bool().Draw(r, "hold") {
			candidates[got].Load.Add(1)
			p.Loaded(got)
			twin.Loaded(got)
		}
	}
}

// allocations proves that picking leaves no garbage.
func allocations(t *testing.T, a balance.Algorithm) {
	t.Helper()
	candidates := Candidates(1, 2, 3, 4, 5, 6, 7)
	p := picker(a, candidates)
	q := query()
	got := testing.AllocsPerRun(1000, func() {
		q = q.Again(1)
		i := p.Pick(q)
		candidates[i].Load.Add(1)
		p.Loaded(i)
		p.Peek(q)
	})
	if got != 0 {
		t.Errorf("Pick and Loaded allocate %v times", got)
	}
}

// concurrency proves that many may pick at once and that, when all has ended,
// the picker is as good as at the start.
func concurrency(t *testing.T, a balance.Algorithm) {
	t.Helper()
	candidates := Candidates(1, 2, 3, 4, 5)
	p := picker(a, candidates)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 2000 {
				i := p.Pick(query())
				candidates[i].Load.Add(1)
				p.Loaded(i)
				p.Peek(query())
				candidates[i].Load.Add(-1)
				p.Loaded(i)
			}
		})
	}
	all.Wait()
	want := len(candidates)
	if a.Shares == balance.InOrder {
		want = 1
	}
	seen := map[int]bool{}
	for range 1000 {
		seen[p.Pick(query())] = true
	}
	if len(seen) != want || !seen[0] {
		t.Errorf("idle again, %d of %d candidates are picked, want %d", len(seen), len(candidates), want)
	}
}

// agreement proves that two nodes that see the same choose the same, in whatever
// order they list the candidates and whatever they draw.
func agreement(r *rapid.T, a balance.Algorithm) {
	weights := rapid.SliceOfN(rapid.IntRange(1, 20), 1, 50).Draw(r, "weights")
	here := Candidates(weights...)
	for _, c := range here {
		c.Load.Store(rapid.Int64Range(0, 5).Draw(r, "load"))
	}
	there := rapid.Permutation(here).Draw(r, "order")
	p1, p2 := picker(a, here), picker(a, there)
	for range 500 {
		key := rand.Uint64()
		q1, q2 := balance.Query{Key: key, Draw: rand.Uint64()}, balance.Query{Key: key, Draw: rand.Uint64()}
		if k1, k2 := here[p1.Pick(q1)].Key, there[p2.Pick(q2)].Key; k1 != k2 {
			r.Fatalf("key %x goes to %x here and to %x there", key, k1, k2)
		}
	}
}

// disruption proves that when a candidate leaves, few of the keys move that were
// not on it; and, read backwards, the same for one that comes.
func disruption(r *rapid.T, a balance.Algorithm) {
	weights := rapid.SliceOfN(rapid.IntRange(1, 4), 2, 100).Draw(r, "weights")
	before := Candidates(weights...)
	gone := rapid.IntRange(0, len(before)-1).Draw(r, "gone")
	after := append(append([]balance.Candidate{}, before[:gone]...), before[gone+1:]...)
	p1, p2 := picker(a, before), picker(a, after)
	const keys, movedMax = 3000, 0.05
	moved, stayed := 0, 0
	for range keys {
		q := query()
		was, is := before[p1.Pick(q)].Key, after[p2.Pick(q)].Key
		switch was {
		case before[gone].Key:
		case is:
			stayed++
		default:
			moved++
		}
	}
	if float64(moved) > movedMax*keys {
		r.Fatalf("%d of %d keys moved from candidates that stayed, when one of %d left", moved, moved+stayed, len(before))
	}
}
