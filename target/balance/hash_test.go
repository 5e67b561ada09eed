package balance_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"portico/target/balance"
	"portico/target/balance/balancetest"
)

// TestHashesPinned proves that picks are what they were in the versions that
// nodes already run: two versions side by side must agree.
func TestHashesPinned(t *testing.T) {
	tests := []struct {
		name    string
		weights []int
		want    []int
	}{
		{"maglev", []int{1, 2, 3, 4}, []int{0, 1, 0, 2, 1, 1, 3, 3, 3, 3, 3, 3, 0, 2, 2, 1}},
		{"rendezvous", []int{1, 2, 3, 4}, []int{2, 3, 0, 3, 3, 2, 1, 1, 2, 1, 3, 2, 2, 2, 3, 1}},
		{"rendezvous", []int{1, 1, 1, 1}, []int{2, 3, 0, 3, 1, 2, 1, 1, 2, 1, 3, 2, 2, 2, 0, 1}},
		{"ring-hash", []int{1, 2, 3, 4}, []int{0, 1, 1, 1, 2, 0, 3, 3, 0, 3, 3, 0, 0, 3, 2, 3}},
		{"ring-hash", []int{100, 200, 300, 400}, []int{0, 3, 1, 2, 3, 3, 3, 3, 2, 0, 2, 1, 2, 2, 2, 3}},
	}
	for _, tt := range tests {
		p := pickerOf(t, tt.name, balancetest.Candidates(tt.weights...))
		var got []int
		for i := range 16 {
			got = append(got, p.Pick(balance.Query{Key: balance.Mix(1, i)}))
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s with weights %v picks %v, want %v", tt.name, tt.weights, got, tt.want)
		}
	}
}

// TestHashesMoveLeast proves that when one leaves only its own keys move, and
// that they spread over the others by weight.
func TestHashesMoveLeast(t *testing.T) {
	for _, name := range []string{"rendezvous", "ring-hash"} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(r *rapid.T) {
				weights := rapid.SliceOfN(rapid.IntRange(1, 5), 2, 40).Draw(r, "weights")
				gone := rapid.IntRange(0, len(weights)-1).Draw(r, "gone")
				all := balancetest.Candidates(weights...)
				rest := slices.Delete(slices.Clone(all), gone, gone+1)
				before, after := pickerOf(t, name, all), pickerOf(t, name, rest)
				for range 500 {
					q := balance.Query{Key: rand.Uint64()}
					was, is := before.Pick(q), all[gone].Key
					if now := after.Pick(q); now >= 0 {
						is = rest[now].Key
					}
					if was != gone && all[was].Key != is {
						r.Fatalf("key %x moved from %d, which stayed", q.Key, was)
					}
				}
			})
		})
	}
}

// TestRendezvousShares proves that shares are by weight to a part in two hundred,
// which the contract is too coarse to see, and that a changed weight moves keys
// one way only.
func TestRendezvousShares(t *testing.T) {
	weights := []int{1, 2, 3, 10}
	p := pickerOf(t, "rendezvous", balancetest.Candidates(weights...))
	weights[3] = 20
	heavier := pickerOf(t, "rendezvous", balancetest.Candidates(weights...))
	const keys = 400_000
	counts, moved := make([]int, 4), 0
	for i := range keys {
		q := balance.Query{Key: balance.Mix(7, i)}
		was, is := p.Pick(q), heavier.Pick(q)
		counts[was]++
		if was == is {
			continue
		}
		if moved++; is != 3 {
			t.Fatalf("key %x moved to %d, when 3 got heavier", q.Key, is)
		}
	}
	for i, share := range []float64{1. / 16, 2. / 16, 3. / 16, 10. / 16} {
		if got := float64(counts[i]) / keys; math.Abs(got-share) > 0.003 {
			t.Errorf("share of %d is %.4f, want %.4f", i, got, share)
		}
	}
	if got, want := float64(moved)/keys, 20./26-10./16; math.Abs(got-want) > 0.003 {
		t.Errorf("%.4f of the keys moved, want %.4f", got, want)
	}
}

