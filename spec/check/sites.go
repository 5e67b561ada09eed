package check

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

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
	}
	if a := n.Address; a.IsUnspecified() || a.IsMulticast() {
		c.problem(spec.At(path, "address"), fmt.Sprintf("%s is not the address of one machine", a), "use the one that other nodes reach it by")
	}
	for i, a := range n.DNS {
		if slices.Contains(n.DNS[:i], a) {
			c.problem(spec.At(path, "dns", i), fmt.Sprintf("%s is listed twice", a), "")
		}
	}
	c.uplinks(n, path)
	c.nat(n, path)
	c.dnsClash(n, path)
	c.announces(n, path)
}

// uplinks finds names that no interface has, and uplinks that nobody looks at.
func (c *checker) uplinks(n *spec.Node, path string) {
	at := spec.At(path, "uplinks")
	if len(n.Uplinks) > spec.UplinksMax {
		c.problem(at, fmt.Sprintf("%d uplinks", len(n.Uplinks)), fmt.Sprintf("name %d at most", spec.UplinksMax))
	}
	for i, name := range n.Uplinks {
		switch {
		case name == "" || len(name) > 15 || strings.ContainsAny(name, "/ *"):
			c.problem(spec.At(at, i), fmt.Sprintf("%q is not the name of an interface", name), "use a name as ip link shows it")
		case slices.Contains(n.Uplinks[:i], name):
			c.problem(spec.At(at, i), fmt.Sprintf("%q is listed twice", name), "")
		}
	}
	if len(n.Uplinks) > 0 && !n.Has(spec.RoleL4) {
		c.warning(at, fmt.Sprintf("node %q has no role l4, and no other looks at them", n.Name), "say interface for an l7 node")
	}
}

// nat finds addresses that no answer of a target would come back to.
func (c *checker) nat(n *spec.Node, path string) {
	families := map[bool]int{}
	for i, a := range n.NAT {
		at := spec.At(path, "nat", i)
		families[a.Is4()]++
		switch {
		case !a.IsValid() || a.IsUnspecified() || a.IsMulticast() || a.IsLoopback() || a.IsLinkLocalUnicast():
			c.problem(at, fmt.Sprintf("%s is no address that targets can answer to", a), "use one of the node, or one that is routed to it")
		case slices.Contains(n.NAT[:i], a):
			c.problem(at, fmt.Sprintf("%s is listed twice", a), "")
		case families[a.Is4()] == spec.NATMax+1:
			c.problem(at, fmt.Sprintf("%s is one too many of its family", a), fmt.Sprintf("list %d at most", spec.NATMax))
		}
	}
}

// announces warns of a node with the role vip that has nothing to announce.
func (c *checker) announces(n *spec.Node, path string) {
	if !n.Has(spec.RoleVIP) {
		return
	}
	at := spec.At(path, "roles", slices.Index(n.Roles, spec.RoleVIP))
	_, site := c.Node(n.Name)
	front := n.Has(spec.RoleL4) || n.Has(spec.RoleL7) && site != nil && len(site.With(spec.RoleL4)) == 0
	floats := slices.ContainsFunc(c.VIPs, func(v spec.VIP) bool { return v.Floats() && site != nil && c.at(&v, site.Name) })
	switch {
	case !front && n.Has(spec.RoleL7):
		c.warning(at, fmt.Sprintf("node %q announces nothing: the l4 nodes of site %q bind its VIPs, and it is none", n.Name, site.Name), "give the role to them")
	case !front:
		c.warning(at, fmt.Sprintf("node %q announces nothing: it has no role that binds VIPs", n.Name), `add "l4" or "l7"`)
	case !floats:
		c.warning(at, fmt.Sprintf("node %q announces nothing: no VIP of its site has announce: bgp or arp", n.Name), "say how its VIPs are announced, or leave the role out")
	}
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

func (c *checker) site(name spec.SiteName) *spec.Site {
	for i := range c.Sites {
		if c.Sites[i].Name == name {
			return &c.Sites[i]
		}
	}
	return nil
}
