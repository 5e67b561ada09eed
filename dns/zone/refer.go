package zone

import (
	"fmt"
	"slices"
	"strings"

	"portico/dns/policy"
	"portico/spec"
)

// compiled checks what shows only when all zones stand together: where CNAMEs
// lead, and what is never answered.
func (c *checker) compiled(s *Set) {
	for i := range c.want.Zones {
		z := &c.want.Zones[i]
		apex := fqdn(z.Name)
		for j := range z.Records {
			r, at := &z.Records[j], spec.At("zones", i, "records", j)
			owner := absolute(r.Name, apex)
			n, holder := s.Find(owner)
			switch {
			case holder.Apex != apex:
				c.warning(spec.At(at, "name"), fmt.Sprintf("%q belongs to the zone %s and is never answered from here", r.Name, strings.TrimSuffix(holder.Apex, ".")), "move it there")
			case n != nil && n.Cut && n.Owner != owner && (r.VIP != "" || r.CNAME != "" || len(r.TXT)+len(r.NS) > 0):
				c.warning(spec.At(at, "name"), fmt.Sprintf("%q is below %s, which is handed to another zone, and is never answered", r.Name, strings.TrimSuffix(n.Owner, ".")), "only addresses of nameservers are used there")
			case r.CNAME != "":
				c.chain(spec.At(at, "cname"), s, n)
			}
		}
	}
}

// chain follows a CNAME within our zones.
func (c *checker) chain(at string, s *Set, n *Name) {
	steps := []string{strings.TrimSuffix(n.Owner, ".")}
	for n.CNAME() != "" {
		to := n.CNAME()
		steps = append(steps, strings.TrimSuffix(to, "."))
		if len(steps) > ChainMax+1 || slices.Contains(steps[:len(steps)-1], steps[len(steps)-1]) {
			c.problem(at, "the chain of aliases does not end: "+strings.Join(steps, ", "), fmt.Sprintf("use at most %d in a row", ChainMax))
			return
		}
		next, z := s.Find(to)
		if next == nil {
			if z != nil {
				c.warning(at, fmt.Sprintf("nothing is named %s", strings.TrimSuffix(to, ".")), "")
			}
			return
		}
		if n = next; n.Cut {
			return
		}
	}
}

func (c *checker) site(name spec.SiteName) bool {
	return slices.ContainsFunc(c.want.Sites, func(s spec.Site) bool { return s.Name == name })
}

func (c *checker) sites() []string {
	var names []string
	for _, s := range c.want.Sites {
		names = append(names, string(s.Name))
	}
	return names
}

func (c *checker) vips() []string {
	var names []string
	for _, v := range c.want.VIPs {
		names = append(names, string(v.Name))
	}
	return names
}

func policies() []string {
	var names []string
	for _, p := range policy.All() {
		names = append(names, p.Name)
	}
	return names
}

// Sites lists the sites where a VIP has addresses, in the order of the spec.
func Sites(want *spec.Spec, vip *spec.VIP) []spec.SiteName {
	var names []spec.SiteName
	for _, s := range want.Sites {
		if len(vip.Addresses[s.Name]) > 0 {
			names = append(names, s.Name)
		}
	}
	return names
}

func sitesOf(want *spec.Spec, vip *spec.VIP) []string {
	var names []string
	for _, s := range Sites(want, vip) {
		names = append(names, string(s))
	}
	return names
}
