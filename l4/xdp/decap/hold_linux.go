package decap

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// label is what `ip address` shows beside an IPv4 address of ours.
const label = "lo:portico"

// hold puts VIPs on lo, so that sockets can be bound to them and the kernel takes
// packets for them, and takes off those that are not wanted any more. One that
// somebody else put there is used and stays.
//
// Nothing on the machine speaks from a VIP but sockets bound to it: IPv4 has scope
// host for that, IPv6 calls it deprecated (RFC 6724, section 5, rule 3).
func (r *record) hold(links *netlink.Handle, vips []netip.Addr) error {
	lo, err := links.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("lo: %w", err)
	}
	if err := r.release(links, lo, vips); err != nil {
		return err
	}
	for _, vip := range vips {
		if err := r.add(links, lo, vip); err != nil {
			return fmt.Errorf("VIP %s on lo: %w", vip, err)
		}
	}
	if lo.Attrs().Flags&unix.IFF_UP == 0 {
		return errors.New("lo is down: no packet for a VIP would be taken; ip link set lo up")
	}
	return nil
}

func (r *record) add(links *netlink.Handle, lo netlink.Link, vip netip.Addr) error {
	there, err := has(links, lo, vip)
	if err != nil || there {
		return err
	}
	if !slices.Contains(r.VIPs, vip) {
		r.VIPs = append(r.VIPs, vip)
		if err := r.write(); err != nil {
			return err
		}
	}
	if err := links.AddrReplace(lo, onLo(vip)); err != nil {
		return err
	}
	return settle(links, vip)
}

// How often, and after what pause, settle looks: for 10 s, as the kernel waits for a
// lock of its own that a machine with many namespaces may hold for seconds.
const (
	settleLooks = 2000
	settlePause = 5 * time.Millisecond
)

// settle waits until the kernel takes packets for an address. For IPv6 it sees to
// that on its own, a moment after it has the address, and refuses packets till then.
func settle(links *netlink.Handle, vip netip.Addr) error {
	var last error
	look := time.NewTicker(settlePause)
	defer look.Stop()
	for range settleLooks {
		routes, err := links.RouteGet(vip.AsSlice())
		if err == nil && len(routes) > 0 && routes[0].Type == unix.RTN_LOCAL {
			return nil
		}
		last = err
		<-look.C
	}
	return fmt.Errorf("the kernel takes no packets for it: %w", cmp.Or[error](last, unix.EHOSTUNREACH))
}

// release takes addresses of ours off lo, but for some.
func (r *record) release(links *netlink.Handle, lo netlink.Link, keep []netip.Addr) error {
	var errs []error
	r.VIPs = slices.DeleteFunc(r.VIPs, func(vip netip.Addr) bool {
		if slices.Contains(keep, vip) {
			return false
		}
		err := links.AddrDel(lo, onLo(vip))
		if errors.Is(err, unix.EADDRNOTAVAIL) {
			err = nil
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("VIP %s from lo: %w", vip, err))
		}
		return err == nil
	})
	return errors.Join(append(errs, r.write())...)
}

// has reports whether lo has an address for good.
func has(links *netlink.Handle, lo netlink.Link, vip netip.Addr) (bool, error) {
	list, err := again(func() ([]netlink.Addr, error) { return links.AddrList(lo, netlink.FAMILY_ALL) })
	return slices.ContainsFunc(list, func(a netlink.Addr) bool {
		at, _ := netip.AddrFromSlice(a.IP)
		ones, bits := a.Mask.Size()
		return at.Unmap() == vip && ones == bits && (a.ValidLft == 0 || a.ValidLft == math.MaxUint32)
	}), err
}

func onLo(vip netip.Addr) *netlink.Addr {
	a := &netlink.Addr{IPNet: netlink.NewIPNet(vip.AsSlice()), Scope: unix.RT_SCOPE_HOST, Label: label}
	if vip.Is6() {
		a.Label, a.Flags = "", unix.IFA_F_NODAD
		a.ValidLft, a.PreferedLft = math.MaxUint32, 0
	}
	return a
}

// again asks netlink until an answer is whole.
func again[T any](ask func() (T, error)) (T, error) {
	for {
		if got, err := ask(); !errors.Is(err, netlink.ErrDumpInterrupted) {
			return got, err
		}
	}
}
