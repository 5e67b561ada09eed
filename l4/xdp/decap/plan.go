package decap

import (
	"maps"
	"net/netip"
	"slices"

	"portico/spec"
)

// role is what a node may do to this one, as the program has it.
type role uint32

const (
	isSelf role = 1 << iota // an address of this node
	isL4                    // may wrap packets for it
	isL7                    // may be asked second, and may ask second
)

// plan is what a spec asks of one node. It says nothing of the machine.
type plan struct {
	// address is the node's own; device the interface that it was told, if any.
	address netip.Addr
	device  string
	// nodes are those of the site that packets are taken from or sent on to.
	nodes map[netip.Addr]role
	// vips are those that the node is to hold, in order.
	vips []netip.Addr
	// shared says that the node is an l4 node too, whose balancer sees the packets
	// of the interface first.
	shared bool
	// uplinks are the interfaces that the balancer is on, where the node names them.
	uplinks []string
	// calm is how many SYNs a second on one core are left to the kernel.
	calm uint32
	// overhead is how much longer a packet is on the way to the node, in bytes.
	overhead int
}

// Takes reports whether a node unwraps packets by a spec, for which a program must be
// loaded.
func Takes(want *spec.Spec, self spec.NodeName) bool { return planOf(want, self) != nil }

// planOf is the plan for a node; nil when it has nothing to do.
func planOf(want *spec.Spec, self spec.NodeName) *plan {
	node, site := want.Node(self)
	if !node.Has(spec.RoleL7) || !site.Encapsulates() {
		return nil
	}
	p := &plan{
		address: node.Address, device: node.Interface, nodes: map[netip.Addr]role{},
		shared: node.Has(spec.RoleL4), uplinks: node.Uplinks, calm: uint32(site.L4.SYNs), overhead: overhead(site.L4.Forward, node.Address),
	}
	for _, n := range site.With(spec.RoleL4) {
		p.nodes[n.Address] |= isL4
	}
	for _, n := range site.With(spec.RoleL7) {
		p.nodes[n.Address] |= isL7
	}
	p.nodes[node.Address] |= isSelf
	for _, b := range want.L7Binds(self) {
		if vip := b.Address.Addr(); len(b.ProxyFrom) == 0 && !slices.Contains(p.vips, vip) {
			p.vips = append(p.vips, vip)
		}
	}
	if len(p.vips) == 0 {
		return nil
	}
	slices.SortFunc(p.vips, netip.Addr.Compare)
	return p
}

// and is a plan, and besides it the nodes and VIPs of another; of nodes on
// different addresses or interfaces the plan alone. Nil asks for nothing.
func (p *plan) and(other *plan) *plan {
	switch {
	case p == nil:
		return other
	case other == nil || other.address != p.address || other.device != p.device:
		return p
	}
	all := *p
	all.nodes = maps.Clone(other.nodes)
	for a, r := range p.nodes {
		all.nodes[a] |= r
	}
	all.vips = append(slices.Clone(p.vips), other.vips...)
	slices.SortFunc(all.vips, netip.Addr.Compare)
	all.vips = slices.Compact(all.vips)
	return &all
}

// Bytes before the packet within: what decap.bpf.c takes off.
const (
	gue4Bytes   = 20 + 8 + 4 + 8  // IPv4, UDP, GUE, whom to ask next
	gue6Bytes   = 40 + 8 + 4 + 20 // the same with IPv6 and an address of it
	ip6ip6Bytes = 40 + 24         // IPv6, an option
)

// overhead is how much longer a packet is on the way to a node.
func overhead(f spec.Forward, node netip.Addr) int {
	switch {
	case f == spec.ForwardIP6IP6:
		return ip6ip6Bytes
	case node.Is4():
		return gue4Bytes
	}
	return gue6Bytes
}

// segmentMax is the most that a client may put into one segment to a VIP, so that
// its packet, within another, passes a link that has this much room for it.
func segmentMax(room int, vip netip.Addr) int {
	headers := 20 + 20 // IPv4 and TCP without options
	if vip.Is6() {
		headers = 40 + 20
	}
	return min(max(room-headers, segmentLeast), segmentMost)
}

// What a socket can be told.
const (
	segmentLeast = 88
	segmentMost  = 32767
)
