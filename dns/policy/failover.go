package policy

import (
	"slices"

	"portico/spec"
)

// Failover are the parameters of the policy of that name: the sites, best first.
// A site that is not listed is never used.
type Failover []spec.SiteName

// Check refuses an empty list and a site listed twice.
func (f *Failover) Check() []spec.Problem {
	if len(*f) == 0 {
		return []spec.Problem{{What: "no site is listed", Help: "list sites, best first, such as [east, west]"}}
	}
	var problems []spec.Problem
	for i, site := range *f {
		if slices.Contains((*f)[:i], site) {
			problems = append(problems, spec.Problemf(spec.At(i), "site %q is listed before", site))
		}
	}
	return problems
}

func failoverNames(params any) []spec.SiteName {
	f, _ := params.(*Failover)
	if f == nil {
		return nil
	}
	return *f
}

func failoverSites(params any, known []spec.SiteName) []Site {
	var sites []Site
	for i, name := range failoverNames(params) {
		if slices.Contains(known, name) && !slices.Contains(failoverNames(params)[:i], name) {
			sites = append(sites, Site{name, 1})
		}
	}
	return sites
}

// failover answers with the first site in use.
type failover struct{ answers [][]int }

func newFailover(sites []Site) Chooser {
	if len(sites) == 0 {
		return &failover{}
	}
	return &failover{answers: [][]int{{0}}}
}

func (f *failover) Answers() [][]int { return f.answers }

func (f *failover) Choose(Query) int { return len(f.answers) - 1 }

func (f *failover) Share(site int) float64 {
	if site == 0 {
		return 1
	}
	return 0
}
