package policy

import "portico/spec"

// All lists the policies, in the order they are documented.
func All() []Policy {
	return []Policy{
		{Name: "simple", Summary: "every site, each first as often as the others", Sites: every, Names: none, New: newSimple},
		{
			Name: "weighted", Summary: "one site, drawn by weight; weight 0 is off, and all zero is equal",
			Params: func() any { return new(Weighted) }, Sites: weightedSites, Names: weightedNames, New: newWeighted,
		},
		{
			Name: "failover", Summary: "the first site of the list that is in use",
			Params: func() any { return new(Failover) }, Sites: failoverSites, Names: failoverNames, New: newFailover,
		},
	}
}

// Lookup returns the policy of that name.
func Lookup(name string) (Policy, bool) {
	for _, p := range All() {
		if p.Name == name {
			return p, true
		}
	}
	return Policy{}, false
}

// Of returns the policy a record chose, and its parameters; without a choice it
// is the default. It is false when there is no such policy.
func Of(choice *spec.Choice) (Policy, any, bool) {
	if choice == nil {
		p, ok := Lookup(Default)
		return p, nil, ok
	}
	p, ok := Lookup(choice.Name)
	return p, choice.Params, ok
}

// Kinds are the policies as alternatives of a spec.Choice.
func Kinds() []spec.Kind {
	all := All()
	kinds := make([]spec.Kind, len(all))
	for i, p := range all {
		kinds[i] = spec.Kind{Name: p.Name, Summary: p.Summary, Params: p.Params}
	}
	return kinds
}
