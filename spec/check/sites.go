package check

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"portico/spec"
)

// sites checks the nodes, and that no two of them want one socket.
func (c *checker) sites() {
	type node struct {
		*spec.Node
		path string
	}
	var before []node
	for i := range c.Sites {
		for j := range c.Sites[i].Nodes {
			n := node{&c.Sites[i].Nodes[j], spec.At("sites", i, "nodes", j)}
			c.node(n.Node, n.path)
			for _, b := range before {
				if a, both := c.bothBind(b.Node, n.Node); both {
					c.problem(spec.At(n.path, "address"), fmt.Sprintf("node %q is on the same machine, and both would listen on %s", b.Name, a),
						"give each node an address of its own")
				}
			}
			before = append(before, n)
		}
	}
}

func (c *checker) node(n *spec.Node, path string) {
	if len(n.Roles) == 0 && n.Name != "" {
		c.problem(spec.At(path, "roles"), fmt.Sprintf("node %q has no role", n.Name), `use one of "dns", "vip", "l4", "l7"`)
	}
	for i, r := range n.Roles {
		if slices.Contains(n.Roles[:i], r) {
			c.problem(spec.At(path, "roles", i), fmt.Sprintf("the role %q is given twice", r), "")
		}
		if r == spec.RoleVIP {
			c.warning(spec.At(path, "roles", i), `the role "vip" does nothing yet: VIPs are not announced`, "route them to the node's l4 or l7 role, and leave it out")
		}
	}
	if a := n.Address; a.IsUnspecified() || a.IsMulticast() {
		c.problem(spec.At(path, "address"), fmt.Sprintf("%s is not the address of one machine", a), "use the one that other nodes reach it by")
	}
	for i, a := range n.DNS {
		if slices.Contains(n.DNS[:i], a) {
			c.problem(spec.At(path, "dns", i), fmt.Sprintf("%s is listed twice", a), "")
		}
	}
	c.dnsClash(n, path)
}

// dnsClash finds a DNS socket that a listener of the same node takes too.
func (c *checker) dnsClash(n *spec.Node, path string) {
	if !n.Has(spec.RoleDNS) {
		return
	}
	for _, b := range append(c.L4Binds(n.Name), c.L7Binds(n.Name)...) {
		for i, a := range n.DNSListen() {
			if !overlap(a, b.Address) {
				continue
			}
			at := spec.At(path, "dns", i)
			if len(n.DNS) == 0 {
				at = spec.At(path, "roles")
			}
			c.problem(at, fmt.Sprintf("%s is also the address of listener %q", a, served(b)), "let the dns role listen elsewhere")
		}
	}
}

// served names the first listener of a socket.
func served(b spec.Bind) spec.ListenerName {
	var names []spec.ListenerName
	for _, l := range b.Listeners {
		names = append(names, l.Name)
	}
	return slices.Min(names)
}

// bothBind finds a socket that two nodes of one machine would both bind: nodes
// with one address, or on loopback.
func (c *checker) bothBind(a, b *spec.Node) (netip.AddrPort, bool) {
	if !a.Address.IsValid() || !sameMachine(a, b) {
		return netip.AddrPort{}, false
	}
	if a.Has(spec.RoleDNS) && b.Has(spec.RoleDNS) {
		for _, x := range a.DNSListen() {
			if slices.Contains(b.DNSListen(), x) {
				return x, true
			}
		}
	}
	if a.Address != b.Address || a.Name == b.Name {
		return netip.AddrPort{}, false
	}
	for _, x := range append(c.L4Binds(a.Name), c.L7Binds(a.Name)...) {
		for _, y := range append(c.L4Binds(b.Name), c.L7Binds(b.Name)...) {
			if overlap(x.Address, y.Address) {
				return x.Address, true
			}
		}
	}
	return netip.AddrPort{}, false
}

func sameMachine(a, b *spec.Node) bool {
	return a.Address == b.Address || a.Address.IsLoopback() && b.Address.IsLoopback()
}

// overlap reports whether two sockets cannot be bound at once.
func overlap(a, b netip.AddrPort) bool {
	return a.Port() == b.Port() && (a.Addr() == b.Addr() || covers(a.Addr(), b.Addr()) || covers(b.Addr(), a.Addr()))
}

// covers reports whether an address is a wildcard that takes in another. The one
// of IPv6 takes in IPv4 too.
func covers(wild, a netip.Addr) bool {
	return wild.IsUnspecified() && (wild.Is6() || a.Is4())
}

// vips checks that each VIP has addresses where there are sites, which no node
// needs for itself.
func (c *checker) vips() {
	for i := range c.VIPs {
		v, at := &c.VIPs[i], spec.At("vips", i)
		if len(v.Addresses) == 0 {
			c.problem(spec.At(at, "addresses"), fmt.Sprintf("VIP %q has no address", v.Name), "give it one at each site: {east: [198.51.100.10]}")
		}
		for _, site := range slices.Sorted(maps.Keys(v.Addresses)) {
			path := spec.At(at, "addresses", site)
			if c.siteAt.has(c, string(site), path) {
				c.vipAddresses(v.Addresses[site], c.site(site), path)
			}
		}
		if v.Announce == spec.AnnounceBGP || v.Announce == spec.AnnounceARP {
			c.problem(spec.At(at, "announce"), fmt.Sprintf("announce: %s is not available yet", v.Announce), "use none")
		}
		for j, name := range v.Health.Listeners {
			path := spec.At(at, "health.listeners", j)
			if c.listenerAt.has(c, string(name), path) && c.Listener(name).VIP != v.Name {
				c.problem(path, fmt.Sprintf("listener %q is on VIP %q", name, c.Listener(name).VIP), "name listeners of this VIP")
			}
		}
	}
}

func (c *checker) site(name spec.SiteName) *spec.Site {
	for i := range c.Sites {
		if c.Sites[i].Name == name {
			return &c.Sites[i]
		}
	}
	return nil
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
