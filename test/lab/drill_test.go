//go:build linux

package lab

import (
	"os"
	"testing"
)

// drill is one way to break a world.
type drill struct {
	// name is what the table calls it.
	name string
	// plan is what clients do meanwhile.
	plan plan
	// run breaks the world, and repairs it where that is part of the drill. What it
	// returns is noted in the table.
	run func(w *world, l *load) (note string)
}

// try runs a drill in one arm, which must keep a promise.
func (d drill) try(t *testing.T, a arm, p promise) {
	t.Helper()
	r := results.row(d.name, a)
	t.Run(a.mode+"/"+a.name, func(t *testing.T) {
		t.Parallel() // with the other arms of the drill
		w := build(t, a)
		l := w.load(d.plan)
		r.note = d.run(w, l)
		r.saw = l.end()
		w.keep(p, r.saw)
	})
}

// both runs a drill in the two modes that promise something; LAB=short leaves it at
// the usual one.
func (d drill) both(t *testing.T, a arm, p promise) {
	t.Helper()
	modes := []string{"gue", "ip6ip6"}
	if os.Getenv("LAB") == "short" {
		modes = modes[:1]
	}
	for _, mode := range modes {
		a.mode = mode
		d.try(t, a, p)
	}
}

// xdp is the arm of most drills: programs in the kernel, and a router that BFD tells
// of a loss.
func xdp() arm { return arm{name: "xdp", routes: bfd} }

// nat is an arm with its load on targets that cannot unwrap packets. Which port of the
// l4 node is whose only that node knows, so that nothing is promised.
func nat(a arm) arm {
	a.mode = "nat"
	return a
}

// relay is what most drills are compared with.
func relay() arm { return arm{name: "control", mode: "relay"} }
