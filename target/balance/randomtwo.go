package balance

import "sync/atomic"

// random-two draws two different candidates by weight and takes the one with
// less load for its weight.
//
// For: many nodes that balance over the same targets without talking to each
// other, or very many targets: nearly as even as least-conn, no lock, and no two
// nodes rush to the same target that just became idle.
//
// Not for: a handful of targets behind one node, where least-conn is exact.
//
// Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", IEEE
// TPDS 12(10), 2001. A tie goes to the first drawn, so that without any load the
// picks follow the weights.
type randomTwo struct {
	shares shares
	loads  []*atomic.Int64
}

func newRandomTwo(_ any, candidates []Candidate) Picker {
	r := &randomTwo{shares: newShares(candidates), loads: make([]*atomic.Int64, len(candidates))}
	for i, c := range candidates {
		r.loads[i] = c.Load
	}
	return r
}

func (r *randomTwo) Pick(q Query) int {
	first, second := r.shares.two(q.Draw)
	if first == second {
		return first
	}
	a, b := int64(r.shares.width(first)), int64(r.shares.width(second))
	if r.loads[second].Load()*a < r.loads[first].Load()*b {
		return second
	}
	return first
}

func (r *randomTwo) Peek(q Query) int { return r.Pick(q) }

func (r *randomTwo) Loaded(int) {}

// Explain implements Picker.
func (r *randomTwo) Explain(q Query) []Score {
	scores := make([]Score, len(r.loads))
	first, second := r.shares.two(q.Draw)
	for i := range scores {
		load := float64(r.loads[i].Load()) / float64(r.shares.width(i))
		switch i {
		case first:
			scores[i] = rank(load, "drawn first, %.4g in flight for its weight", load)
		case second:
			scores[i] = rank(load, "drawn second, %.4g in flight for its weight", load)
		default:
			scores[i] = out("not drawn")
		}
	}
	return scores
}
