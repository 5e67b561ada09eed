package balance

import (
	"math/bits"
	"sync/atomic"

	"portico/spec"
)

// First is the parameters of first.
type First struct {
	// Limit is how many requests or flows a target of weight 1 holds before the
	// next one in the list is used; one of weight 2 holds twice as many.
	Limit int `json:"limit,omitempty" default:"100" range:"1..1000000"`
}

// Check refuses a limit that no target could keep.
func (f *First) Check() []spec.Problem {
	if f.Limit < 1 {
		return []spec.Problem{{Path: "limit", What: "a target must hold at least one", Help: "use what one target serves well at a time, such as 100"}}
	}
	return nil
}

// first takes the first candidate, as they are listed, that has room.
//
// For: as few targets in use as the load needs, so that the rest can sleep or be
// taken away: machines that are paid by use, licenses, large caches that should
// stay warm; and a small reserve behind the usual targets.
//
// Not for: short answers, which an even load gives (use least-conn): the first
// targets always run at their limit. Nor for limits that are lower than what the
// targets hold for long: when all are full, the less loaded of two drawn by
// weight is taken, as random-two does, above its limit.
//
// Each node counts what it sent itself: with k nodes a target holds up to k times
// the limit.
//
// It is first fit, for items that come and go (Coffman, Garey and Johnson,
// "Dynamic Bin Packing", SIAM Journal on Computing 12(2), 1983). A bit says
// whether a candidate is full; a pick looks for the first zero, 64 candidates a
// step: O(n/64).
type first struct {
	rooms []room
	full  []atomic.Uint64 // a bit for each candidate
	over  Picker          // when all are full
}

// room is what a candidate holds and may hold.
type room struct {
	load  *atomic.Int64
	limit int64
}

func newFirst(params any, candidates []Candidate) Picker {
	f := &first{
		rooms: make([]room, len(candidates)),
		full:  make([]atomic.Uint64, (len(candidates)+63)/64),
		over:  newRandomTwo(nil, candidates),
	}
	for i, c := range candidates {
		f.rooms[i] = room{load: c.Load, limit: int64(params.(*First).Limit) * int64(c.Weight)}
		if c.Limit > 0 {
			f.rooms[i].limit = min(f.rooms[i].limit, c.Limit)
		}
		f.Loaded(i)
	}
	return f
}

func (f *first) Pick(q Query) int {
	for w := range f.full {
		free := ^f.full[w].Load()
		if i := w*64 + bits.TrailingZeros64(free); free != 0 && i < len(f.rooms) {
			return i
		}
	}
	return f.over.Pick(q)
}

func (f *first) Peek(q Query) int { return f.Pick(q) }

func (f *first) Loaded(i int) {
	r, word, bit := &f.rooms[i], &f.full[i/64], uint64(1)<<(i%64)
	for {
		full := r.load.Load() >= r.limit
		if was := word.Load()&bit != 0; was == full {
			return
		}
		if full {
			word.Or(bit)
		} else {
			word.And(^bit)
		}
		// Someone else may have written what it saw before: look again.
	}
}

// Explain implements Picker.
func (f *first) Explain(q Query) []Score {
	scores := make([]Score, len(f.rooms))
	full := true
	for i := range f.rooms {
		r := &f.rooms[i]
		if f.full[i/64].Load()&(1<<(i%64)) != 0 {
			scores[i] = out("full with %d of %d", r.load.Load(), r.limit)
			continue
		}
		full = false
		scores[i] = rank(float64(i), "%s of the list, room for %d more", ordinal(i+1), r.limit-r.load.Load())
	}
	if !full {
		return scores
	}
	for i, s := range f.over.Explain(q) {
		scores[i] = Score{Rank: s.Rank, Text: "full, as all are; " + s.Text}
	}
	return scores
}
