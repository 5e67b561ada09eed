package xdp

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// uplink is an interface that the program is on.
type uplink struct {
	link.Link
	device  *net.Interface
	generic bool // the kernel runs the program for the driver
}

// Attach puts the program on interfaces, in place of the one of an earlier process
// without a packet between them, and takes it off those it is on and that are not
// named. Then maps in other shapes go. It may be called often: an interface that was
// removed and made anew gets the program again. The error tells of each interface
// that did not get it; the others have it.
//
// A packet goes back to the router it came from, or, with several interfaces, by the
// one of them that the kernel's routes say.
//
// Where the driver of one cannot run the program, the kernel runs it for each, which is
// slower: what a driver runs itself cannot send by an interface whose driver runs nothing.
func (k *Kernel) Attach(interfaces ...string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	var failed error
	stay := map[string]bool{}
	for _, name := range interfaces {
		stay[name] = true
		if err := k.keep(name); err != nil {
			failed = errors.Join(failed, fmt.Errorf("xdp: interface %q: %w", name, err))
		}
	}
	k.detach(stay)
	failed = errors.Join(failed, k.alike())
	if err := k.putConfig(); failed != nil || err != nil {
		return errors.Join(failed, err)
	}
	for _, folder := range k.others() {
		if err := os.RemoveAll(folder); err != nil {
			k.o.Log.Warn("maps of another shape stay", "folder", folder, "error", err)
		}
	}
	return nil
}

// keep has the program on an interface, be it the one of before or another of that name.
func (k *Kernel) keep(name string) error {
	device, err := net.InterfaceByName(name)
	if was := k.links[name]; was != nil {
		if err == nil && isOn(was, device.Index) {
			was.device = device // its MAC address may be another
			return nil
		}
		_ = k.drop(name)
	}
	if err != nil {
		return err
	}
	l, err := k.attach(device)
	if err == nil {
		k.links[name] = l
	}
	return err
}

// drop lets go of the link to an interface, and of its pin.
func (k *Kernel) drop(name string) error {
	was := k.links[name]
	delete(k.links, name)
	if k.o.Pins != "" {
		_ = was.Unpin()
	}
	return was.Close()
}

// alike has the kernel run the program on every interface once it does on one. It stays
// so, also without that one, until the program was off all: to be back with the driver
// costs packets.
func (k *Kernel) alike() error {
	if !k.isSlow() {
		return nil
	}
	var failed error
	for name, l := range k.links {
		if l.generic {
			continue
		}
		k.o.Log.Warn("the driver of another uplink cannot run XDP: the kernel runs it here too, slower", "interface", name)
		if err := k.slower(name, l); err != nil {
			failed = errors.Join(failed, fmt.Errorf("xdp: interface %q: %w", name, err))
		}
	}
	return failed
}

// isSlow reports whether the kernel runs the program for the driver of an interface.
func (k *Kernel) isSlow() bool {
	for _, l := range k.links {
		if l.generic {
			return true
		}
	}
	return false
}

// slower has the kernel run the program of an interface, in place of its driver. The
// kernel allows for no moment with both.
func (k *Kernel) slower(name string, was *uplink) error {
	if err := errors.Join(was.Detach(), k.drop(name)); err != nil {
		return err
	}
	l, err := k.make(was.device, link.XDPGenericMode)
	if err == nil {
		k.links[name] = l
	}
	return err
}

// on are the interfaces that have the program, and whether the kernel runs it for the
// driver.
func (k *Kernel) on() map[string]bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	generic := map[string]bool{}
	for name, l := range k.links {
		generic[name] = l.generic
	}
	return generic
}

// isOn reports whether a link is on an interface still: that of one which was removed
// is on none.
func isOn(l link.Link, index int) bool {
	info, err := l.Info()
	return err == nil && info.XDP() != nil && int64(info.XDP().Ifindex) == int64(index)
}

