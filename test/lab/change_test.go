//go:build linux

package lab

import (
	"fmt"
	"testing"

	"portico/spec/status"
)

// TestChange proves that l7 nodes come and go while l4 nodes are lost: flows that come
// to another l4 node than before find the l7 node they have, by the second chance.
func TestChange(t *testing.T) {
	d := drill{"an l7 node is drained as an l4 node is lost", turning(), func(w *world, l *load) string {
		n := w.nodes["l7-1"]
		n.signal(terminate)
		for _, h := range w.l4 {
			w.nodes[h.name].await("l7-1 is out", verdicts("l7:"+port, status.Unhealthy, "l7-1"))
		}
		w.log("l7-1 drains")
		w.router.IP("link set " + w.l4[0].via + " down")
		w.log("the link to l4-1 is down")
		n.ended()
		w.log("l7-1 is out")
		n.start()
		l.turned()
		return ""
	}}
	d.both(t, xdp(), unbroken)
	d.try(t, relay(), harmed)
}

// swaps is how often specs with other weights are applied under load.
const swaps = 100

// TestSwap proves that a node takes specs that change its tables and loses nothing.
// What it is compared with is a node that must be started again for each.
func TestSwap(t *testing.T) {
	name := fmt.Sprintf("specs with other weights are applied, %d times", swaps)
	live := drill{name, usual(), func(w *world, l *load) string {
		for range swaps {
			w.reweigh()
			for _, h := range w.l4 {
				w.nodes[h.name].signal(hangup)
			}
			for _, h := range w.l4 {
				w.nodes[h.name].await("the spec is applied", w.applied)
			}
		}
		w.log("all specs are applied")
		l.more(50)
		return fmt.Sprintf("%d generations of the table", w.generation())
	}}
	quick := xdp()
	quick.drain = "100ms" // the table of most specs need not wait
	live.both(t, quick, unnoticed)
	live.try(t, arm{name: "relay", mode: "relay"}, unnoticed)
	again := drill{name, usual(), func(w *world, l *load) string {
		w.reweigh()
		for _, h := range w.l4 {
			w.nodes[h.name].handOver()
			w.nodes[h.name].start()
		}
		l.more(50)
		return "one spec"
	}}
	again.try(t, arm{name: "control: by a restart", mode: "relay"}, harmed)
}

// reweigh writes a spec in which the first target has another weight.
func (w *world) reweigh() {
	w.specs++
	w.weight = w.specs%2 + 1
	w.writeSpec()
}

// applied reports whether a node has not applied the spec that was written last.
func (w *world) applied(n status.Node) error {
	if want := uint64(w.specs + 1); n.Generation < want {
		return fmt.Errorf("generation %d, want %d", n.Generation, want)
	}
	return nil
}

// generation is the number of the table that l4-1 places flows to the targets by.
func (w *world) generation() uint64 {
	w.t.Helper()
	now, err := w.nodes["l4-1"].status()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, l := range now.Listeners {
		if l.Name == "direct" && l.Slots != nil {
			return l.Slots.Generation
		}
	}
	return 0
}
