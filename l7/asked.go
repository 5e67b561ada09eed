package l7

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"portico/internal/suggest"
	"portico/l7/auth"
	"portico/spec"
	"portico/target"
	"portico/target/balance"
)

// one chooses a target of a group for what a filter asks, another than those that
// were tried if there is one; done tells it that the answer is there.
func (s *Server) one(group spec.TargetGroupName, tried []string) (host string, done func(), ok bool) {
	g := s.o.Groups.Group(group)
	if g == nil {
		return "", nil, false
	}
	var not []*target.Target
	for _, t := range g.Targets() {
		if slices.Contains(tried, t.Address().String()) {
			not = append(not, t)
		}
	}
	t := g.Pick(balance.Query{Key: rand.Uint64(), Draw: rand.Uint64()}, not)
	if t == nil {
		return "", nil, false
	}
	t.Begin()
	return t.Address().String(), t.End, true
}

// checkAsked refuses filters that ask a target group there is none of, or one
// that is not spoken to in plain HTTP.
func checkAsked(want *spec.Spec) []spec.Problem {
	groups := map[spec.TargetGroupName]*spec.TargetGroup{}
	var names []string
	for i := range want.TargetGroups {
		g := &want.TargetGroups[i]
		groups[g.Name] = g
		names = append(names, string(g.Name))
	}
	var problems []spec.Problem
	for i := range want.Routes {
		for j := range want.Routes[i].Rules {
			for k, f := range want.Routes[i].Rules[j].Filters {
				p, ok := f.Params.(*auth.Forward)
				if !ok || p.TargetGroup == "" {
					continue
				}
				at := spec.At("routes", i, "rules", j, "filters", k, "forwardAuth", "targetGroup")
				switch g := groups[p.TargetGroup]; {
				case g == nil:
					problems = append(problems, spec.Problem{
						Path: at, What: fmt.Sprintf("no target group named %q", p.TargetGroup),
						Help: suggest.Defined(string(p.TargetGroup), names),
					})
				case g.TLS != nil:
					problems = append(problems, spec.Problem{
						Path: at, What: fmt.Sprintf("target group %q is reached over TLS", p.TargetGroup), Help: "use url: https://… for it",
					})
				}
			}
		}
	}
	return problems
}
