package balance_test

import (
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"testing"

	"portico/target/balance"
	"portico/target/balance/balancetest"
)

// TestContract proves that every algorithm keeps the contract.
func TestContract(t *testing.T) {
	for _, a := range balance.All() {
		t.Run(a.Name, func(t *testing.T) { balancetest.Run(t, a) })
	}
}

// TestTable proves that the table has no name twice, finds each entry and the
// default, and is what config decodes with.
func TestTable(t *testing.T) {
	all, kinds := balance.All(), balance.Kinds()
	if len(kinds) != len(all) {
		t.Fatalf("%d kinds of %d algorithms", len(kinds), len(all))
	}
	for i, a := range all {
		if slices.IndexFunc(all, func(b balance.Algorithm) bool { return b.Name == a.Name }) != i {
			t.Errorf("%q is in the table twice", a.Name)
		}
		if got, ok := balance.Lookup(a.Name); !ok || got.Name != a.Name {
			t.Errorf("Lookup(%q) = %q, %v", a.Name, got.Name, ok)
		}
		if kinds[i].Name != a.Name || kinds[i].Summary != a.Summary {
			t.Errorf("kind %d is %q, want %q", i, kinds[i].Name, a.Name)
		}
	}
	if _, ok := balance.Lookup(balance.Default); !ok {
		t.Errorf("the default %q is not in the table", balance.Default)
	}
	if _, ok := balance.Lookup("least-con"); ok {
		t.Error(`Lookup("least-con") found something`)
	}
}

func pickerOf(t *testing.T, name string, candidates []balance.Candidate) balance.Picker {
	t.Helper()
	a, ok := balance.Lookup(name)
	if !ok {
		t.Fatalf("no algorithm %q", name)
	}
	return build(a, candidates)
}

// build makes a picker with the parameters that a spec without any has.
func build(a balance.Algorithm, candidates []balance.Candidate) balance.Picker {
	if a.Params == nil {
		return a.New(nil, candidates)
	}
	return a.New(a.Params(), candidates)
}

// TestRoundRobinTurns proves the exact turns: each candidate weight times a
// round, heavy ones spread over it.
func TestRoundRobinTurns(t *testing.T) {
	tests := []struct {
		name    string
		weights []int
		longest int // run of the same candidate, across rounds
	}{
		{"alike", []int{1, 1, 1}, 1},
		{"alike and heavy", []int{100, 100, 100, 100}, 1},
		{"two to one", []int{2, 1}, 2},
		{"five to one", []int{5, 1, 1}, 4},
		{"many", []int{3, 1, 4, 1, 5, 9, 2, 6}, 2},
		{"coarse", []int{1000, 1}, 1000},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := pickerOf(t, "round-robin", balancetest.Candidates(tt.weights...))
			round := 0
			for _, w := range tt.weights {
				round += w
			}
			var turns []int
			for range 3 {
				counts := make([]int, len(tt.weights))
				for range round {
					i := p.Pick(balance.Query{})
					counts[i]++
					turns = append(turns, i)
				}
				if !slices.Equal(counts, tt.weights) && tt.name != "alike and heavy" {
					t.Errorf("in one round picked %v, want %v", counts, tt.weights)
				}
			}
			longest, run := 1, 1
			for i := 1; i < len(turns); i++ {
				if run++; turns[i] != turns[i-1] {
					run = 1
				}
				longest = max(longest, run)
			}
			if longest > tt.longest {
				t.Errorf("one candidate %d times in a row, want at most %d: %v", longest, tt.longest, turns[:min(40, len(turns))])
			}
		})
	}
}

// TestRoundRobinStart proves that pickers built at once on many nodes do not all
// begin with the same candidate.
func TestRoundRobinStart(t *testing.T) {
	seen := map[int]bool{}
	for range 200 {
		p := pickerOf(t, "round-robin", balancetest.Candidates(1, 1, 1, 1))
		seen[p.Pick(balance.Query{Draw: rand.Uint64()})] = true
	}
	if len(seen) != 4 {
		t.Errorf("only %d of 4 candidates come first", len(seen))
	}
}

// TestLoadsFollowWeights proves of the algorithms that look at loads that what is
// held in flight comes to be shared by weight, also when it was not at first.
func TestLoadsFollowWeights(t *testing.T) {
	tests := []struct {
		name  string
		bound float64 // of load/weight, from its mean
	}{
		{"least-conn", 1},
		{"random-two", 8},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			weights := []int{1, 2, 3, 4, 10}
			candidates := balancetest.Candidates(weights...)
			p := pickerOf(t, tt.name, candidates)
			candidates[3].Load.Store(77) // less than its share in the end
			p.Loaded(3)
			const held = 2000
			for range held - 77 {
				i := p.Pick(balance.Query{Draw: rand.Uint64()})
				candidates[i].Load.Add(1)
				p.Loaded(i)
			}
			for i, c := range candidates {
				got, want := float64(c.Load.Load())/float64(weights[i]), held/20.0
				if math.Abs(got-want) > tt.bound {
					t.Errorf("weight %d holds %d, want about %.0f", weights[i], c.Load.Load(), want*float64(weights[i]))
				}
			}
		})
	}
}

