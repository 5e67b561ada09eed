package balancetest

import (
	"time"

	"pgregory.net/rapid"

	"portico/target/balance"
)

// explain proves that Explain has a score for each candidate, that the one which
// is picked has the best, whatever is in flight and was learned, and that being
// asked changes nothing.
func explain(r *rapid.T, a balance.Algorithm) {
	weights := rapid.SliceOfN(rapid.IntRange(1, 5), 0, 12).Draw(r, "weights")
	candidates := Candidates(weights...)
	p, twin := picker(a, candidates), picker(a, candidates)
	for range 10 {
		q := query()
		scores := p.Explain(q)
		if len(scores) != len(candidates) {
			r.Fatalf("%d scores of %d candidates", len(scores), len(candidates))
		}
		p.Explain(query())
		got, want := p.Pick(q), twin.Pick(q)
		if got != want {
			r.Fatalf("Pick = %d after Explain, and %d without", got, want)
		}
		if got < 0 {
			continue
		}
		for i, s := range scores {
			if s.Text == "" {
				r.Fatalf("nothing is said of candidate %d", i)
			}
			if scores[got].Out() || s.Rank < scores[got].Rank {
				r.Fatalf("Pick = %d, of which %+v is said, and %+v of %d", got, scores[got], s, i)
			}
		}
		if rapid.Bool().Draw(r, "hold") {
			candidates[got].Load.Add(rapid.Int64Range(1, 60).Draw(r, "load"))
			p.Loaded(got)
			twin.Loaded(got)
		}
		if learner, ok := p.(balance.Observer); ok {
			learner.Observed(got, balance.Outcome{Now: q.Now, Took: time.Duration(rapid.IntRange(1, 1000).Draw(r, "ms")) * time.Millisecond})
		}
	}
}
