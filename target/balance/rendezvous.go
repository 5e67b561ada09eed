package balance

import (
	"math"
	"math/bits"
)

// rendezvous gives each key to the candidate that scores highest for it.
//
// For: the fewest moves there can be. When a candidate leaves, only its own keys
// move, and they spread over all the others by weight; when a weight changes,
// only the difference moves. Shares are as exact as a draw.
//
// Not for: hundreds of targets. Every candidate is scored for every pick, so a
// pick costs O(n): about 2 ns a candidate where weights are alike, 4 where they
// differ. Nor for a few keys that bring most of the load: a hash does not look at
// loads (use ring-hash).
//
// Thaler and Ravishankar, "Using Name-Based Mappings to Increase Hit Rates",
// IEEE/ACM Transactions on Networking 6(1), 1998. With weights the score is
// -w/ln(u) for a u uniform in (0, 1) made from key and candidate (Schindelhauer
// and Schomaker, "Weighted Distributed Hash Tables", SPAA 2005): u to the power
// of 1/w, whose largest is won by weight.
type rendezvous struct {
	seeds   []uint64 // by candidate
	weights []uint64 // nil when all are alike
	logs    *logTable
}

func newRendezvous(_ any, candidates []Candidate) Picker {
	r := &rendezvous{seeds: make([]uint64, len(candidates))}
	alike := true
	for i, c := range candidates {
		r.seeds[i] = Mix(c.Key, 0)
		alike = alike && c.Weight == candidates[0].Weight
	}
	if alike {
		return r
	}
	r.logs = newLogTable()
	r.weights = make([]uint64, len(candidates))
	for i, c := range candidates {
		r.weights[i] = uint64(c.Weight)
	}
	return r
}

func (r *rendezvous) Pick(q Query) int {
	if r.weights != nil {
		return r.weighted(q.Key)
	}
	best, high := -1, uint64(0)
	for i, seed := range r.seeds {
		if u := Mix(q.Key^seed, 0); best < 0 || u > high || u == high && seed < r.seeds[best] {
			best, high = i, u
		}
	}
	return best
}

// weighted compares -ln(u)/w, of which the least wins: the same order as that of
// the scores. Where the logarithms cannot tell two apart the larger u wins, so
// that it is the order of Pick when weights are alike.
func (r *rendezvous) weighted(key uint64) int {
	best, high, least, weight := -1, uint64(0), uint64(0), uint64(1)
	for i, seed := range r.seeds {
		u, w := Mix(key^seed, 0), r.weights[i]
		bound := least * w // at most 2^46 times 2^16
		if best >= 0 && ^u/(1<<64/logScale)*weight > bound {
			continue // most end here: 1-u is less than -log2(u)
		}
		e := r.logs.minus(u)
		switch mine := e * weight; {
		case best >= 0 && mine > bound:
		case best >= 0 && mine == bound && u < high:
		case best >= 0 && mine == bound && u == high && seed > r.seeds[best]:
		default:
			best, high, least, weight = i, u, e, w
		}
	}
	return best
}

func (r *rendezvous) Peek(q Query) int { return r.Pick(q) }

func (r *rendezvous) Loaded(int) {}

// logTable holds logarithms as whole numbers: floating point may differ in its
// last bit from one processor to another, and nodes must agree.
type logTable [logSteps + 1]uint64

const (
	logBits  = 10
	logSteps = 1 << logBits // between 1 and 2
	logScale = 1 << 40      // what 1 is

	_ = uint64(64*logScale) * WeightMax // fits, see weighted
)

func newLogTable() *logTable {
	t := &logTable{}
	for i := range logSteps {
		t[i] = log2(1<<63 + uint64(i)<<(63-logBits))
	}
	t[logSteps] = logScale
	return t
}

// log2 returns the logarithm of x/2^63, which is from 1 to below 2, times
// logScale: squared, a number is 2 or more where the next bit of its logarithm
// is 1 (Knuth, The Art of Computer Programming, volume 1, section 1.2.2).
func log2(x uint64) uint64 {
	log := uint64(0)
	for bit := uint64(logScale >> 1); bit > 0; bit >>= 1 {
		high, low := bits.Mul64(x, x) // times 2^126: below 2 when bit 127 is 0
		if x = high; high>>63 == 0 {
			x = high<<1 | low>>63
			continue
		}
		log |= bit
	}
	return log
}

// minus returns -log2(u/2^64), times logScale. Between the steps of the table it
// goes straight, which is right to a part in 2,000 of what can win among
// CandidatesMax.
func (t *logTable) minus(u uint64) uint64 {
	if u == 0 {
		return 64 * logScale
	}
	zeros := bits.LeadingZeros64(u)
	fraction := u << zeros << 1 // what stands behind the leading one
	i := fraction >> (64 - logBits)
	rest := fraction << logBits >> 32
	log := t[i] + (t[i+1]-t[i])*rest>>32
	return uint64(zeros+1)*logScale - log
}

// Explain implements Picker.
func (r *rendezvous) Explain(q Query) []Score {
	scores := make([]Score, len(r.seeds))
	for i, seed := range r.seeds {
		u := Mix(q.Key^seed, 0)
		e := -math.Log(float64(u) / (1 << 64)) // falls with u, as the order of Pick does
		if r.weights != nil {
			e = float64(r.logs.minus(u)) * math.Ln2 / logScale / float64(r.weights[i])
		}
		scores[i] = rank(e, "score %.4g", 1/max(e, math.SmallestNonzeroFloat64))
	}
	return scores
}
