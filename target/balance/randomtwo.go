package balance

import (
	"math/bits"
	"sync/atomic"
)

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
	total := r.shares.total()
	if total == 0 {
		return -1
	}
	x, _ := bits.Mul64(q.Draw, total)
	first := r.shares.at(x)
	width := r.shares.width(first)
	if width == total {
		return first
	}
	// The second is drawn from the line without the share of the first.
	x, _ = bits.Mul64(Mix(q.Draw, 0), total-width)
	if x >= r.shares.start(first) {
		x += width
	}
	second := r.shares.at(x)
	if r.loads[second].Load()*int64(width) < r.loads[first].Load()*int64(r.shares.width(second)) {
		return second
	}
	return first
}

func (r *randomTwo) Peek(q Query) int { return r.Pick(q) }

func (r *randomTwo) Loaded(int) {}