// putConfig writes the config with the interfaces to send by.
func (k *Kernel) putConfig() error {
	c := k.config
	at := 0
	for _, name := range slices.Sorted(maps.Keys(k.links)) {
		if l := k.links[name]; len(k.links) > 1 && at < UplinksMax {
			c.Uplinks[at].Ifindex = uint32(l.device.Index)
			copy(c.Uplinks[at].Mac[:], l.device.HardwareAddr)
			at++
		}
	}
	if err := k.objects.Config.Put(uint32(0), &c); err != nil {
		return fmt.Errorf("xdp: config: %w", err)
	}
	return nil
}

// Next has a program see the packets that are not the balancer's, in place of the
// one before; nil has the kernel see them.
func (k *Kernel) Next(p *ebpf.Program) error {
	if p == nil {
		return ignoreGone(k.objects.Next.Delete(uint32(0)))
	}
	if err := k.objects.Next.Put(uint32(0), p); err != nil {
		return fmt.Errorf("xdp: hand on to %s: %w", p, err)
	}
	return nil
}

const linkPrefix = "link-"

func (k *Kernel) pin(name string) string { return filepath.Join(k.o.Pins, linkPrefix+name) }

func (k *Kernel) attach(device *net.Interface) (*uplink, error) {
	if k.o.Pins != "" {
		if l, err := k.adoptLink(device); l != nil || err != nil {
			return l, err
		}
	}
	if k.isSlow() { // or alike would take it from the driver at once
		return k.make(device, link.XDPGenericMode)
	}
	l, err := k.make(device, link.XDPDriverMode)
	if errors.Is(err, unix.EOPNOTSUPP) {
		k.o.Log.Warn("the driver cannot run XDP: the kernel runs it, slower", "interface", device.Name)
		return k.make(device, link.XDPGenericMode)
	}
	return l, err
}

// make puts the program on an interface that has none.
func (k *Kernel) make(device *net.Interface, mode link.XDPAttachFlags) (*uplink, error) {
	l, err := link.AttachXDP(link.XDPOptions{Program: k.objects.Balancer, Interface: device.Index, Flags: mode})
	if errors.Is(err, unix.EBUSY) {
		return nil, fmt.Errorf("another XDP program is on it (ip link show dev %s): %w", device.Name, err)
	}
	if err != nil {
		return nil, whyNot(err)
	}
	made := &uplink{Link: l, device: device, generic: mode == link.XDPGenericMode}
	if k.o.Pins == "" {
		return made, nil
	}
	if err := l.Pin(k.pin(device.Name)); err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("pin: %w", err)
	}
	return made, nil
}

// adoptLink gives the link of an earlier process this program. It returns nil when
// there is none, or it is not on this interface any more.
func (k *Kernel) adoptLink(device *net.Interface) (*uplink, error) {
	l, err := link.LoadPinnedLink(k.pin(device.Name), nil)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("pinned link: %w", err)
	}
	if !isOn(l, device.Index) { // that interface was removed, and this made anew
		_ = l.Unpin()
		return nil, l.Close()
	}
	if err := l.Update(k.objects.Balancer); err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("put the program in place: %w", err)
	}
	on, err := netlink.LinkByIndex(device.Index)
	if err != nil {
		_ = l.Close()
		return nil, err
	}
	x := on.Attrs().Xdp
	return &uplink{Link: l, device: device, generic: x != nil && x.AttachMode == nl.XDP_ATTACHED_SKB}, nil
}

// detach takes the program off every interface that is not to stay.
func (k *Kernel) detach(stay map[string]bool) {
	for name, l := range k.links {
		if !stay[name] {
			_ = l.Close()
			delete(k.links, name)
		}
	}
	if k.o.Pins == "" {
		return
	}
	pinned, _ := filepath.Glob(k.pin("*"))
	for _, path := range pinned {
		if stay[filepath.Base(path)[len(linkPrefix):]] {
			continue
		}
		if err := os.Remove(path); err != nil {
			k.o.Log.Warn("the program stays on an interface", "pin", path, "error", err)
		}
	}
}
