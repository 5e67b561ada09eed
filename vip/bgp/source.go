package bgp

import (
	"net"
	"net/netip"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

// nextHops are the addresses that a router sends a family's packets to.
type nextHops struct {
	global netip.Addr
	// link is the link-local address beside it; the zero value for none (RFC 2545).
	link netip.Addr
}

// source is the address to reach a router from. The kernel knows which link leads
// there; where the node's own address is on that link too it is taken, for it is
// what routers have in their configuration. A router that is several hops away is
// reached from the node's own address always.
func source(c peerConfig, to netip.Addr) (netip.Addr, error) {
	same := c.source.IsValid() && c.source.Is4() == to.Is4()
	if c.hops > 0 && same {
		return c.source, nil
	}
	probe, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(to, c.port))) // sends nothing
	if err != nil {
		return netip.Addr{}, err
	}
	chosen := probe.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()
	_ = probe.Close()
	if same && !to.IsLinkLocalUnicast() && (link{addresses: linkOf(chosen)}).holds(c.source) {
		return c.source, nil
	}
	return chosen, nil
}

// link is the addresses of one interface.
type link struct{ addresses []netip.Prefix }

func (l link) holds(a netip.Addr) bool {
	for _, p := range l.addresses {
		if p.Addr() == a || (p.Addr().IsLoopback() && a.IsLoopback()) {
			return true
		}
	}
	return false
}

// linkOf lists the addresses of the interface that holds an address; none when it
// is gone.
func linkOf(a netip.Addr) []netip.Prefix {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil
	}
	for _, i := range interfaces {
		list := prefixes(i)
		if (link{list}).holds(a.WithZone("")) && (a.Zone() == "" || a.Zone() == i.Name) {
			return list
		}
	}
	return nil
}

func prefixes(i net.Interface) []netip.Prefix {
	addrs, err := i.Addrs()
	if err != nil {
		return nil
	}
	var list []netip.Prefix
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok {
			addr, _ := netip.AddrFromSlice(n.IP)
			ones, _ := n.Mask.Size()
			list = append(list, netip.PrefixFrom(addr.Unmap(), ones))
		}
	}
	return list
}

// hopsOn are the next hops of both families on a link, for a session from local. A
// family without an address there has none, but IPv4 can go by way of IPv6 when the
// router takes that. Pure.
func hopsOn(local netip.Addr, addresses []netip.Prefix, routes []Route, o opened) map[bgp.Family]nextHops {
	vips := map[netip.Addr]bool{}
	for _, r := range routes {
		vips[r.Prefix.Addr()] = true
	}
	local = local.WithZone("")
	hops := map[bgp.Family]nextHops{}
	four := best(local, addresses, vips, func(a netip.Addr) bool { return a.Is4() })
	six := best(local, addresses, vips, func(a netip.Addr) bool { return a.Is6() && !a.IsLinkLocalUnicast() })
	under := best(local, addresses, vips, func(a netip.Addr) bool { return a.Is6() && a.IsLinkLocalUnicast() })
	if !six.IsValid() {
		six, under = under, netip.Addr{}
	}
	if !local.IsLinkLocalUnicast() {
		under = netip.Addr{} // the global address is enough, and what people look for
	}
	if six.IsValid() {
		hops[bgp.RF_IPv6_UC] = nextHops{global: six, link: under}
	}
	switch {
	case four.IsValid():
		hops[bgp.RF_IPv4_UC] = nextHops{global: four}
	case six.IsValid() && o.extended:
		hops[bgp.RF_IPv4_UC] = nextHops{global: six, link: under}
	}
	return hops
}

// best is local if it fits, then the first address that is its network's and not a
// VIP, then the first that is not a VIP.
func best(local netip.Addr, addresses []netip.Prefix, vips map[netip.Addr]bool, fits func(netip.Addr) bool) netip.Addr {
	if fits(local) {
		return local
	}
	var second netip.Addr
	for _, p := range addresses {
		switch a := p.Addr(); {
		case !fits(a) || vips[a]:
		case !p.IsSingleIP():
			return a
		case !second.IsValid():
			second = a
		}
	}
	return second
}
