//go:build linux

package lab

import (
	"fmt"
	"testing"
	"time"
)

// goal is how soon a silent loss is to be over.
const goal = 1500 * time.Millisecond

// TestSilence shows what a machine costs that is gone without a word: the switch keeps
// the router's link up, and only BFD, or the hold time, notices. TCP outlasts either,
// so that it is the pauses that tell them apart.
func TestSilence(t *testing.T) {
	d := drill{"an l4 node falls silent", usual(), func(w *world, l *load) string {
		w.l4[0].IP("link set eth0 down")
		note := w.noticed()
		l.more(200)
		return note
	}}
	a := xdp()
	a.switched = true
	d.both(t, a, brief)
	a.name, a.mode, a.routes = "control: no BFD", "gue", bgp
	d.try(t, a, long)
}

// TestFreeze shows the same of a program that hangs.
func TestFreeze(t *testing.T) {
	d := drill{"an l4 node hangs", usual(), func(w *world, l *load) string {
		w.nodes["l4-1"].signal(freeze)
		note := w.noticed()
		l.more(200)
		return note
	}}
	d.both(t, xdp(), unnoticed)
	d.try(t, arm{name: "BFD", mode: "relay", routes: bfd}, reported)
	d.try(t, arm{name: "control: no BFD", mode: "relay", routes: bgp}, harmed)
}

// noticed waits until the router sends nothing to l4-1 any more, and says how long
// that took.
func (w *world) noticed() string {
	w.t.Helper()
	began := time.Now()
	w.routed(w.l4[1:])
	return fmt.Sprintf("routes gone after %s (goal %s)", seconds(time.Since(began)), seconds(goal))
}
