package arp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/mdlayher/packet"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"portico/internal/capability"
)

// available says whether this system can announce on a link.
const available = true

// kernelLink is an interface of this machine.
type kernelLink struct{ name string }

// linkOf is the interface that a spec names, or the one that holds an address.
func linkOf(name string, address netip.Addr) (link, error) {
	if name != "" {
		_, err := net.InterfaceByName(name)
		return kernelLink{name}, err
	}
	all, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	for _, i := range all {
		addrs, err := i.Addrs()
		if err != nil {
			continue // it went away
		}
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok && n.IP.Equal(address.AsSlice()) {
				return kernelLink{i.Name}, nil
			}
		}
	}
	return nil, fmt.Errorf("no interface has the node's address %s; name one: interface: eth0", address)
}

func (l kernelLink) String() string { return l.name }

// Put gives the interface the address for a lifetime from now on.
func (l kernelLink) Put(a netip.Addr, lifetime time.Duration) error {
	i, err := netlink.LinkByName(l.name)
	if err != nil {
		return err
	}
	addr := whole(a)
	addr.ValidLft = int(lifetime / time.Second)
	if a.Is4() {
		addr.PreferedLft = addr.ValidLft
	}
	return capability.NetAdmin.Advise(netlink.AddrReplace(i, addr))
}

// Remove takes the address off; one that is gone is no error.
func (l kernelLink) Remove(a netip.Addr) error {
	i, err := netlink.LinkByName(l.name)
	if err != nil {
		return err
	}
	if err := netlink.AddrDel(i, whole(a)); err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) {
		return err
	}
	return nil
}

// whole is the address alone. For IPv6 it is used at once: whether it is somebody
// else's is what the lease is for, and duplicate address detection would keep it
// silent for a second (RFC 4862, section 5.4). With a preferred lifetime of zero it
// is not the source of anything new.
func whole(a netip.Addr) *netlink.Addr {
	addr := &netlink.Addr{IPNet: &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(a.BitLen(), a.BitLen())}}
	if a.Is6() {
		addr.Flags = unix.IFA_F_NODAD
	}
	return addr
}

// Tell sends the frames that say where the address is now.
func (l kernelLink) Tell(a netip.Addr) error {
	i, err := net.InterfaceByName(l.name)
	if err != nil {
		return err
	}
	if len(i.HardwareAddr) != 6 {
		return nil // no Ethernet, and nobody to tell, as on lo
	}
	c, err := packet.Listen(i, packet.Raw, 0, nil) // 0: it sends, and hears nothing
	if err != nil {
		return capability.NetRaw.Advise(err)
	}
	defer func() { _ = c.Close() }()
	for _, f := range frames(a, i.HardwareAddr) {
		if _, err := c.WriteTo(f, &packet.Addr{HardwareAddr: net.HardwareAddr(f[:6])}); err != nil {
			return fmt.Errorf("tell %s of %s: %w", l.name, a, err)
		}
	}
	return nil
}
