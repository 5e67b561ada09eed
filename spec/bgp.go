package spec

import "net/netip"

// BGP is how the nodes of a site speak to its routers (RFC 4271).
type BGP struct {
	// AS is the nodes' own autonomous system.
	AS    uint32    `json:"as" required:"true" range:"1..4294967295"`
	Peers []BGPPeer `json:"peers" required:"true"`
	// GracefulRestart is how long routers keep the routes of an l4 node whose process
	// is away (RFC 4724), where its kernel forwards on; "off" means not at all. With a
	// relay alone nothing forwards on, and they never do.
	GracefulRestart Duration `json:"gracefulRestart,omitempty" default:"10s"`
}

// BGPPeer is a router that nodes with the role vip announce VIPs to.
type BGPPeer struct {
	// Address is the router's; a link-local one needs Interface too. With Interface
	// alone (unnumbered) it is found there, as the only router on that link.
	Address   netip.Addr `json:"address,omitzero"`
	Interface string     `json:"interface,omitempty"`
	Port      uint16     `json:"port,omitempty" default:"179" range:"1..65535"`
	AS        uint32     `json:"as" required:"true" range:"1..4294967295"`
	// Nodes restricts who speaks to it; none means every node with the role vip.
	Nodes []NodeName `json:"nodes,omitempty"`
	// Password signs segments with TCP-MD5 (RFC 2385).
	Password *Secret  `json:"password,omitempty"`
	HoldTime Duration `json:"holdTime,omitempty" default:"9s" range:"3s..65535s"`
	// Multihop is the TTL of packets to a router that is not on a link of the node;
	// 0 means that it is.
	Multihop int `json:"multihop,omitempty" range:"0..255"`
	// BFD notices a silent loss sooner than HoldTime (RFC 5880); unset means without.
	BFD *BFD `json:"bfd,omitempty"`
}

// BFD is how fast a silent loss is noticed: after Multiplier times Interval.
type BFD struct {
	Interval   Duration `json:"interval,omitempty" default:"300ms" range:"10ms..10s"`
	Multiplier int      `json:"multiplier,omitempty" default:"3" range:"2..255"`
}

// VIPRoutes is what the routes of a VIP carry to BGP peers.
type VIPRoutes struct {
	// Communities are 65001:100, large ones 65001:1:2 (RFC 8092), or a well-known name.
	Communities []string `json:"communities,omitempty"`
	// MED asks the neighboring system to prefer the lowest; nil means none is sent.
	MED *uint32 `json:"med,omitempty"`
	// LocalPref asks routers of the same system to prefer the highest; nil means
	// none is sent.
	LocalPref *uint32 `json:"localPref,omitempty"`
}
