//go:build linux

package lab

import (
	"testing"
	"time"
)

// TestDrain proves that an l7 node that stops costs nobody anything: what it has it
// finishes, and nothing new comes to it.
func TestDrain(t *testing.T) {
	out := func(end func(*node)) drill {
		return drill{"an l7 node is drained", turning(), func(w *world, l *load) string {
			n := w.nodes["l7-1"]
			end(n)
			w.log("l7-1 is out")
			l.more(50)
			n.start()
			w.sees("l7-1")
			l.turned()
			return ""
		}}
	}
	out((*node).terminate).both(t, xdp(), unnoticed)
	out((*node).terminate).try(t, arm{name: "drained", mode: "relay"}, unnoticed)
	out((*node).kill).try(t, arm{name: "control: killed", mode: "gue"}, harmed)
}

// TestLeave proves the same of an l4 node: routers are told, and who gets its packets
// then places them alike.
func TestLeave(t *testing.T) {
	d := drill{"an l4 node is drained", usual(), func(w *world, l *load) string {
		w.nodes["l4-1"].terminate()
		w.log("l4-1 is out")
		l.more(100)
		return ""
	}}
	d.both(t, xdp(), unnoticed)
	d.try(t, nat(xdp()), reported)
	d.try(t, arm{name: "control", mode: "relay", routes: bfd}, harmed)
}

// turning is a plan whose transfers begin and end all the time, so that a node that
// drains has an end to wait for.
func turning() plan {
	p := usual()
	p.For = 4 * time.Second
	return p
}

// sees waits until every l4 node finds an l7 node healthy.
func (w *world) sees(name string) {
	w.t.Helper()
	for _, h := range w.l4 {
		w.nodes[h.name].await(name+" is back", healthy("l7:"+port, name))
	}
	w.log(name + " is back")
}
