package spec

// Datapath is what carries the flows of an l4 node.
type Datapath string

// The datapaths.
const (
	DatapathRelay Datapath = "relay" // sockets: needs nothing of the kernel
	DatapathXDP   Datapath = "xdp"   // programs in the kernel, or a problem where it has not what they need
	DatapathAuto  Datapath = "auto"  // xdp, but relay where the kernel clearly cannot
)

// Forward is how a packet reaches a target when it is the kernel that forwards.
type Forward string

// The ways to forward.
const (
	ForwardGUE    Forward = "gue"    // within UDP, with the target to ask second; to Portico's own l7 nodes
	ForwardIP6IP6 Forward = "ip6ip6" // within IPv6 (RFC 2473)
	ForwardIPIP   Forward = "ipip"   // within IPv4 (RFC 2003), or IPv6 within IPv4 (RFC 4213)
	ForwardNAT    Forward = "nat"    // both addresses rewritten: the target needs nothing, and sees the node
	ForwardDSR    Forward = "dsr"    // only the MAC address is: the target is on the same link and has the VIP
)

// SiteL4 is how the l4 nodes of a site carry flows.
type SiteL4 struct {
	// Datapath is what carries them; a node may be told otherwise when it is run.
	Datapath Datapath `json:"datapath,omitempty" default:"relay" enum:"relay|xdp|auto"`
	// Forward is how packets reach the site's l7 nodes, in the kernel.
	Forward Forward `json:"forward,omitempty" default:"gue" enum:"gue|ip6ip6|nat"`
	// Flows is how many flows a node remembers in the kernel. Beyond it the oldest
	// are forgotten: they are placed by hash alone.
	Flows int `json:"flows,omitempty" default:"1000000" range:"1024..64000000"`
	// NewFlows is how many flows a second each core remembers anew, so that a flood
	// cannot push out those that are; the others are placed by hash alone.
	NewFlows int `json:"newFlows,omitempty" default:"200000" range:"1..10000000"`
	// SYNs is how many SYNs a second each core of an l7 node leaves to the kernel, whose
	// own cookies keep more of what a client offers. Beyond it, while the queue of a
	// listener is full, the program answers them.
	SYNs int `json:"syns,omitempty" default:"10000" range:"1..10000000"`
}

// Encapsulates reports whether the site's l4 nodes hand packets to its l7 nodes
// whole, each within another, and not the bytes of a connection.
func (st *Site) Encapsulates() bool {
	return len(st.With(RoleL4)) > 0 && st.L4.Forward != ForwardNAT &&
		(st.L4.Datapath == DatapathXDP || st.L4.Datapath == DatapathAuto)
}
