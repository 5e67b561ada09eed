package xdp

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// Attach puts the program on interfaces, in place of the one of an earlier process
// without a packet between them, and takes it off those it is on and that are not
// named. Then maps in other shapes go.
//
// Where the driver cannot run it, the kernel runs it for the driver, which is slower.
func (k *Kernel) Attach(interfaces ...string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	stay := map[string]bool{}
	for _, name := range interfaces {
		stay[name] = true
		if k.links[name] != nil {
			continue
		}
		l, err := k.attach(name)
		if err != nil {
			return fmt.Errorf("xdp: interface %q: %w", name, err)
		}
		k.links[name] = l
	}
	k.detach(stay)
	for _, folder := range k.others() {
		if err := os.RemoveAll(folder); err != nil {
			k.o.Log.Warn("maps of another shape stay", "folder", folder, "error", err)
		}
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

func (k *Kernel) attach(name string) (link.Link, error) {
	if k.o.Pins != "" {
		if l, err := k.adoptLink(name); l != nil || err != nil {
			return l, err
		}
	}
	device, err := net.InterfaceByName(name)
	if err != nil {
		return nil, err
	}
	options := link.XDPOptions{Program: k.objects.Balancer, Interface: device.Index, Flags: link.XDPDriverMode}
	l, err := link.AttachXDP(options)
	if errors.Is(err, unix.EOPNOTSUPP) {
		k.o.Log.Warn("the driver cannot run XDP: the kernel runs it, slower", "interface", name)
		options.Flags = link.XDPGenericMode
		l, err = link.AttachXDP(options)
	}
	if errors.Is(err, unix.EBUSY) {
		return nil, fmt.Errorf("another XDP program is on it (ip link show dev %s): %w", name, err)
	}
	if err != nil {
		return nil, whyNot(err)
	}
	if k.o.Pins == "" {
		return l, nil
	}
	if err := l.Pin(k.pin(name)); err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("pin: %w", err)
	}
	return l, nil
}

// adoptLink gives the link of an earlier process this program. It returns nil when
// there is none, or its interface is gone.
func (k *Kernel) adoptLink(name string) (link.Link, error) {
	l, err := link.LoadPinnedLink(k.pin(name), nil)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("pinned link: %w", err)
	}
	err = l.Update(k.objects.Balancer)
	if errors.Is(err, unix.ENOLINK) { // the interface was removed, perhaps made anew
		_ = l.Unpin()
		return nil, l.Close()
	}
	if err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("put the program in place: %w", err)
	}
	return l, nil
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
