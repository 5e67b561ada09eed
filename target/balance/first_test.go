package balance_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"portico/spec"
	"portico/target/balance"
	"portico/target/balance/balancetest"
)

// TestFirstFills proves that targets fill in the order of the list, each up to
// its limit for its weight, and that what ends makes room again at the front.
func TestFirstFills(t *testing.T) {
	a, _ := balance.Lookup("first")
	candidates := balancetest.Candidates(1, 2, 1)
	p := a.New(&balance.First{Limit: 2}, candidates)
	take := func() int {
		i := p.Pick(balance.Query{Draw: rand.Uint64()})
		candidates[i].Load.Add(1)
		p.Loaded(i)
		return i
	}
	var got []int
	for range 8 {
		got = append(got, take())
	}
	if want := []int{0, 0, 1, 1, 1, 1, 2, 2}; !slices.Equal(got, want) {
		t.Errorf("picks %v, want %v", got, want)
	}
	candidates[1].Load.Add(-1)
	p.Loaded(1)
	if got := take(); got != 1 {
		t.Errorf("with room on 1, Pick = %d", got)
	}
	// All are full: none is refused, and all get some of it.
	counts := make([]int, 3)
	for range 400 {
		counts[take()]++
	}
	for i, want := range []int{100, 200, 100} {
		if counts[i] < want-20 || counts[i] > want+20 {
			t.Errorf("above the limits %v were taken, want about 100, 200, 100", counts)
			break
		}
	}
}

// TestFirstLimit proves that a limit of the caller's is one for the algorithm too.
func TestFirstLimit(t *testing.T) {
	candidates := balancetest.Candidates(1, 1)
	candidates[0].Limit = 3
	p := pickerOf(t, "first", candidates)
	for load, want := range []int{0, 0, 0, 1} {
		candidates[0].Load.Store(int64(load))
		p.Loaded(0)
		if got := p.Pick(balance.Query{}); got != want {
			t.Errorf("with %d of 3 in flight Pick = %d, want %d", load, got, want)
		}
	}
}

// TestFirstScan proves of any number of candidates and loads that the first with
// room is found.
func TestFirstScan(t *testing.T) {
	a, _ := balance.Lookup("first")
	rapid.Check(t, func(r *rapid.T) {
		n := rapid.IntRange(1, 300).Draw(r, "n")
		candidates := alike(n)
		p := a.New(&balance.First{Limit: 5}, candidates)
		full := rapid.IntRange(0, n).Draw(r, "full")
		for i := range full {
			candidates[i].Load.Store(int64(rapid.IntRange(5, 9).Draw(r, "load")))
			p.Loaded(i)
		}
		if got := p.Pick(balance.Query{Draw: rand.Uint64()}); full < n && got != full {
			r.Fatalf("Pick = %d, want %d of %d", got, full, n)
		}
	})
}

// TestParams proves that parameters refuse what cannot work, and that those of a
// spec without any can.
func TestParams(t *testing.T) {
	for _, a := range balance.All() {
		if a.Params == nil {
			continue
		}
		if ps := a.Params().(spec.Checker).Check(); len(ps) > 0 {
			t.Errorf("%s: the defaults have problems: %v", a.Name, ps)
		}
	}
	for _, bad := range []spec.Checker{
		&balance.First{}, &balance.RingHash{LoadMax: 100},
		&balance.Hash{Key: spec.HashKey{Header: "x y"}}, &balance.RingHash{LoadMax: 125, Hash: balance.Hash{Key: spec.HashKey{Cookie: "a;b"}}},
	} {
		if len(bad.Check()) == 0 {
			t.Errorf("%T %+v has no problem", bad, bad)
		}
	}
}
