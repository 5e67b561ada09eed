// Package balance chooses one of several candidates. It is pure: no clock,
// socket or goroutine; the caller draws the randomness and keeps the loads.
//
// One algorithm is one file and one line in All; package balancetest holds what
// each of them must keep.
package balance

import (
	"sync/atomic"
	"time"
)

// CandidatesMax is how many candidates a picker may be built from. The limits
// below it relate to it: see maglev.go.
const CandidatesMax = 4096

// WeightMax is the largest weight of a candidate. Sums of CandidatesMax such
// weights, and a product of two of those sums, fit 64 bits.
const WeightMax = 65535

const _ = uint64(CandidatesMax*WeightMax) * uint64(CandidatesMax*WeightMax)

// Candidate is a target that may be chosen.
type Candidate struct {
	// Key identifies the target alike on every node (a hash of its address).
	Key uint64
	// Weight is its share, above zero and at most WeightMax.
	Weight int
	// Load counts the requests or flows it has in flight; the caller keeps it.
	Load *atomic.Int64
	// Limit is how much load the caller lets it have; 0 means no limit. Who picks
	// one that is at its limit is asked again.
	Limit int64
	// Pace is what algorithms that learn from outcomes keep of it; the caller
	// keeps it for them.
	Pace *Pace
}

// Query is what one choice depends on.
type Query struct {
	Key  uint64 // a hash of what should stay together, for the algorithms that hash
	Draw uint64 // uniformly random, for the algorithms that draw
	// Now is the time of the choice, for the algorithms that learn from outcomes.
	Now time.Time
}

// Again returns the query for another attempt after the choice for q was no
// use: a different key and draw, the same for the same attempt on every node.
func (q Query) Again(attempt int) Query {
	return Query{Key: Mix(q.Key, attempt), Draw: Mix(q.Draw, attempt), Now: q.Now}
}

// Picker chooses among the candidates it was built from. It is safe for use by
// several goroutines and does not allocate.
type Picker interface {
	// Pick returns the index of the chosen candidate, or -1 when there are none.
	Pick(q Query) int
	// Peek returns what Pick would, and leaves nothing behind.
	Peek(q Query) int
	// Explain returns what Peek weighs of each candidate, and leaves nothing behind.
	Explain(q Query) []Score
	// Loaded says that the Load of candidate i changed.
	Loaded(i int)
}

// Algorithm is one entry of All.
type Algorithm struct {
	Name    string
	Summary string
	// Hashes says that the choice depends on Query.Key, never on Query.Draw or
	// the order of the candidates, so that two nodes agree on it.
	Hashes bool
	// Loads says that the choice also depends on the loads.
	Loads bool
	// Shares says how the picks among idle candidates follow the weights.
	Shares Shares
	Params func() any // see spec.Kind, with the defaults filled in; nil means no parameters
	// New builds a picker from what Params made; it keeps neither that nor the
	// slice. More candidates than CandidatesMax are a fault of the caller.
	New func(params any, candidates []Candidate) Picker
}

// Shares is how closely an algorithm follows the weights of idle candidates.
type Shares uint8

// How closely it follows.
const (
	ByWeight Shares = iota // as closely as a random draw, or closer
	Roughly                // to within half of what is due
	InOrder                // not at all: the first of the list gets all
)
