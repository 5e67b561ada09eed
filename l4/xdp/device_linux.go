package xdp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"

	"github.com/vishvananda/netlink"
)

// deviceOf is the interface that has an address.
func deviceOf(a netip.Addr) (device, error) {
	all, err := net.Interfaces()
	if err != nil {
		return device{}, err
	}
	for _, i := range all {
		addresses, err := i.Addrs()
		if err != nil {
			continue
		}
		if slices.ContainsFunc(addresses, func(has net.Addr) bool {
			p, err := netip.ParsePrefix(has.String())
			return err == nil && p.Addr().Unmap() == a.Unmap()
		}) {
			return device{name: i.Name, index: i.Index, mtu: i.MTU}, nil
		}
	}
	return device{}, fmt.Errorf("no interface has the node's address %s", a)
}

// neighbor is the MAC address of who is on the link, as the kernel learned it from
// health checks; nil when it did not.
func (d device) neighbor(a netip.Addr) net.HardwareAddr {
	family := netlink.FAMILY_V4
	if a.Is6() {
		family = netlink.FAMILY_V6
	}
	list, err := netlink.NeighList(d.index, family)
	if err != nil {
		return nil
	}
	for _, n := range list {
		if ip, ok := netip.AddrFromSlice(n.IP); ok && ip.Unmap() == a.Unmap() && len(n.HardwareAddr) == 6 {
			return n.HardwareAddr
		}
	}
	return nil
}

// removePins takes off what an earlier process pinned.
func removePins(folder string) error {
	if folder == "" {
		return nil
	}
	err := os.RemoveAll(folder)
	if errors.Is(err, os.ErrPermission) {
		return nil // who may not look has pinned nothing
	}
	return err
}
