package balance

import (
	"math/bits"
	"sort"
)

// shares lays the candidates end to end, each as long as its weight, so that a
// position drawn anywhere on the line falls to a candidate by weight.
type shares struct {
	ends []uint32 // where each candidate's share ends
	each uint32   // the length of every share when all are alike, else 0
}

// The line must be addressable by a uint32.
const _ = uint32(CandidatesMax * WeightMax)

func newShares(candidates []Candidate) shares {
	s := shares{ends: make([]uint32, len(candidates))}
	end, alike := uint32(0), true
	for i, c := range candidates {
		w := uint32(c.Weight)
		alike = alike && c.Weight == candidates[0].Weight
		end += w
		s.ends[i] = end
	}
	if alike && len(candidates) > 0 {
		s.each = s.ends[0]
	}
	return s
}

// total is the length of the line.
func (s *shares) total() uint64 {
	if len(s.ends) == 0 {
		return 0
	}
	return uint64(s.ends[len(s.ends)-1])
}

// at returns the candidate whose share holds position x, which is below total.
func (s *shares) at(x uint64) int {
	if s.each > 0 {
		return int(uint32(x) / s.each)
	}
	return sort.Search(len(s.ends), func(i int) bool { return uint64(s.ends[i]) > x })
}

// start and width are where the share of candidate i lies.
func (s *shares) start(i int) uint64 {
	if i == 0 {
		return 0
	}
	return uint64(s.ends[i-1])
}

func (s *shares) width(i int) uint64 { return uint64(s.ends[i]) - s.start(i) }

// two draws two different candidates by weight, as far as there are two; both are
// -1 when there is none.
func (s *shares) two(draw uint64) (first, second int) {
	total := s.total()
	if total == 0 {
		return -1, -1
	}
	x, _ := bits.Mul64(draw, total)
	first = s.at(x)
	width := s.width(first)
	if width == total {
		return first, first
	}
	// The second is drawn from the line without the share of the first.
	x, _ = bits.Mul64(Mix(draw, 0), total-width)
	if x >= s.start(first) {
		x += width
	}
	return first, s.at(x)
}
