package balance

import "math/bits"

// random draws a target by weight.
//
// For: very many nodes over the same targets, or requests that are short and
// alike: nodes share nothing and cannot fall into step with each other, as
// round-robin can behind a client that also takes turns.
//
// Not for: a few long or costly requests. Among n targets with m requests each
// in flight, the busiest has about √(2m·ln n) more than the mean (Raab and
// Steger, "Balls into Bins: A Simple and Tight Analysis", RANDOM 1998);
// random-two costs one look at two loads and has next to none.
//
// One multiplication and one binary search a pick: O(log n), and O(1) where
// weights are alike.
type random struct{ shares shares }

func newRandom(_ any, candidates []Candidate) Picker {
	return &random{shares: newShares(candidates)}
}

func (r *random) Pick(q Query) int {
	total := r.shares.total()
	if total == 0 {
		return -1
	}
	x, _ := bits.Mul64(q.Draw, total)
	return r.shares.at(x)
}

func (r *random) Peek(q Query) int { return r.Pick(q) }

func (r *random) Loaded(int) {}

// Explain implements Picker.
func (r *random) Explain(q Query) []Score {
	scores := make([]Score, len(r.shares.ends))
	chosen := r.Peek(q)
	for i := range scores {
		scores[i] = out("not drawn, as %s are", r.shares.percent(i))
	}
	if chosen >= 0 {
		scores[chosen] = rank(0, "drawn, as %s are", r.shares.percent(chosen))
	}
	return scores
}
