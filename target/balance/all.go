package balance

import "portico/spec"

// Default is the algorithm used where a group names none.
const Default = "round-robin"

// All lists the algorithms, in the order they are documented.
func All() []Algorithm {
	return []Algorithm{
		{Name: "round-robin", Summary: "each target in turn, as often as its weight says", New: newRoundRobin},
		{Name: "random-two", Summary: "the less loaded of two targets drawn by weight", New: newRandomTwo},
		{Name: "least-conn", Summary: "the target with the fewest requests or flows in flight for its weight", New: newLeastConn},
		{Name: "maglev", Summary: "the same target for the same client; few clients move when a target leaves", Hashes: true, New: newMaglev},
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
