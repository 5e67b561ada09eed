package policy

import (
	"maps"
	"math/bits"
	"slices"

	"portico/spec"
)

// Weighted are the parameters of the policy of that name: the share of each
// site. A site that is not listed is off, as one of weight 0 is. All zero means
// that the listed sites share equally.
type Weighted map[spec.SiteName]int

// Check refuses weights out of range and an empty list.
func (w *Weighted) Check() []spec.Problem {
	if len(*w) == 0 {
		return []spec.Problem{{What: "no site has a weight", Help: "list sites and weights, such as {east: 90, west: 10}"}}
	}
	var problems []spec.Problem
	for _, site := range weightedNames(w) {
		if n := (*w)[site]; n < 0 || n > WeightMax {
			problems = append(problems, spec.Problemf(string(site), "%d is not a weight; use 0 to %d", n, WeightMax))
		}
	}
	return problems
}

func weightedNames(params any) []spec.SiteName {
	w, _ := params.(*Weighted)
	if w == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(*w))
}

// weightedSites keeps the weights of zero out, unless all are: a site that is
// off stays off when the others are unhealthy.
func weightedSites(params any, known []spec.SiteName) []Site {
	w, _ := params.(*Weighted)
	if w == nil {
		return nil
	}
	var on, off []Site
	for _, name := range known {
		switch weight, listed := (*w)[name]; {
		case !listed:
		case weight > 0:
			on = append(on, Site{name, min(weight, WeightMax)})
		default:
			off = append(off, Site{name, 1})
		}
	}
	for _, weight := range *w {
		if weight > 0 {
			return on
		}
	}
	return off
}

// weighted lays the sites end to end, each as long as its weight, and answers
// with the one a drawn position falls to. One site an answer: resolvers reorder
// what they cache, which would even out the shares.
type weighted struct {
	answers [][]int
	ends    []uint64
}

func newWeighted(sites []Site) Chooser {
	w := &weighted{answers: singles(sites), ends: make([]uint64, len(sites))}
	end := uint64(0)
	for i, s := range sites {
		end += uint64(s.Weight)
		w.ends[i] = end
	}
	return w
}

func (w *weighted) Answers() [][]int { return w.answers }

func (w *weighted) Choose(q Query) int {
	if len(w.ends) == 0 {
		return -1
	}
	at := scale(q.Draw, w.ends[len(w.ends)-1])
	i := 0
	for w.ends[i] <= at {
		i++
	}
	return i
}

func (w *weighted) Share(site int) float64 {
	start := uint64(0)
	if site > 0 {
		start = w.ends[site-1]
	}
	return float64(w.ends[site]-start) / float64(w.ends[len(w.ends)-1])
}

// singles lists an answer of its own for each site.
func singles(sites []Site) [][]int {
	answers := make([][]int, len(sites))
	for i := range sites {
		answers[i] = []int{i}
	}
	return answers
}

// scale maps a draw evenly to 0 … n-1.
func scale(draw, n uint64) uint64 {
	hi, _ := bits.Mul64(draw, n)
	return hi
}
