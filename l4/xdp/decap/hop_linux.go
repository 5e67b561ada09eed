package decap

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// hops is what the program is to know of a plan's nodes: for those that it may send
// packets on to, the next hop besides. A router that packets come by knows the way
// to all of them, so a packet to a node whose hop is unknown is sent back to where
// it came from; but on one link that is the l4 node, which routes nothing.
func (m *machine) hops(p *plan) (map[netip.Addr]programNode, error) {
	nodes := map[netip.Addr]programNode{}
	var errs []error
	for a, r := range p.nodes {
		n := programNode{Roles: uint32(r)}
		if r&isL7 != 0 && r&isSelf == 0 {
			if err := m.hop(a, &n); err != nil {
				errs = append(errs, fmt.Errorf("way to node %s: %w", a, err))
			}
		}
		nodes[a] = n
	}
	return nodes, errors.Join(errs...)
}

// hop fills in how an address is reached, if that is known. If not, the kernel is
// asked to find out.
func (m *machine) hop(to netip.Addr, n *programNode) error {
	routes, err := m.links.RouteGet(to.AsSlice())
	if err != nil || len(routes) != 1 {
		return nil //nolint:nilerr // no way to it now; there may be one later
	}
	way := routes[0]
	via := to.AsSlice()
	if way.Gw != nil {
		via = way.Gw
	}
	link, err := m.links.LinkByIndex(way.LinkIndex)
	if err != nil {
		return err
	}
	family := netlink.FAMILY_V4
	if to.Is6() {
		family = netlink.FAMILY_V6
	}
	neighbors, err := again(func() ([]netlink.Neigh, error) { return m.links.NeighList(way.LinkIndex, family) })
	if err != nil {
		return err
	}
	const known = unix.NUD_REACHABLE | unix.NUD_STALE | unix.NUD_DELAY | unix.NUD_PROBE | unix.NUD_PERMANENT
	i := slices.IndexFunc(neighbors, func(x netlink.Neigh) bool {
		return x.State&known != 0 && x.IP.Equal(via) && len(x.HardwareAddr) == len(n.Mac)
	})
	if i >= 0 && len(link.Attrs().HardwareAddr) == len(n.Source) {
		n.Ifindex = uint32(way.LinkIndex)
		copy(n.Mac[:], neighbors[i].HardwareAddr)
		copy(n.Source[:], link.Attrs().HardwareAddr)
	}
	if i < 0 || neighbors[i].State&(unix.NUD_REACHABLE|unix.NUD_PERMANENT) == 0 {
		// A refusal, as on a link without neighbors, is no harm.
		_ = m.links.NeighSet(&netlink.Neigh{LinkIndex: way.LinkIndex, Family: family, IP: via, Flags: unix.NTF_USE})
	}
	return nil
}
