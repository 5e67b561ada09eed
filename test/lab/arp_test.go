//go:build linux

package lab

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"portico/internal/testkit"
	"portico/spec/status"
)

// takeover is how soon another node is to answer for a VIP whose owner is gone.
const takeover = 3 * time.Second

// TestOwner shows what the loss of the node that answers for a VIP costs where no
// router speaks BGP: another takes over. Where a packet belongs is decided alike on
// all nodes, so that in the kernel no connection breaks.
func TestOwner(t *testing.T) {
	for _, way := range []struct {
		name string
		end  func(w *world, owner *node)
	}{
		{"killed", func(_ *world, owner *node) { owner.kill() }},
		{"frozen", func(_ *world, owner *node) { owner.signal(freeze) }},
		{"lost", func(_ *world, owner *node) { owner.host.IP("link set eth0 down") }},
		{"drained", func(_ *world, owner *node) { owner.terminate() }},
	} {
		d := drill{"the owner of a VIP is " + way.name, usual(), func(w *world, l *load) string {
			owner := w.owner()
			began := time.Now()
			way.end(w, owner)
			w.log(owner.host.name + " is " + way.name)
			took := w.another(owner, began)
			l.more(200)
			return fmt.Sprintf("another answers after %s (goal %s)", seconds(took), seconds(takeover))
		}}
		d.both(t, arm{name: "arp", routes: arp}, unbroken)
		d.try(t, arm{name: "control", mode: "relay", routes: arp}, harmed)
	}
}

// owner is the node that says it answers for the VIP.
func (w *world) owner() *node {
	w.t.Helper()
	var owner *node
	testkit.Poll(w.t, hang, func() error {
		for _, h := range w.l4 {
			n := w.nodes[h.name]
			now, err := n.status()
			if err == nil && slices.ContainsFunc(now.VIPs, func(v status.VIP) bool { return v.Address.String() == w.vip4 && v.Announced }) {
				owner = n
				return nil
			}
		}
		return errors.New("no node says that it answers for the VIP")
	})
	return owner
}

// owned waits until a node answers for both addresses of the VIP.
func (w *world) owned() {
	w.t.Helper()
	w.nodes["l4-1"].await("the VIP has an owner", func(n status.Node) error {
		for _, v := range n.VIPs {
			if v.Owner == "" {
				return fmt.Errorf("%s has none: %s", v.Address, v.Reason)
			}
		}
		if len(n.VIPs) == 0 {
			return fmt.Errorf("it knows no VIP")
		}
		return nil
	})
}

// mac is the hardware address of the node's interface, by netlink: files below /sys
// are those of the namespace that the test itself is in.
func (n *node) mac() string {
	n.w.t.Helper()
	_, after, _ := strings.Cut(n.host.IP("link show eth0"), "link/ether ")
	mac, _, _ := strings.Cut(after, " ")
	if mac == "" {
		n.w.t.Fatalf("eth0 of %s has no hardware address", n.host.name)
	}
	return mac
}

// another waits until the router knows both addresses of the VIP by another machine
// than the owner's, and says how long that took.
func (w *world) another(owner *node, began time.Time) time.Duration {
	w.t.Helper()
	mac := owner.mac()
	for {
		known := w.router.IP("neigh show dev to-lan")
		moved := 0
		for line := range strings.Lines(known) {
			is := strings.HasPrefix(line, w.vip4+" ") || strings.HasPrefix(line, w.vip6+" ")
			if is && strings.Contains(line, "lladdr") && !strings.Contains(line, mac) {
				moved++
			}
		}
		took := time.Since(began)
		switch {
		case moved == 2:
			return took
		case took > hang:
			w.t.Fatalf("nobody else answers for the VIP; the router knows\n%s", known)
		}
	}
}
