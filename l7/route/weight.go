package route

import (
	"math/bits"

	"portico/spec"
)

// Choose returns the index of the target group that a uniformly random draw
// falls to, by weight. It is -1 when the rule names none, or none with a weight.
func (r *Rule) Choose(draw uint64) int {
	n := len(r.weights)
	if n == 0 || r.weights[n-1] == 0 {
		return -1
	}
	at, _ := bits.Mul64(draw, r.weights[n-1]) // draw scaled to the sum of weights
	i := 0
	for r.weights[i] <= at {
		i++
	}
	return i
}

// lone are the weights of every rule with one group that has any, so that requests
// to thousands of rules find them in the processor's cache. It is never written.
var lone = []uint64{1}

// newWeights returns the running sums of the weights.
func newWeights(groups []spec.GroupRef) []uint64 {
	if len(groups) == 1 && groups[0].Weight > 0 {
		return lone
	}
	sums := make([]uint64, len(groups))
	var sum uint64
	for i, g := range groups {
		sum += uint64(max(g.Weight, 0))
		sums[i] = sum
	}
	return sums
}
