package decap

import (
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
	// shared says that the node is an l4 node too: on one interface, its balancer
	// sees packets first.
	shared bool
}

// planOf is the plan for a node; false when it has nothing to do.
func planOf(want *spec.Spec, self spec.NodeName) (plan, bool) {
	node, site := want.Node(self)
	if !node.Has(spec.RoleL7) || !site.Encapsulates() {
		return plan{}, false
	}
	p := plan{address: node.Address, device: node.Interface, nodes: map[netip.Addr]role{}, shared: node.Has(spec.RoleL4)}
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
	slices.SortFunc(p.vips, netip.Addr.Compare)
	return p, len(p.vips) > 0
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
	return max(room-headers, segmentMin)
}

// segmentMin is the least that a socket can be told.
const segmentMin = 88
