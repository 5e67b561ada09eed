//go:build linux

package lab

import (
	"fmt"
	"testing"

	"portico/spec"
	"portico/spec/status"
)

// TestTogether proves that one kind of node is enough: nodes that are l4 and l7 nodes
// both, each of which hands flows to all, itself among them. Who is lost takes along
// the connections that end there, and no other.
func TestTogether(t *testing.T) {
	a := xdp()
	a.l4, a.together = 3, true
	a.drain = "3s" // a world is built once all are at rest
	lost := drill{"a node of both roles is lost", usual(), func(w *world, l *load) string {
		w.lost = w.nodes["l4-1"].holds()
		w.router.IP("link set " + w.l4[0].via + " down")
		w.log("the link to l4-1 is down")
		for _, h := range w.l4[1:] {
			w.nodes[h.name].await("l4-1 is out", verdicts("l7:"+port, status.Unhealthy, "l4-1"))
		}
		l.more(100)
		return fmt.Sprintf("%d connections ended at the node", w.lost)
	}}
	lost.both(t, a, unbroken)
	out := func(end func(*node)) drill {
		return drill{"a node of both roles is drained", turning(), func(w *world, l *load) string {
			n := w.nodes["l4-1"]
			end(n)
			w.log("l4-1 is out")
			l.more(50)
			n.start()
			w.sees("l4-1")
			l.turned()
			return ""
		}}
	}
	a.drain = "" // flows still begin at a node that drains, until the others see it
	out((*node).terminate).both(t, a, unnoticed)
	a.name, a.mode = "control: killed", "gue"
	out((*node).kill).try(t, a, harmed)
}

// holds is how many connections of clients end at a node's l7 tier.
func (n *node) holds() int {
	n.w.t.Helper()
	now, err := n.status()
	if err != nil {
		n.w.t.Fatal(err)
	}
	open := int64(0)
	for _, l := range now.Listeners {
		if l.Tier == spec.RoleL7 {
			open += l.Active
		}
	}
	return int(open)
}
