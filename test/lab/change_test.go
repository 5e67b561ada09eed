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

// TestJoin proves that an l4 node which is added soon after the targets changed finds the
// l7 node of flows from before that, because nodes know of each other's generations.
func TestJoin(t *testing.T) {
	d := drill{"an l4 node is added after a change of weights", usual(), func(w *world, l *load) string {
		added := w.nodes["l4-2"]
		added.terminate()
		added.forget()
		w.log("l4-2 is out, and as if it had never been")
		w.reweigh()
		w.nodes["l4-1"].signal(hangup)
		w.nodes["l4-1"].await("the spec is applied", w.applied)
		w.log("the weights are changed")
		added.start()
		w.route()
		w.log("l4-2 is there")
		l.more(200)
		return ""
	}}
	long := xdp()
	long.drain = "40s"
	d.both(t, long, unbroken)
	long.name, long.mode, long.alone = "control: nodes know nothing of each other", "gue", true
	d.try(t, long, harmed)
}

// swaps is how often specs with other weights are applied under load.
const swaps = 100

// TestSwap proves that a node takes specs that change its tables and loses nothing.
// What it is compared with is a node that must be started again for each.
func TestSwap(t *testing.T) {
	const name = "specs with other weights are applied, %d times"
	live := func(times int) drill {
		return drill{fmt.Sprintf(name, times), usual(), func(w *world, l *load) string {
			before := w.generation()
			for range times {
				w.reweigh()
				for _, h := range w.l4 {
					w.nodes[h.name].signal(hangup)
				}
				for _, h := range w.l4 {
					w.nodes[h.name].await("the spec is applied", w.applied)
					w.nodes[h.name].await("its table is at rest", w.atRest)
				}
			}
			w.log("all specs are applied")
			made := w.generation() - before
			if made < uint64(times) {
				w.t.Errorf("%d generations of the load's table by %d specs", made, times)
			}
			l.more(50)
			return fmt.Sprintf("%d generations of the load's table", made)
		}}
	}
	// Flows that last outlive every window: what keeps them is that they are remembered.
	// The window is for those that begin just then.
	quick := xdp()
	quick.drain = "200ms"
	live(swaps).both(t, quick, unnoticed)
	live(swaps/5).try(t, nat(quick), reported)
	live(swaps/5).try(t, arm{name: "relay", mode: "relay"}, unnoticed)
	quick.name, quick.mode, quick.forgets = "control: nothing is remembered", "gue", true
	live(5).try(t, quick, harmed)
	again := drill{"a spec with other weights is applied", usual(), func(w *world, l *load) string {
		w.reweigh()
		for _, h := range w.l4 {
			w.nodes[h.name].handOver()
			w.nodes[h.name].start()
		}
		l.more(50)
		return ""
	}}
	again.try(t, arm{name: "control: by a restart", mode: "relay"}, harmed)
}

// reweigh writes a spec in which the first l7 node, or under nat the first target, has
// another weight.
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

// generation is the number of the table that l4-1 places the load by.
func (w *world) generation() uint64 {
	w.t.Helper()
	now, err := w.nodes["l4-1"].status()
	if err != nil {
		w.t.Fatal(err)
	}
	s := w.slots(now)
	if s == nil {
		w.t.Fatal("the load's listener has no table")
	}
	return s.Generation
}
