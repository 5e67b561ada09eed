package check

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"portico/spec"
)

// vips checks that each VIP has addresses where there are sites, which no node
// needs for itself.
func (c *checker) vips() {
	for i := range c.VIPs {
		v, at := &c.VIPs[i], spec.At("vips", i)
		if len(v.Addresses) == 0 && v.Pool == "" {
			c.problem(spec.At(at, "addresses"), fmt.Sprintf("VIP %q has no address", v.Name), "give it one at each site: {east: [198.51.100.10]}, or name a pool")
		}
		if v.Pool != "" {
			c.poolAt.has(c, string(v.Pool), spec.At(at, "pool"))
		}
		for _, site := range slices.Sorted(maps.Keys(v.Addresses)) {
			path := spec.At(at, "addresses", site)
			if c.siteAt.has(c, string(site), path) {
				c.vipAddresses(v.Addresses[site], c.site(site), path)
			}
		}
		if v.Floats() {
			c.announced(v, at)
		}
		c.alike(v, i, at)
		for j, name := range v.Health.Listeners {
			path := spec.At(at, "health.listeners", j)
			if c.listenerAt.has(c, string(name), path) && c.Listener(name).VIP != v.Name {
				c.problem(path, fmt.Sprintf("listener %q is on VIP %q", name, c.Listener(name).VIP), "name listeners of this VIP")
			}
		}
	}
}

// announced checks that somebody can announce the VIP at each of its sites, and
// that its addresses can be announced.
func (c *checker) announced(v *spec.VIP, at string) {
	for i := range c.Sites {
		site := &c.Sites[i]
		if !c.at(v, site.Name) {
			continue
		}
		if v.Announce == spec.AnnounceBGP && site.BGP == nil {
			c.problem(spec.At(at, "announce"), fmt.Sprintf("VIP %q is announced by BGP, and site %q says nothing of its routers", v.Name, site.Name),
				fmt.Sprintf("add bgp: {as: …, peers: […]} to site %q", site.Name))
		}
		if len(site.With(spec.RoleVIP)) == 0 {
			c.warning(spec.At(at, "announce"), fmt.Sprintf("no node of site %q has the role vip, so nobody there announces VIP %q", site.Name, v.Name),
				"give the role to the nodes that bind it")
		}
		for j, a := range v.Addresses[site.Name] {
			c.announcedAddress(a, site, spec.At(at, "addresses", site.Name, j))
		}
	}
}

// alike finds an address of an earlier VIP that is announced in another way.
func (c *checker) alike(v *spec.VIP, before int, at string) {
	for i := range before {
		other := &c.VIPs[i]
		if other.Announce == v.Announce {
			continue
		}
		for _, site := range slices.Sorted(maps.Keys(v.Addresses)) {
			for _, a := range v.Addresses[site] {
				if slices.Contains(other.Addresses[site], a) {
					c.problem(spec.At(at, "announce"), fmt.Sprintf("%s is also an address of VIP %q, which has announce: %s", a, other.Name, other.Announce), "announce both alike")
				}
			}
		}
	}
}

// at reports whether a VIP has addresses at a site, its own or of a pool.
func (c *checker) at(v *spec.VIP, site spec.SiteName) bool {
	if len(v.Addresses[site]) > 0 {
		return true
	}
	p := c.Pool(v.Pool)
	return p != nil && len(p.Addresses[site]) > 0
}

func (c *checker) announcedAddress(a netip.Addr, site *spec.Site, path string) {
	if a.IsUnspecified() || a.IsLoopback() || a.IsLinkLocalUnicast() || a.Is4In6() {
		c.problem(path, fmt.Sprintf("%s cannot be announced", a), "use an address that clients can be routed to")
	}
	for i := range site.Nodes {
		if n := &site.Nodes[i]; n.Address == a {
			c.problem(path, fmt.Sprintf("%s is the address of node %q, which other nodes reach it by", a, n.Name), "give the VIP an address of its own")
		}
	}
}

func (c *checker) vipAddresses(addrs []netip.Addr, site *spec.Site, path string) {
	if len(addrs) == 0 {
		c.problem(path, fmt.Sprintf("no address is given for site %q", site.Name), "leave the site out, or give it one")
	}
	v4, v6 := 0, 0
	for i, a := range addrs {
		at := spec.At(path, i)
		if a.Is4() {
			v4++
		} else if a.Is6() {
			v6++
		}
		if (v4 > 1 && a.Is4()) || (v6 > 1 && a.Is6()) {
			c.problem(at, "a VIP has at most one address of each family at a site", "make another VIP")
		}
		if a.IsMulticast() {
			c.problem(at, fmt.Sprintf("%s is a multicast address", a), "")
		}
		c.nodeClash(a, site, at)
	}
}

// nodeClash finds an l7 node that binds its own address behind the l4 nodes of
// its site, where they would bind the same as the VIP.
func (c *checker) nodeClash(vip netip.Addr, site *spec.Site, path string) {
	for _, front := range site.With(spec.RoleL4) {
		for _, n := range site.With(spec.RoleL7) {
			if vip != n.Address && (!covers(vip, n.Address) || !sameMachine(front, n)) {
				continue
			}
			c.problem(path, fmt.Sprintf("node %q needs %s for what node %q sends it; both would bind the same port", n.Name, n.Address, front.Name),
				fmt.Sprintf("give the VIP an address of its own, or leave the role l4 out at site %q", site.Name))
			return
		}
	}
}
