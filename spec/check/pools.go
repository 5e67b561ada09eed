package check

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"portico/spec"
)

// stock is one prefix of a pool, and where it is written.
type stock struct {
	prefix netip.Prefix
	path   string
}

// pools checks that no address is in two stocks, and that each can be given out.
func (c *checker) pools() {
	var before []stock
	for i := range c.Pools {
		p, at := &c.Pools[i], spec.At("pools", i)
		for _, site := range slices.Sorted(maps.Keys(p.Addresses)) {
			path := spec.At(at, "addresses", site)
			if c.siteAt.has(c, string(site), path) && len(p.Addresses[site]) == 0 {
				c.problem(path, fmt.Sprintf("no address is given for site %q", site), "leave the site out, or list prefixes: [198.51.100.0/28]")
			}
			for j, prefix := range p.Addresses[site] {
				s := stock{prefix, spec.At(path, j)}
				c.stock(s, before)
				before = append(before, s)
			}
		}
		if !slices.ContainsFunc(c.VIPs, func(v spec.VIP) bool { return v.Pool == p.Name }) && p.Name != "" {
			c.warning(at, fmt.Sprintf("no VIP asks pool %q for an address", p.Name), fmt.Sprintf("write pool: %s at a VIP without addresses", p.Name))
		}
	}
}

func (c *checker) stock(s stock, before []stock) {
	a := s.prefix.Addr()
	if s.prefix != s.prefix.Masked() {
		c.problem(s.path, fmt.Sprintf("%s has bits beyond its length", s.prefix), fmt.Sprintf("use %s, or one address: %s/%d", s.prefix.Masked(), a, a.BitLen()))
	}
	if a.IsUnspecified() || a.IsMulticast() || a.IsLinkLocalUnicast() || a.Is4In6() {
		c.problem(s.path, fmt.Sprintf("%s holds addresses that no client can reach", s.prefix), "use addresses that are routed to the site")
	}
	for _, b := range before {
		if b.prefix.Overlaps(s.prefix) {
			c.problem(s.path, fmt.Sprintf("%s overlaps %s of %s", s.prefix, b.prefix, b.path), "list each address once")
			return
		}
	}
}
