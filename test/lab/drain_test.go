//go:build linux

package lab

import (
	"testing"
	"time"
)

// TestDrain proves that an l7 node that stops costs nobody anything: what it has it
// finishes, and nothing new comes to it.
func TestDrain(t *testing.T) {
	t.Run("relay", func(t *testing.T) { drain(t, arm{name: "drained", mode: "relay"}, (*node).terminate, unnoticed) })
	t.Run("control", func(t *testing.T) { drain(t, arm{name: "killed", mode: "relay"}, (*node).kill, harmed) })
}

// drain takes one l7 node out and brings it back, while transfers begin and end.
func drain(t *testing.T, a arm, out func(*node), p promise) {
	t.Helper()
	w := build(t, a)
	plan := usual()
	plan.For = 4 * time.Second
	l := w.load(plan)
	n := w.nodes["l7-1"]
	out(n)
	w.log("l7-1 is out")
	l.more(50)
	n.start()
	for _, h := range w.l4 {
		w.nodes[h.name].await("l7-1 is back", healthy("l7:"+port, "l7-1"))
	}
	w.log("l7-1 is back")
	l.turned()
	w.add("an l7 node is drained", l.end(), p, "")
}
