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

// swaps is how often tables change under load.
const swaps = 100

// TestSwap proves that tables change under load and lose nothing.
func TestSwap(t *testing.T) {
	d := drill{fmt.Sprintf("tables are swapped %d times", swaps), usual(), func(w *world, l *load) string {
		for i := range swaps {
			w.weight = i%2 + 1
			w.writeSpec()
			for _, h := range w.l4 {
				w.nodes[h.name].signal(hangup)
			}
			for _, h := range w.l4 {
				w.nodes[h.name].await("the spec is applied", func(n status.Node) error {
					if n.Generation < uint64(i+2) {
						return fmt.Errorf("generation %d, want %d", n.Generation, i+2)
					}
					return nil
				})
			}
		}
		w.log("tables are swapped")
		l.more(50)
		return ""
	}}
	d.both(t, xdp(), unnoticed)
	d.try(t, arm{name: "relay", mode: "relay"}, unnoticed)
}
