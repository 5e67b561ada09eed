package balance

import (
	"fmt"
	"sync/atomic"
	"time"

	"portico/spec"
)

// LeastTime is the parameters of least-time.
type LeastTime struct {
	// Decay is how long what was seen counts: after it about a third is left.
	Decay spec.Duration `json:"decay,omitempty" default:"10s" range:"100ms..10m"`
	// Failure is how long a failed request counts to have taken, at least.
	Failure spec.Duration `json:"failure,omitempty" default:"1s" range:"1ms..1m"`
}

// Check refuses times that are none.
func (l *LeastTime) Check() []spec.Problem {
	var ps []spec.Problem
	if l.Decay <= 0 {
		ps = append(ps, spec.Problem{Path: "decay", What: "is no time", Help: "use 10s"})
	}
	if l.Failure <= 0 {
		ps = append(ps, spec.Problem{Path: "failure", What: "is no time", Help: "use 1s"})
	}
	return ps
}

// least-time draws two different candidates by weight and takes the one that is
// expected to answer sooner: how long it took of late, times one more than what it
// has in flight for its weight.
//
// For: targets of different speed, or far from each other, and targets that get
// slow for a while: it notices with the first slow answer, not when requests have
// piled up. One that fails fast looks slow, not idle.
//
// Not for: requests whose cost differs far more than the targets do: the answer to
// one expensive request says nothing of the next. Nor for little traffic, less
// than a few requests for each target in the time of Decay: nothing is then known
// of most of them, and it does as random-two does.
//
// Peak EWMA, as Finagle has it (Oliver Gould, "Beyond Round Robin: Load Balancing
// for Latency", 2016), over two choices (Mitzenmacher, see random-two): many nodes
// that learn the same do not all rush to the same target. While nothing is known
// of one of the two, they are taken to be alike, and only loads count; so new
// targets are tried at once but not flooded.
//
// Two binary searches and two exponentials a pick: O(log n), no lock.
type leastTime struct {
	shares         shares
	loads          []*atomic.Int64
	paces          []*Pace
	usual          float64 // mean weight
	decay, failure time.Duration
}

var _ Observer = (*leastTime)(nil)

func newLeastTime(params any, candidates []Candidate) Picker {
	p := params.(*LeastTime)
	l := &leastTime{
		shares: newShares(candidates),
		loads:  make([]*atomic.Int64, len(candidates)), paces: make([]*Pace, len(candidates)),
		decay: p.Decay.D(), failure: p.Failure.D(),
	}
	l.usual = float64(l.shares.total()) / float64(max(len(candidates), 1))
	for i, c := range candidates {
		l.loads[i], l.paces[i] = c.Load, c.Pace
	}
	return l
}

func (l *leastTime) Pick(q Query) int {
	first, second := l.shares.two(q.Draw)
	if first == second {
		return first
	}
	a, knownA := l.paces[first].of(q.Now, l.decay)
	b, knownB := l.paces[second].of(q.Now, l.decay)
	if !knownA || !knownB {
		a, b = 1, 1
	}
	if l.cost(second, b) < l.cost(first, a) {
		return second
	}
	return first
}

// cost is what one more request may expect of a candidate with that pace. What is
// in flight counts as much as it would on one of the usual weight; the one more
// counts the same for all, as the draw was by weight already.
func (l *leastTime) cost(i int, pace float64) float64 {
	return pace * (1 + float64(l.loads[i].Load())*l.usual/float64(l.shares.width(i)))
}

func (l *leastTime) Peek(q Query) int { return l.Pick(q) }

func (l *leastTime) Loaded(int) {}

// Observed implements Observer.
func (l *leastTime) Observed(i int, o Outcome) { l.paces[i].observe(o, l.decay, l.failure) }

// Explain implements Picker.
func (l *leastTime) Explain(q Query) []Score {
	scores := make([]Score, len(l.loads))
	first, second := l.shares.two(q.Draw)
	alike := false
	for _, i := range []int{first, second} {
		if i >= 0 {
			_, known := l.paces[i].of(q.Now, l.decay)
			alike = alike || !known
		}
	}
	for i := range scores {
		scores[i] = l.score(q, i, i == first || i == second, alike)
	}
	return scores
}

// score explains one candidate. Alike says that too little is known to compare.
func (l *leastTime) score(q Query, i int, drawn, alike bool) Score {
	pace, known := l.paces[i].of(q.Now, l.decay)
	text := "nothing known of late"
	if known {
		text = fmt.Sprintf("took %v of late", time.Duration(pace).Round(time.Microsecond))
	}
	switch {
	case !drawn:
		return out("not drawn, %s", text)
	case alike:
		return rank(l.cost(i, 1), "drawn, %s: only loads are compared", text)
	}
	cost := l.cost(i, pace)
	return rank(cost, "drawn, %s, %v expected", text, time.Duration(cost).Round(time.Microsecond))
}
