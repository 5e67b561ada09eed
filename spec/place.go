package spec

import (
	"fmt"
	"net/netip"
	"slices"
)

// Bind is one socket that a node opens for listeners, and how it tells them apart.
type Bind struct {
	Address netip.AddrPort
	// Listeners are those served on the socket, by VIP address: one where the
	// VIP itself is bound, several where l4 nodes in front name the VIP in a
	// PROXY header.
	Listeners map[netip.Addr]*Listener
	// ProxyFrom are the l4 nodes that must, and alone may, send a PROXY v2
	// header. Empty means that clients connect directly, without one.
	ProxyFrom []netip.Addr
	// Floating says that the address is one that the node may not hold now: a VIP
	// that it announces, or that another node answers for.
	Floating bool
}

// For returns the listener for a connection to vip, or nil. Where the socket is
// the VIP's own, every address is taken for it, so that wildcards work. Behind
// l4 nodes, an address that no listener has belongs to the VIP that is a wildcard:
// that of its family (0.0.0.0 or ::), else ::.
func (b Bind) For(vip netip.Addr) *Listener {
	if len(b.ProxyFrom) > 0 {
		vip = vip.Unmap()
		if l := b.Listeners[vip]; l != nil {
			return l
		}
		if l := b.Listeners[netip.IPv4Unspecified()]; l != nil && vip.Is4() {
			return l
		}
		return b.Listeners[netip.IPv6Unspecified()]
	}
	for _, l := range b.Listeners {
		return l
	}
	return nil
}

// Node returns the node and its site, or nil and nil when there is no such node.
func (s *Spec) Node(name NodeName) (*Node, *Site) {
	for i := range s.Sites {
		for j := range s.Sites[i].Nodes {
			if s.Sites[i].Nodes[j].Name == name {
				return &s.Sites[i].Nodes[j], &s.Sites[i]
			}
		}
	}
	return nil, nil
}

// Has reports whether the role is switched on in the node.
func (n *Node) Has(r Role) bool { return n != nil && slices.Contains(n.Roles, r) }

// DNSListen is where the node's dns role listens.
func (n *Node) DNSListen() []netip.AddrPort {
	if len(n.DNS) > 0 {
		return n.DNS
	}
	return []netip.AddrPort{netip.AddrPortFrom(n.Address, 53)}
}

// With lists the site's nodes that have a role.
func (st *Site) With(r Role) []*Node {
	var nodes []*Node
	for i := range st.Nodes {
		if st.Nodes[i].Has(r) {
			nodes = append(nodes, &st.Nodes[i])
		}
	}
	return nodes
}

// VIP returns the VIP of that name, or nil.
func (s *Spec) VIP(name VIPName) *VIP {
	return find(s.VIPs, func(v *VIP) bool { return v.Name == name })
}

// Floats reports whether nodes come to hold the VIP's addresses by announcing
// them, and not because their machines are set up so.
func (v *VIP) Floats() bool { return v.Announce == AnnounceBGP || v.Announce == AnnounceARP }

// Pool returns the pool of that name, or nil.
func (s *Spec) Pool(name PoolName) *Pool {
	return find(s.Pools, func(p *Pool) bool { return p.Name == name })
}

// Route returns the route of that name, or nil.
func (s *Spec) Route(name RouteName) *Route {
	return find(s.Routes, func(r *Route) bool { return r.Name == name })
}

// Listener returns the listener of that name, or nil.
func (s *Spec) Listener(name ListenerName) *Listener {
	return find(s.Listeners, func(l *Listener) bool { return l.Name == name })
}

// TargetGroup returns the target group of that name, or nil.
func (s *Spec) TargetGroup(name TargetGroupName) *TargetGroup {
	return find(s.TargetGroups, func(g *TargetGroup) bool { return g.Name == name })
}

func find[T any](list []T, is func(*T) bool) *T {
	for i := range list {
		if is(&list[i]) {
			return &list[i]
		}
	}
	return nil
}

// At lists the group's targets that the nodes of a site use: its own, those of no
// site and, across sites, all.
func (g *TargetGroup) At(site SiteName) []Target {
	var at []Target
	for _, t := range g.Targets {
		if t.Site == "" || t.Site == site || g.CrossSite != nil && *g.CrossSite {
			at = append(at, t)
		}
	}
	return at
}

// L7Group is the implied group of a site's l7 nodes on one port, to which l4
// nodes send the flows of http and https listeners.
func L7Group(port uint16) TargetGroupName { return TargetGroupName(fmt.Sprintf("l7:%d", port)) }

// VIPGroup is the implied group of a VIP's addresses at every site on the port
// of one listener, which dns nodes probe.
func VIPGroup(vip VIPName, l ListenerName) TargetGroupName {
	return TargetGroupName("vip:" + string(vip) + ":" + string(l))
}

// L4Binds lists what a node binds as an l4 node: every listener on the VIPs of
// its site. It is empty without the role.
func (s *Spec) L4Binds(self NodeName) []Bind {
	node, site := s.Node(self)
	if !node.Has(RoleL4) {
		return nil
	}
	return s.vipBinds(site, func(*Listener) bool { return true })
}

// L7Binds lists what a node binds as an l7 node. Behind l4 nodes of its site it
// binds its own address at each listener's port and takes PROXY headers from
// them; where they hand over whole packets it binds the VIPs besides, but for
// wildcards. Without l4 nodes it binds the VIPs alone. It is empty without the
// role.
func (s *Spec) L7Binds(self NodeName) []Bind {
	node, site := s.Node(self)
	if !node.Has(RoleL7) {
		return nil
	}
	front := site.With(RoleL4)
	isHTTP := func(l *Listener) bool { return l.Protocol.IsHTTP() }
	if len(front) == 0 {
		return s.vipBinds(site, isHTTP)
	}
	var from []netip.Addr
	for _, n := range front {
		from = append(from, n.Address)
	}
	var binds, direct []Bind
	byPort := map[uint16]int{}
	for _, b := range s.vipBinds(site, isHTTP) {
		if vip := b.Address.Addr(); site.Encapsulates() && !vip.IsUnspecified() && vip != node.Address {
			direct = append(direct, b)
		}
		port := b.Address.Port()
		i, seen := byPort[port]
		if !seen {
			i = len(binds)
			byPort[port] = i
			binds = append(binds, Bind{
				Address:   netip.AddrPortFrom(node.Address, port),
				Listeners: map[netip.Addr]*Listener{},
				ProxyFrom: from,
			})
		}
		binds[i].Listeners[b.Address.Addr()] = b.For(b.Address.Addr())
	}
	return append(binds, direct...)
}

// vipBinds lists one bind for each address of each wanted listener's VIP at a site.
func (s *Spec) vipBinds(site *Site, wanted func(*Listener) bool) []Bind {
	var binds []Bind
	for i := range s.Listeners {
		l := &s.Listeners[i]
		vip := s.VIP(l.VIP)
		if vip == nil || !wanted(l) {
			continue
		}
		for _, addr := range vip.Addresses[site.Name] {
			binds = append(binds, Bind{
				Address:   netip.AddrPortFrom(addr, l.Port),
				Listeners: map[netip.Addr]*Listener{addr: l},
				Floating:  vip.Floats(),
			})
		}
	}
	return binds
}