// TestRendezvousAlike proves that equal weights choose as no weights do, so that
// a group whose one different target leaves does not reshuffle the rest.
func TestRendezvousAlike(t *testing.T) {
	plain := pickerOf(t, "rendezvous", alike(50))
	odd := alike(51)
	odd[50].Weight = 2
	weighted := pickerOf(t, "rendezvous", odd)
	for i := range 100_000 {
		q := balance.Query{Key: balance.Mix(3, i)}
		if was := weighted.Pick(q); was != 50 && was != plain.Pick(q) {
			t.Fatalf("key %x is on %d, and on %d without the odd one", q.Key, was, plain.Pick(q))
		}
	}
}

// TestRingHashBound proves that whatever begins and ends, no pick takes a
// candidate above its bound, ⌈loadMax% · (m+1) · w/W⌉ of m in flight.
func TestRingHashBound(t *testing.T) {
	a, _ := balance.Lookup("ring-hash")
	rapid.Check(t, func(r *rapid.T) {
		weights := rapid.SliceOfN(rapid.IntRange(1, 9), 1, 20).Draw(r, "weights")
		loadMax := rapid.IntRange(101, 300).Draw(r, "loadMax")
		hot := rapid.IntRange(1, 5).Draw(r, "keys")
		candidates, sum := balancetest.Candidates(weights...), 0
		for _, w := range weights {
			sum += w
		}
		p := a.New(&balance.RingHash{LoadMax: loadMax}, candidates)
		held := 0
		for range rapid.IntRange(1, 400).Draw(r, "steps") {
			if i := rand.IntN(len(weights)); rand.IntN(3) == 0 && candidates[i].Load.Load() > 0 {
				candidates[i].Load.Add(-1)
				p.Loaded(i)
				held--
				continue
			}
			i := p.Pick(balance.Query{Key: uint64(rand.IntN(hot))})
			limit := int64(math.Ceil(float64(loadMax*(held+1)*weights[i]) / float64(100*sum)))
			if got := candidates[i].Load.Add(1); got > limit {
				r.Fatalf("candidate %d of weight %d of %d holds %d of %d, bound %d", i, weights[i], sum, got, held+1, limit)
			}
			p.Loaded(i)
			held++
		}
	})
}

// TestRingHashStays proves that a key has one home, is moved on along the ring
// while that is full, and comes back after.
func TestRingHashStays(t *testing.T) {
	candidates := alike(10)
	p := pickerOf(t, "ring-hash", candidates)
	hold := func(i int, by int64) {
		candidates[i].Load.Add(by)
		p.Loaded(i)
	}
	for i := range candidates {
		hold(i, 8)
	}
	q := balance.Query{Key: 42}
	home := p.Pick(q)
	hold(home, 2)
	if p.Pick(q) != home {
		t.Error("the key left its home, which holds 10 of 11")
	}
	hold(home, 1) // the mean is 8.3: 11 is the bound
	next := p.Pick(q)
	if next == home || p.Pick(q) != next {
		t.Errorf("from a full home the key goes to %d, then to %d", next, p.Pick(q))
	}
	hold(home, -1)
	if p.Pick(q) != home {
		t.Error("the key did not come back to its home")
	}
}

// TestRingHashMoves proves the bound where the ring has fewer points than it
// would like: one that leaves moves at most about twice the keys it must.
func TestRingHashMoves(t *testing.T) {
	const n, keys = 1000, 50_000
	all := alike(n)
	before, after := pickerOf(t, "ring-hash", all), pickerOf(t, "ring-hash", all[:n-50])
	gone, moved := 0, 0
	for i := range keys {
		q := balance.Query{Key: balance.Mix(9, i)}
		switch was := before.Pick(q); {
		case was >= n-50:
			gone++
		case was != after.Pick(q):
			moved++
		}
	}
	if moved > gone {
		t.Errorf("%d keys were on those that left, and %d others moved", gone, moved)
	}
}
