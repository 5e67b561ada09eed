package bgp

import (
	"hash/fnv"
	"net/netip"
	"slices"
	"time"

	"portico/spec"
)

// peerConfig is all that a session depends on; a peer whose configuration is equal
// is left alone.
type peerConfig struct {
	name     string     // Address, or Address%interface
	address  netip.Addr // invalid for an unnumbered peer
	link     string     // the interface; empty for whatever leads to address
	port     uint16
	as       uint32 // ours
	remoteAS uint32
	id       netip.Addr // our BGP identifier
	source   netip.Addr // the node's address
	password string
	hold     time.Duration
	hops     int           // multihop; 0 means that the router is on a link
	graceful time.Duration // 0 or less means that routers forget at once
	bfd      spec.BFD      // zero means without
}

// internal reports whether the router is of our own autonomous system.
func (c peerConfig) internal() bool { return c.as == c.remoteAS }

// configure reads from a spec the routers that a node speaks to; none when it has
// no role vip, or its site no BGP.
//
// Where flows outlive the process, routers are asked to keep its routes while it is
// away (graceful restart). Otherwise what they sent would be lost, for they cannot
// tell a crash from a restart.
func (o Options) configure(want *spec.Spec) []peerConfig {
	for _, site := range want.Sites {
		for _, node := range site.Nodes {
			if node.Name == o.Self && site.BGP != nil && slices.Contains(node.Roles, spec.RoleVIP) {
				return peers(site.BGP, node, o.Outlives != nil && o.Outlives(want))
			}
		}
	}
	return nil
}

func peers(b *spec.BGP, node spec.Node, keep bool) []peerConfig {
	graceful := b.GracefulRestart.D()
	if !keep {
		graceful = 0
	}
	var list []peerConfig
	for _, p := range b.Peers {
		if len(p.Nodes) > 0 && !slices.Contains(p.Nodes, node.Name) {
			continue
		}
		c := peerConfig{
			name: peerName(p), address: p.Address, link: p.Interface, port: p.Port,
			as: b.AS, remoteAS: p.AS, id: identifier(node), source: node.Address,
			hold: p.HoldTime.D(), hops: p.Multihop, graceful: graceful,
		}
		if p.Address.IsLinkLocalUnicast() {
			c.address = p.Address.WithZone(p.Interface)
		}
		if p.Password != nil {
			c.password = string(p.Password.Value)
		}
		if p.BFD != nil {
			c.bfd = *p.BFD
		}
		list = append(list, c)
	}
	return list
}

// peerName is how people and metrics call a router.
func peerName(p spec.BGPPeer) string {
	switch {
	case !p.Address.IsValid():
		return p.Interface
	case p.Address.IsLinkLocalUnicast():
		return p.Address.WithZone(p.Interface).String()
	}
	return p.Address.String()
}

// identifier is the node's IPv4 address, or a number of its name that is the same
// after every restart (RFC 6286, section 2.1).
func identifier(node spec.Node) netip.Addr {
	if a := node.Address.Unmap(); a.Is4() {
		return a
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(node.Name))
	sum := h.Sum32() | 1 // never 0
	return netip.AddrFrom4([4]byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)})
}
