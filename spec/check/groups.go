package check

import (
	"fmt"
	"net/netip"

	"portico/spec"
)

// targetGroups checks the targets of each group.
func (c *checker) targetGroups() {
	for i := range c.TargetGroups {
		g, at := &c.TargetGroups[i], spec.At("targetGroups", i)
		c.targetTLS(g, at)
		c.tcp(&g.TCP, at)
		if len(g.Targets) == 0 {
			c.warning(spec.At(at, "targets"), fmt.Sprintf("target group %q has no targets", g.Name), "")
			continue
		}
		c.targets(g, at)
		if g.Limits.Queue != nil && g.Limits.PerTarget() == 0 {
			c.warning(spec.At(at, "limits", "queue"), "nothing waits in this queue: targets have no limit", "set limits.requests, or limits.connections")
		}
		if weightless(g.Targets) {
			c.warning(spec.At(at, "targets"), "every target has weight 0, so none takes anything new", "give one a weight")
		}
	}
}

// targets checks that every target's site is known, and that no site uses an
// address twice: it would be checked and counted twice.
func (c *checker) targets(g *spec.TargetGroup, at string) {
	bySite := map[netip.AddrPort]map[spec.SiteName]int{}
	for j, t := range g.Targets {
		path := spec.At(at, "targets", j)
		if t.Site != "" {
			c.siteAt.has(c, string(t.Site), spec.At(path, "site"))
		}
		c.quicServer(&t, path)
		if !t.Address.IsValid() {
			continue
		}
		sites := bySite[t.Address.AddrPort]
		if sites == nil {
			sites = map[spec.SiteName]int{}
			bySite[t.Address.AddrPort] = sites
		}
		if first, twice := sameSite(sites, t.Site); twice {
			c.problem(spec.At(path, "address"), fmt.Sprintf("%s is already the address of targets[%d]", t.Address, first), "list it once; a weight makes its share larger")
			continue
		}
		sites[t.Site] = j
	}
}

// sameSite finds a target that some site uses together with one of the site
// given. A target without a site is used by all.
func sameSite(sites map[spec.SiteName]int, site spec.SiteName) (first int, found bool) {
	if j, ok := sites[site]; ok {
		return j, true
	}
	if j, ok := sites[""]; ok {
		return j, true
	}
	if site != "" {
		return 0, false
	}
	first = -1
	for _, j := range sites {
		if first < 0 || j < first {
			first = j
		}
	}
	return first, first >= 0
}

func weightless(targets []spec.Target) bool {
	for _, t := range targets {
		if t.Weight > 0 {
			return false
		}
	}
	return true
}
