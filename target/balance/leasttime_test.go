package balance_test

import (
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"portico/spec"
	"portico/target/balance"
	"portico/target/balance/balancetest"
)

// seen is one outcome: of which candidate, how long after the epoch.
type seen struct {
	i       int
	at      time.Duration
	outcome balance.Outcome
}

func took(i int, at, took time.Duration) seen { return seen{i, at, balance.Outcome{Took: took}} }

func failed(i int, at, took time.Duration) seen {
	return seen{i, at, balance.Outcome{Took: took, Failed: true}}
}

func waited(i int, at, took time.Duration) seen {
	return seen{i, at, balance.Outcome{Took: took, Least: true}}
}

// TestLeastTime proves which of two is expected to answer sooner. Of two, both are
// always drawn; -1 means that the draw decides.
func TestLeastTime(t *testing.T) {
	const ms = time.Millisecond
	tests := []struct {
		name  string
		seen  []seen
		loads [2]int64
		at    time.Duration
		want  int
	}{
		{"nothing is known", nil, [2]int64{0, 0}, 0, -1},
		{"nothing is known, one is busy", nil, [2]int64{1, 0}, 0, 1},
		{"one is faster", []seen{took(0, ms, 10*ms), took(1, ms, 20*ms)}, [2]int64{}, ms, 0},
		{"the faster is busier", []seen{took(0, ms, 10*ms), took(1, ms, 20*ms)}, [2]int64{2, 0}, ms, 1},
		{"busier, but not that much", []seen{took(0, ms, 10*ms), took(1, ms, 30*ms)}, [2]int64{1, 0}, ms, 0},
		{"one is new", []seen{took(0, ms, 10*ms)}, [2]int64{0, 0}, ms, -1},
		{"one is new and was given something", []seen{took(0, ms, 10*ms)}, [2]int64{0, 1}, ms, 0},
		{"a peak counts at once", []seen{took(0, ms, 10*ms), took(0, 2*ms, 10*ms), took(1, ms, 20*ms), took(0, 3*ms, 50*ms)}, [2]int64{}, 3 * ms, 1},
		{"one good answer does not make up for it", []seen{took(0, 0, 50*ms), took(0, ms, ms), took(1, ms, 20*ms)}, [2]int64{}, ms, 1},
		{"good answers over time do", []seen{took(0, 0, 50*ms), took(0, 20*time.Second, ms), took(1, 20*time.Second, 20*ms)}, [2]int64{}, 20 * time.Second, 0},
		{"time alone does", []seen{took(0, 0, 50*ms), took(1, 20*time.Second, 20*ms)}, [2]int64{}, 20 * time.Second, 0},
		{"after long nothing is known", []seen{took(0, 0, 50*ms), took(1, 0, 20*ms)}, [2]int64{}, time.Minute, -1},
		{"a failure is slow, however fast", []seen{failed(0, ms, 0), took(1, ms, 900*ms)}, [2]int64{}, ms, 1},
		{"a failure is slow where all are", []seen{took(0, 0, 3*time.Second), failed(0, ms, ms), took(1, ms, 5*time.Second)}, [2]int64{}, ms, 1},
		{"a slow failure counts as it was", []seen{failed(0, ms, 4*time.Second), took(1, ms, 3*time.Second)}, [2]int64{}, ms, 1},
		{"two failures are worse than one", []seen{failed(0, ms, 0), failed(0, 2*ms, 0), failed(1, 2*ms, 0)}, [2]int64{}, 2 * ms, 1},
		{"failures are bounded", append(failures(0, 100), took(1, 200*ms, 9*time.Minute)), [2]int64{0, 1}, 200 * ms, 0},
		{"a client that left early says nothing", []seen{took(0, 0, 20*ms), waited(0, ms, ms), took(1, ms, 10*ms)}, [2]int64{}, ms, 1},
		{"a client that waited long says much", []seen{took(0, 0, 5*ms), waited(0, ms, 50*ms), took(1, ms, 10*ms)}, [2]int64{}, ms, 1},
		{"no time at all", []seen{took(0, 0, 0), took(1, 0, ms)}, [2]int64{}, 0, 0},
		{"a time before the last", []seen{took(0, 5*time.Second, 10*ms), took(0, 0, 30*ms), took(1, 5*time.Second, 20*ms)}, [2]int64{}, 5 * time.Second, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			candidates := balancetest.Candidates(1, 1)
			p := pickerOf(t, "least-time", candidates).(balance.Observer)
			for _, s := range tt.seen {
				s.outcome.Now = balancetest.Epoch.Add(s.at)
				p.Observed(s.i, s.outcome)
			}
			for i, l := range tt.loads {
				candidates[i].Load.Store(l)
			}
			counts := [2]int{}
			for range 100 {
				counts[p.Pick(balance.Query{Draw: rand.Uint64(), Now: balancetest.Epoch.Add(tt.at)})]++
			}
			got := -1
			for i := range counts {
				if counts[i] == 100 {
					got = i
				}
			}
			if got != tt.want {
				t.Errorf("picks %v, want all on %d", counts, tt.want)
			}
		})
	}
}

func failures(i, n int) []seen {
	var all []seen
	for k := range n {
		all = append(all, failed(i, time.Duration(k)*time.Millisecond, time.Second))
	}
	return all
}

// TestLeastTimeEven proves that requests settle where each target's share of them
// fits its speed: of one that takes four times as long, far less.
func TestLeastTimeEven(t *testing.T) {
	candidates := balancetest.Candidates(1, 1, 1, 1)
	p := pickerOf(t, "least-time", candidates).(balance.Observer)
	type request struct {
		i, end int
	}
	speed := []int{10, 10, 10, 40} // milliseconds an answer
	counts := make([]int, len(speed))
	var flying []request
	for ms := range 20_000 {
		now := balancetest.Epoch.Add(time.Duration(ms) * time.Millisecond)
		rest := flying[:0]
		for _, r := range flying {
			if r.end > ms {
				rest = append(rest, r)
				continue
			}
			candidates[r.i].Load.Add(-1)
			p.Observed(r.i, balance.Outcome{Now: now, Took: time.Duration(speed[r.i]) * time.Millisecond})
		}
		flying = rest
		i := p.Pick(balance.Query{Draw: rand.Uint64(), Now: now})
		candidates[i].Load.Add(1)
		flying = append(flying, request{i, ms + speed[i]})
		counts[i]++
	}
	for i, n := range counts[:3] {
		if counts[3]*3 > n || n < counts[0]/2 {
			t.Errorf("of 20,000 requests the targets got %v; the last one is four times slower, number %d as fast as the first", counts, i)
		}
	}
}

// BenchmarkObserved is what learning from one outcome costs, from all cores at
// once on the same few candidates.
func BenchmarkObserved(b *testing.B) {
	for _, n := range []int{1, 100} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			a, _ := balance.Lookup("least-time")
			p := a.New(&balance.LeastTime{Decay: spec.Duration(10 * time.Second), Failure: spec.Duration(time.Second)}, alike(n)).(balance.Observer)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				o := balance.Outcome{Now: balancetest.Epoch, Took: 5 * time.Millisecond}
				for i := 0; pb.Next(); i++ {
					o.Now = o.Now.Add(10 * time.Microsecond)
					o.Took = time.Duration(1+i%7) * time.Millisecond
					p.Observed(i%n, o)
				}
			})
		})
	}
}
