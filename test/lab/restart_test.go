//go:build linux

package lab

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"portico/internal/testkit"
)

// TestRestart proves that a node that ends for a successor is not noticed: no route
// changes, no connection breaks. Without graceful restart routes do change.
func TestRestart(t *testing.T) {
	d := drill{"an l4 node restarts", usual(), func(w *world, l *load) string {
		events := w.routeEvents()
		n := w.nodes["l4-1"]
		n.handOver()
		w.log("l4-1 has stopped")
		l.more(50)
		n.start()
		w.log("l4-1 is back")
		l.more(100)
		if !w.arm.speaks() {
			return ""
		}
		w.routed(w.l4)
		seen := events()
		if gone := w.arm.restarts == "off"; gone != (seen > 0) {
			w.t.Errorf("%d changes of routes; want some only without graceful restart", seen)
		}
		return fmt.Sprintf("%d changes of routes", seen)
	}}
	d.both(t, xdp(), unnoticed)
	d.try(t, arm{name: "arp", mode: "gue", routes: arp}, unbroken)
	off := xdp()
	off.name, off.mode, off.restarts = "control: no graceful restart", "gue", "off"
	d.try(t, off, reported)
	d.try(t, relay(), harmed)
}

// routeEvents counts the changes of the router's routes to the VIP from now on.
func (w *world) routeEvents() (count func() int) {
	w.t.Helper()
	p := start(w.t, "ip monitor", w.router.Command("ip", "-o", "monitor", "route"), nil)
	const probe = "192.0.2.1" // of nobody: once a change of it is seen, none is missed
	testkit.Poll(w.t, hang, func() error {
		w.router.IP("route add blackhole " + probe)
		w.router.IP("route del blackhole " + probe)
		if !strings.Contains(p.out.String(), probe) {
			return errors.New("ip monitor does not listen yet")
		}
		return nil
	})
	return func() int {
		return strings.Count(p.out.String(), w.vip4) + strings.Count(p.out.String(), w.vip6)
	}
}

// TestUpgrade proves the same of each l4 node in turn that becomes another version.
func TestUpgrade(t *testing.T) {
	ofLab(t)
	next := buildPortico(t, "next")
	d := drill{"l4 nodes are upgraded", usual(), func(w *world, l *load) string {
		for _, h := range w.l4 {
			n := w.nodes[h.name]
			n.handOver()
			n.binary = next
			n.start()
			w.log(h.name + " is another version")
			n.await("its l7 nodes are healthy", healthy("l7:"+port, names(w.l7)...))
			l.more(50)
		}
		return ""
	}}
	d.both(t, xdp(), unnoticed)
	d.try(t, arm{name: "arp", mode: "gue", routes: arp}, unbroken)
	d.try(t, relay(), harmed)
}
