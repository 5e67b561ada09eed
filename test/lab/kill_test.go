//go:build linux

package lab

import "testing"

// TestKill shows what the end of an l4 node costs those whose connections it carried.
func TestKill(t *testing.T) {
	t.Run("relay", func(t *testing.T) { kill(t, arm{name: "relay, static routes", mode: "relay"}, harmed) })
}

// kill ends an l4 node as SIGKILL does. Where routes are static they are set to the
// nodes that are left, as its machine's end would.
func kill(t *testing.T, a arm, p promise) {
	t.Helper()
	w := build(t, a)
	l := w.load(usual())
	w.nodes["l4-1"].kill()
	w.log("l4-1 is killed")
	if a.routes == static {
		w.staticRoutes(w.l4[1:])
	}
	l.more(200)
	w.add("an l4 node is killed", l.end(), p, "")
}