// TestLeastConn proves that the least loaded for its weight is picked, that ties
// go round, and that a candidate that was busy claims no missed turns.
func TestLeastConn(t *testing.T) {
	candidates := balancetest.Candidates(1, 1, 2)
	p := pickerOf(t, "least-conn", candidates)
	load := func(loads ...int64) {
		for i, l := range loads {
			candidates[i].Load.Store(l)
			p.Loaded(i)
		}
	}
	tests := []struct {
		name  string
		loads []int64
		want  int
	}{
		{"the only idle one", []int64{1, 0, 1}, 1},
		{"least for its weight", []int64{2, 2, 3}, 2},
		{"not the least in number", []int64{1, 2, 3}, 0},
		{"much later", []int64{9, 8, 17}, 1},
	}
	for _, tt := range tests {
		load(tt.loads...)
		for range 3 {
			if got := p.Pick(balance.Query{}); got != tt.want {
				t.Errorf("%s: Pick with loads %v = %d, want %d", tt.name, tt.loads, got, tt.want)
			}
		}
	}

	load(5, 0, 0)
	for range 3000 {
		p.Pick(balance.Query{})
	}
	load(0, 0, 0)
	counts := make([]int, 3)
	for range 40 {
		counts[p.Pick(balance.Query{})]++
	}
	if counts[0] > 12 {
		t.Errorf("after it was busy, a candidate of weight 1 of 4 got %d of 40 picks", counts[0])
	}
}

// TestMaglevEven proves that slots are shared to within one of what is due, the
// bound of the paper's method when weights are alike.
func TestMaglevEven(t *testing.T) {
	for _, n := range []int{1, 2, 3, 10, 1000, balance.CandidatesMax} {
		p := pickerOf(t, "maglev", alike(n))
		counts := make([]int, n)
		for slot := range 65537 {
			counts[p.Pick(balance.Query{Key: uint64(slot)})]++
		}
		if low, high := slices.Min(counts), slices.Max(counts); high-low > 1 {
			t.Errorf("%d candidates hold %d to %d slots", n, low, high)
		}
	}
}

// TestKey proves that an address hashes by its meaning, not by how it is written,
// and to the value other nodes have for it.
func TestKey(t *testing.T) {
	key := func(s string) uint64 { return balance.Key(netip.MustParseAddrPort(s)) }
	if a, b := key("10.0.0.1:80"), key("[::ffff:10.0.0.1]:80"); a != b {
		t.Errorf("Key of an address = %x, mapped into IPv6 = %x", a, b)
	}
	if a, b := key("10.0.0.1:80"), key("10.0.0.1:81"); a == b {
		t.Errorf("Key of two ports is %x for both", a)
	}
	if a, b := key("[2001:db8::1]:80"), key("[2001:0db8:0:0::0001]:80"); a != b {
		t.Errorf("Key = %x and %x for the same IPv6 address", a, b)
	}
	if got, want := key("10.0.0.1:80"), uint64(0xbdac9db975d9f08); got != want {
		t.Errorf("Key(10.0.0.1:80) = %#x, want %#x", got, want)
	}
	addr := netip.MustParseAddrPort("[2001:db8:1111:2222:3333:4444:5555:6666]:65535")
	if n := testing.AllocsPerRun(100, func() { balance.Key(addr) }); n != 0 {
		t.Errorf("Key allocates %v times", n)
	}
}

// TestAgain proves that each attempt has a key and draw of its own, the same
// whenever it is asked for.
func TestAgain(t *testing.T) {
	q := balance.Query{Key: 1, Draw: 2}
	seen := map[uint64]bool{q.Key: true, q.Draw: true}
	for attempt := 1; attempt < 100; attempt++ {
		a := q.Again(attempt)
		if a != q.Again(attempt) {
			t.Fatalf("attempt %d differs from itself", attempt)
		}
		if seen[a.Key] || seen[a.Draw] {
			t.Fatalf("attempt %d repeats another", attempt)
		}
		seen[a.Key], seen[a.Draw] = true, true
	}
}

func alike(n int) []balance.Candidate {
	weights := make([]int, n)
	for i := range weights {
		weights[i] = 1
	}
	return balancetest.Candidates(weights...)
}

func eachSize(b *testing.B, run func(b *testing.B, a balance.Algorithm, candidates []balance.Candidate)) {
	b.Helper()
	for _, a := range balance.All() {
		for _, n := range []int{3, 100, 4000} {
			b.Run(a.Name+"/"+strconv.Itoa(n), func(b *testing.B) {
				candidates := alike(n)
				for i := range candidates {
					candidates[i].Weight = 1 + i%5
				}
				run(b, a, candidates)
			})
		}
	}
}

// BenchmarkPick is one choice, with nothing in flight.
func BenchmarkPick(b *testing.B) {
	eachSize(b, func(b *testing.B, a balance.Algorithm, candidates []balance.Candidate) {
		b.Helper()
		p := build(a, candidates)
		q := balance.Query{Key: 1, Draw: 2}
		b.ReportAllocs()
		for b.Loop() {
			q = q.Again(1)
			p.Pick(q)
		}
	})
}

// BenchmarkRequest is a choice, its begin and its end, from all cores at once.
func BenchmarkRequest(b *testing.B) {
	eachSize(b, func(b *testing.B, a balance.Algorithm, candidates []balance.Candidate) {
		b.Helper()
		p := build(a, candidates)
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			q := balance.Query{Key: rand.Uint64(), Draw: rand.Uint64()}
			for pb.Next() {
				q = q.Again(1)
				i := p.Pick(q)
				candidates[i].Load.Add(1)
				p.Loaded(i)
				candidates[i].Load.Add(-1)
				p.Loaded(i)
			}
		})
	})
}

// BenchmarkNew is what a change of one verdict costs.
func BenchmarkNew(b *testing.B) {
	eachSize(b, func(b *testing.B, a balance.Algorithm, candidates []balance.Candidate) {
		b.Helper()
		b.ReportAllocs()
		for b.Loop() {
			build(a, candidates)
		}
	})
}
