package auth

import (
	"fmt"

	"portico/internal/suggest"
	"portico/spec"
)

// CheckGroups refuses filters that ask a target group there is none of, or one
// that is not spoken to in plain HTTP.
func CheckGroups(want *spec.Spec) []spec.Problem {
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
				p, ok := f.Params.(*Forward)
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
