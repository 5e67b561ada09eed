// Package balance chooses one of several candidates. It is pure: no clock,
// socket or goroutine; the caller draws the randomness and keeps the loads.
package balance

import "sync/atomic"

// Candidate is a target that may be chosen.
type Candidate struct {
	// Key identifies the target alike on every node (a hash of its address).
	Key uint64
	// Weight is its share, above zero.
	Weight int
	// Load counts the requests or flows it has in flight; the caller keeps it.
	Load *atomic.Int64
}

// Query is what one choice depends on.
type Query struct {
	Key  uint64 // a hash of what should stay together, for the algorithms that hash
	Draw uint64 // uniformly random, for the algorithms that draw
}

// Picker chooses among the candidates it was built from. It is safe for use by
// several goroutines and does not allocate.
type Picker interface {
	// Pick returns the index of the chosen candidate, or -1 when there are none.
	Pick(Query) int
	// Loaded says that the Load of candidate i changed.
	Loaded(i int)
}

// Algorithm is one entry of All.
type Algorithm struct {
	Name    string
	Summary string
	Params  func() any // see spec.Kind; nil means no parameters
	// New builds a picker; it keeps neither params nor the slice.
	New func(params any, candidates []Candidate) Picker
}
