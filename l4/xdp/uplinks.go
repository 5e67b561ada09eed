package xdp

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"portico/spec"
	"portico/spec/status"
)

// device is an interface that packets come by and leave by.
type device struct {
	name  string
	index int // 0 while there is none of this name
	mtu   int
	// doubt is what is to be said of it although it is there.
	doubt string
}

// uplinks are the interfaces that packets of VIPs come by.
type uplinks []device

// uplinksOf are those of a node; before are those that it had. Some may be away,
// but not all of them from the start.
func uplinksOf(node *spec.Node, before uplinks) (uplinks, error) {
	if len(node.Uplinks) == 0 {
		on, err := deviceOf(node.Address)
		if err != nil && len(before) == 1 { // the address is away; the interface need not be
			kept := deviceNamed(before[0].name)
			kept.doubt = err.Error()
			return uplinks{kept}, nil
		}
		return uplinks{on}, err
	}
	var all uplinks
	for _, name := range node.Uplinks {
		all = append(all, deviceNamed(name))
	}
	if len(before) == 0 && len(all.present()) == 0 {
		return nil, fmt.Errorf("no uplink of the node is there: %s", strings.Join(node.Uplinks, ", "))
	}
	return all, nil
}

func deviceNamed(name string) device {
	i, err := net.InterfaceByName(name)
	if err != nil {
		return device{name: name}
	}
	return device{name: i.Name, index: i.Index, mtu: i.MTU}
}

// present are the names of those that are there.
func (u uplinks) present() []string {
	var names []string
	for _, d := range u {
		if d.index != 0 {
			names = append(names, d.name)
		}
	}
	return names
}

// mtu is what every one of them carries; 0 while none is there.
func (u uplinks) mtu() int {
	least := 0
	for _, d := range u {
		if d.index != 0 && (least == 0 || d.mtu < least) {
			least = d.mtu
		}
	}
	return least
}

// neighbor is the MAC address of who is on a link, and the interface, where there
// are several; nil when the kernel does not know it.
func (u uplinks) neighbor(a netip.Addr) (net.HardwareAddr, int) {
	for _, d := range u {
		if d.index == 0 {
			continue
		}
		if mac := d.neighbor(a); mac != nil && len(u) > 1 {
			return mac, d.index
		} else if mac != nil {
			return mac, 0
		}
	}
	return nil, 0
}

// attach has the program on the uplinks that are there, and notes which have it.
// The caller holds d.mu and gives what is to be noted besides.
func (d *Datapath) attach(now *carried) error {
	err := now.kernel.Attach(now.on.present()...)
	generic := now.kernel.on()
	was := now.uplinks
	now.uplinks = nil
	for _, on := range now.on {
		u := status.Uplink{Interface: on.name}
		u.Generic, u.Attached = generic[on.name]
		switch {
		case on.index == 0:
			u.Reason = "no interface of this name is there"
		case !u.Attached && err != nil:
			u.Reason = strings.ReplaceAll(err.Error(), "\n", "; ")
		default:
			u.Reason = on.doubt
		}
		now.uplinks = append(now.uplinks, u)
		if slices.Contains(was, u) {
			continue
		}
		switch {
		case !u.Attached:
			d.o.Log.Warn("no packet is taken from an uplink", "interface", u.Interface, "reason", u.Reason)
		case u.Reason != "":
			d.o.Log.Warn("packets are taken from an uplink that may be another", "interface", u.Interface, "reason", u.Reason)
		default:
			d.o.Log.Info("packets are taken from an uplink", "interface", u.Interface)
		}
	}
	d.now.Store(now)
	return err
}

// keep puts the program on uplinks that were away, or made anew.
func (d *Datapath) keep() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := *d.now.Load()
	if now.kernel == nil {
		return nil
	}
	node, site := now.want.Node(d.o.Self)
	was := now.on
	var err error
	if now.on, err = uplinksOf(node, was); err != nil {
		return err
	}
	if !slices.Equal(now.on, was) {
		err = now.kernel.Apply(d.plan(site, node, now.on, takes(now.want, d.o.Self)))
	}
	_ = d.attach(&now) // it was logged, and status says it
	return err
}

// Uplinks says which interfaces packets of VIPs are taken from; none where the kernel
// carries nothing.
func (d *Datapath) Uplinks() []status.Uplink { return d.now.Load().uplinks }
