package balance

import (
	"time"

	"portico/spec"
)

// Default is the algorithm used where a group names none.
const Default = "round-robin"

// All lists the algorithms, in the order they are documented.
func All() []Algorithm {
	return []Algorithm{
		{Name: "round-robin", Summary: "each target in turn, as often as its weight says", New: newRoundRobin},
		{Name: "random", Summary: "a target drawn by weight", New: newRandom},
		{Name: "random-two", Summary: "the less loaded of two targets drawn by weight", Loads: true, New: newRandomTwo},
		{Name: "least-conn", Summary: "the target with the fewest requests or flows in flight for its weight", Loads: true, New: newLeastConn},
		{
			Name: "least-time", Summary: "of two targets drawn by weight, the one that is expected to answer sooner", Loads: true,
			Params: func() any {
				return &LeastTime{Decay: spec.Duration(10 * time.Second), Failure: spec.Duration(time.Second)}
			},
			New: newLeastTime,
		},
		{
			Name: "first", Summary: "the first target of the list that has room", Loads: true, Shares: InOrder,
			Params: func() any { return &First{Limit: 100} }, New: newFirst,
		},
		{
			Name: "maglev", Summary: "the same target for the same key; few keys move when a target leaves", Hashes: true,
			Params: newHash, New: newMaglev,
		},
		{
			Name: "rendezvous", Summary: "the same target for the same key; only those of a target that leaves move", Hashes: true,
			Params: newHash, New: newRendezvous,
		},
		{
			Name: "ring-hash", Summary: "the same target for the same key, while its load is within a bound", Hashes: true, Loads: true, Shares: Roughly,
			Params: func() any { return &RingHash{Hash: Hash{Prefix: hashPrefix}, LoadMax: 125} }, New: newRingHash,
		},
	}
}

// Lookup returns the algorithm of that name.
func Lookup(name string) (Algorithm, bool) {
	for _, a := range All() {
		if a.Name == name {
			return a, true
		}
	}
	return Algorithm{}, false
}

// Kinds are the algorithms as alternatives of a spec.Choice.
func Kinds() []spec.Kind {
	all := All()
	kinds := make([]spec.Kind, len(all))
	for i, a := range all {
		kinds[i] = spec.Kind{Name: a.Name, Summary: a.Summary, Params: a.Params}
	}
	return kinds
}
