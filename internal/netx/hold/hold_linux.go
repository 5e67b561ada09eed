package hold

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"portico/internal/capability"
)

// put adds an address to an interface, or renews it. It reports true for one that
// the machine has and that is not of this package.
func put(link string, a netip.Addr, lifetime time.Duration) (foreign bool, err error) {
	there, err := find(a)
	if err != nil {
		return false, err
	}
	l, err := netlink.LinkByName(link)
	if err != nil {
		return false, err
	}
	if there != nil && (there.ValidLft == forever || there.LinkIndex != l.Attrs().Index) {
		return true, nil
	}
	addr := whole(a, l)
	addr.ValidLft = int(lifetime / time.Second)
	if a.Is4() {
		addr.PreferedLft = addr.ValidLft
	} // else it is deprecated: never chosen as the source of anything new (RFC 6724, section 5)
	if err := netlink.AddrReplace(l, addr); err != nil {
		return false, permission(err)
	}
	return false, nil
}

// remove takes an address off an interface; one that is gone is no error.
func remove(link string, a netip.Addr) error {
	l, err := netlink.LinkByName(link)
	if err != nil {
		return err
	}
	err = netlink.AddrDel(l, whole(a, l))
	if errors.Is(err, unix.EADDRNOTAVAIL) {
		return nil
	}
	return permission(err)
}

// forever is the lifetime of an address that was configured by hand: the kernel's
// 2³²−1 seconds, or 0 as netlink has it where none was told.
const forever = 0

// find looks for an address on any interface; nil when the machine has none such.
func find(a netip.Addr) (*netlink.Addr, error) {
	family := netlink.FAMILY_V6
	if a.Is4() {
		family = netlink.FAMILY_V4
	}
	list, err := addresses(family)
	for i := range list {
		if list[i].IP.Equal(a.AsSlice()) {
			if uint32(list[i].ValidLft) == 1<<32-1 {
				list[i].ValidLft = forever
			}
			return &list[i], nil
		}
	}
	return nil, err
}

// dumpTries bounds how often a list that changed while it was read is read anew.
const dumpTries = 5

func addresses(family int) (list []netlink.Addr, err error) {
	for range dumpTries {
		if list, err = netlink.AddrList(nil, family); !errors.Is(err, netlink.ErrDumpInterrupted) {
			break
		}
	}
	return list, err
}

// whole is the address alone, as a network of one; it can be recognized by its label
// (IPv4 only) and by its lifetime.
func whole(a netip.Addr, l netlink.Link) *netlink.Addr {
	addr := &netlink.Addr{IPNet: &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(a.BitLen(), a.BitLen())}}
	if a.Is4() {
		addr.Label = label(l.Attrs().Name)
		return addr
	}
	addr.Flags = unix.IFA_F_NODAD // others may hold it too, and are meant to
	return addr
}

// label is the name of an interface with ours, where both fit.
func label(link string) string {
	if name := link + ":portico"; len(name) < unix.IFNAMSIZ {
		return name
	}
	return link
}

// permission says what a process needs where it lacks it.
func permission(err error) error {
	if errors.Is(err, unix.EPERM) {
		return fmt.Errorf("%w, or put the address on lo yourself", capability.NetAdmin.Advise(err))
	}
	return err
}
