package route

import (
	"math"
	"math/bits"

	"github.com/zeebo/xxh3"

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

// Keep returns the index of the target group that a key belongs to, by weight: the
// same one for as long as the weights stand, on every node. When a group's weight
// grows, keys move to that group alone, and when it shrinks, from that group alone
// (weighted rendezvous hashing, Schindelhauer and Schomaker 2005). It is -1 where
// Choose is.
func (r *Rule) Keep(key uint64) int {
	best, least := -1, math.Inf(1)
	for i, g := range r.Spec.TargetGroups {
		if g.Weight <= 0 {
			continue
		}
		// The time until the first of Weight events a second, of a clock that the
		// key and the group set: whoever has more of them tends to be first.
		if at := -math.Log(uniform(key, r.seeds[i])) / float64(g.Weight); at < least {
			best, least = i, at
		}
	}
	return best
}

// uniform makes a number above 0 and up to 1 of a key and a seed, well spread
// whatever they are (SplitMix64, Steele et al. 2014).
func uniform(key, seed uint64) float64 {
	z := key ^ seed
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	z ^= z >> 31
	return float64(z>>11+1) / (1 << 53)
}

// newSeeds returns what sets the clocks of groups: their names alone, so that their
// order does not matter.
func newSeeds(groups []spec.GroupRef) []uint64 {
	seeds := make([]uint64, len(groups))
	for i, g := range groups {
		seeds[i] = xxh3.HashString(string(g.Name))
	}
	return seeds
}
