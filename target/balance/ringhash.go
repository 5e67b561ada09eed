package balance

import (
	"cmp"
	"slices"
	"sync/atomic"

	"portico/spec"
)

// RingHash is the parameters of ring-hash.
type RingHash struct {
	Hash
	// LoadMax bounds the load of a target, in percent of the mean for its weight.
	LoadMax int `json:"loadMax,omitempty" default:"125" range:"101..10000"`
}

// Check refuses a bound that leaves no room.
func (r *RingHash) Check() []spec.Problem {
	ps := r.Hash.Check()
	if r.LoadMax <= 100 {
		ps = append(ps, spec.Problem{Path: "loadMax", What: "leaves no target any room above the mean", Help: "use 125 for a quarter above it"})
	}
	return ps
}

// ring-hash gives the same key the same candidate for as long as that one holds
// no more than its bound, and else the next on a ring.
//
// For: caches and sharded state where some keys bring far more load than others:
// a key stays where it is, but no target holds more than loadMax percent of the
// mean for its weight.
//
// Not for: keys that must never be served elsewhere (use maglev or rendezvous,
// which do not look at loads); nor little load for each target: with three
// requests in flight over ten targets, none may hold more than one.
//
// Mirrokni, Thorup and Zadimoghaddam, "Consistent Hashing with Bounded Loads",
// SODA 2018 (arXiv:1608.01350, 2016): a candidate holds at most ⌈c·(m+1)·w/W⌉ of
// m in flight, so that there always is room, and 1/(c-1)² hops are expected to
// find it. A candidate lies on the ring as points by weight (Karger et al.,
// "Consistent Hashing and Random Trees", STOC 1997): 160 for each unit of weight,
// which makes shares right to about a twelfth, and at most 65,536 together.
// Beyond, all have fewer, and a candidate that leaves moves up to twice the keys
// it must. Each node bounds by the loads it sees itself.
//
// One binary search over the points and a few hops: O(log n) a pick.
type ringHash struct {
	points []uint64 // rising; the last ownerBits are the rank of the owner
	ranked []uint16 // rank by key → candidate, so that nodes agree on points that meet
	loads  []bounded
	total  atomic.Int64 // of the loads seen
	scale  uint64       // 100·W, see limit
}

// bounded is a candidate with its load as the total has it.
type bounded struct {
	live  *atomic.Int64
	seen  atomic.Int64
	share uint64 // loadMax·w
}

const (
	pointsPerWeight = 160
	pointsMax       = 65536
	ownerBits       = 16

	_ = uint(1<<ownerBits - CandidatesMax)
)

func newRingHash(params any, candidates []Candidate) Picker {
	sum := uint64(0)
	for _, c := range candidates {
		sum += uint64(c.Weight)
	}
	r := &ringHash{loads: make([]bounded, len(candidates)), scale: 100 * sum}
	r.place(candidates, sum)
	for i, c := range candidates {
		r.loads[i].live, r.loads[i].share = c.Load, uint64(params.(*RingHash).LoadMax)*uint64(c.Weight)
		r.Loaded(i)
	}
	return r
}

// place puts the points of all candidates on the ring.
func (r *ringHash) place(candidates []Candidate, sum uint64) {
	r.ranked = make([]uint16, len(candidates))
	for i := range candidates {
		r.ranked[i] = uint16(i)
	}
	slices.SortFunc(r.ranked, func(a, b uint16) int { return cmp.Compare(candidates[a].Key, candidates[b].Key) })
	r.points = make([]uint64, 0, min(sum*pointsPerWeight, pointsMax)+uint64(len(candidates)))
	for rank, i := range r.ranked {
		c := &candidates[i]
		n := uint64(c.Weight) * pointsPerWeight
		if sum*pointsPerWeight > pointsMax {
			n = max(1, uint64(c.Weight)*pointsMax/sum)
		}
		for at := range n {
			r.points = append(r.points, Mix(c.Key, int(at))>>ownerBits<<ownerBits|uint64(rank))
		}
	}
	slices.Sort(r.points)
}

// owner is the candidate of a point.
func (r *ringHash) owner(point uint64) int { return int(r.ranked[point&(1<<ownerBits-1)]) }

func (r *ringHash) Pick(q Query) int {
	if len(r.points) == 0 {
		return -1
	}
	home := r.home(q.Key)
	for _, point := range r.points[home:] {
		if i := r.owner(point); r.hasRoom(i) {
			return i
		}
	}
	for _, point := range r.points[:home] {
		if i := r.owner(point); r.hasRoom(i) {
			return i
		}
	}
	return r.owner(r.points[home]) // loads changed all the while
}

// home is the first point at or after the key's place on the ring. The key is
// mixed, as it may be one that a point was made from.
func (r *ringHash) home(key uint64) int {
	at, _ := slices.BinarySearch(r.points, Mix(key, 0))
	if at == len(r.points) {
		return 0
	}
	return at
}

// hasRoom says whether one more keeps a candidate within its bound.
func (r *ringHash) hasRoom(i int) bool {
	c := &r.loads[i]
	return c.seen.Load() < c.limit(r.total.Load(), r.scale)
}

// limit is ⌈c·(total+1)·w/W⌉.
func (c *bounded) limit(total int64, scale uint64) int64 {
	return int64((uint64(max(total, 0)+1)*c.share + scale - 1) / scale)
}

func (r *ringHash) Peek(q Query) int { return r.Pick(q) }

func (r *ringHash) Loaded(i int) {
	c := &r.loads[i]
	for {
		now := c.live.Load()
		r.total.Add(now - c.seen.Swap(now))
		if c.live.Load() == now {
			return // else someone may have stored what it saw before
		}
	}
}

// Explain implements Picker.
func (r *ringHash) Explain(q Query) []Score {
	scores := make([]Score, len(r.loads))
	if len(scores) == 0 {
		return scores
	}
	home, order := r.home(q.Key), 0
	for hop := range r.points {
		i := r.owner(r.points[(home+hop)%len(r.points)])
		if scores[i].Text != "" {
			continue
		}
		order++
		held, limit := r.loads[i].seen.Load(), r.loads[i].limit(r.total.Load(), r.scale)
		place := ordinal(order) + " on the ring from the key"
		if held < limit {
			scores[i] = rank(float64(order), "%s, holds %d of %d", place, held, limit)
		} else {
			scores[i] = out("%s, full with %d of %d", place, held, limit)
		}
	}
	return scores
}
