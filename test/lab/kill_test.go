//go:build linux

package lab

import "testing"

// TestKill shows what the end of the program of an l4 node costs those whose
// connections it carries.
func TestKill(t *testing.T) {
	d := drill{"an l4 node is killed", usual(), func(w *world, l *load) string {
		w.nodes["l4-1"].kill()
		w.log("l4-1 is killed")
		if w.arm.routes == static {
			w.staticRoutes(w.l4[1:]) // as somebody would notice
		}
		l.more(200)
		return ""
	}}
	d.both(t, xdp(), unnoticed)
	d.try(t, nat(xdp()), reported)
	d.try(t, relay(), harmed)
}

// TestLose shows the same of the whole machine: its link goes down.
func TestLose(t *testing.T) {
	d := drill{"an l4 node is lost", usual(), func(w *world, l *load) string {
		w.router.IP("link set " + w.l4[0].via + " down")
		w.log("the link to l4-1 is down")
		l.more(200)
		return ""
	}}
	d.both(t, xdp(), unbroken)
	tight := xdp()
	tight.name, tight.mode, tight.mtu = "xdp, MTU 1500", "gue", 1500
	d.try(t, tight, unbroken)
	d.try(t, nat(xdp()), reported)
	d.try(t, relay(), harmed)
}

// TestFlap shows the same of a link that comes back.
func TestFlap(t *testing.T) {
	d := drill{"a router's link flaps", usual(), func(w *world, l *load) string {
		for range 2 {
			w.router.IP("link set " + w.l4[0].via + " down")
			w.log("the link to l4-1 is down")
			l.more(50)
			w.router.IP("link set " + w.l4[0].via + " up")
			w.log("the link to l4-1 is up")
			w.route()
			l.more(50)
		}
		return ""
	}}
	d.both(t, xdp(), unbroken)
	d.try(t, relay(), harmed)
}
