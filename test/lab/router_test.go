//go:build linux

package lab

import "strings"

// routing is how the router learns where the VIPs are.
type routing int

const (
	static routing = iota // written into the router: it notices nothing
)

// route makes the router send the VIPs to every l4 node.
func (w *world) route() {
	w.t.Helper()
	switch w.arm.routes {
	case static:
		w.staticRoutes(w.l4)
	}
}

// staticRoutes sends the VIPs to these l4 nodes, each flow to one of them.
func (w *world) staticRoutes(to []*host) {
	w.t.Helper()
	var v4, v6 strings.Builder
	for _, h := range to {
		v4.WriteString(" nexthop via " + h.v4)
		v6.WriteString(" nexthop via " + h.v6)
	}
	w.router.IP("route replace " + vip4 + "/32" + v4.String())
	w.router.IP("-6 route replace " + vip6 + "/128" + v6.String())
}
