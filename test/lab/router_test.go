//go:build linux

package lab

import (
	"fmt"
	"slices"
	"strings"
	"text/template"

	"portico/internal/testkit"
	"portico/internal/testkit/frr"
)

// routing is how the router learns where the VIPs are.
type routing int

const (
	static routing = iota // written into the router: it notices nothing
	bgp                   // the nodes say so, and are lost with their sessions alone
	bfd                   // the same, and BFD notices a loss sooner
	arp                   // one l4 node at a time answers for them on its network
)

// speaks reports whether the nodes speak BGP.
func (a arm) speaks() bool { return a.routes == bgp || a.routes == bfd }

// route makes the router send the VIPs to every l4 node.
func (w *world) route() {
	w.t.Helper()
	switch w.arm.routes {
	case static:
		w.staticRoutes(w.l4)
	case bgp, bfd:
		w.routed(w.l4)
	case arp:
		w.owned()
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
	w.router.IP("route replace " + w.vip4 + "/32" + v4.String())
	w.router.IP("-6 route replace " + w.vip6 + "/128" + v6.String())
}

// routed waits until the router sends the addresses of VIPs to these l4 nodes
// and to no other.
func (w *world) routed(to []*host) {
	w.t.Helper()
	var v4, v6 []string
	for _, h := range to {
		v4, v6 = append(v4, h.v4), append(v6, h.v6)
	}
	prefixes := map[string][]string{w.vip4: v4, w.vip6: v6}
	if w.arm.mode == "nat" {
		prefixes[w.direct()] = v4
	}
	testkit.Poll(w.t, hang, func() error {
		for prefix, want := range prefixes {
			got := w.frr.NextHops(prefix)
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				return fmt.Errorf("the router sends %s to %v, want %v", prefix, got, want)
			}
		}
		return nil
	})
}

// The systems of the router and of the nodes.
const (
	routerAS = 65000
	nodesAS  = 65001
)

// startRouter starts FRR where the nodes tell it their routes.
func (w *world) startRouter() {
	w.t.Helper()
	if !w.arm.speaks() {
		return
	}
	w.frr = frr.Start(w.t, w.router, frr.Config{BGP: w.fill(bgpdConf), BFD: w.fill(bfddConf)})
}

// fill fills a template with the l4 nodes.
func (w *world) fill(text string) string {
	w.t.Helper()
	var out strings.Builder
	err := template.Must(template.New("").Parse(text)).Execute(&out, map[string]any{
		"Router": routerAS, "Nodes": nodesAS, "L4": w.l4v(), "BFD": w.arm.routes == bfd,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return out.String()
}

// l4v are both addresses of each l4 node.
func (w *world) l4v() []map[string]string {
	var all []map[string]string
	for _, h := range w.l4 {
		all = append(all, map[string]string{"V4": h.v4, "V6": h.v6})
	}
	return all
}

const bgpdConf = `router bgp {{.Router}}
 bgp router-id 198.18.0.1
 no bgp ebgp-requires-policy
 no bgp default ipv4-unicast
 bgp bestpath as-path multipath-relax
 bgp graceful-restart
 timers bgp 3 9
{{- range .L4}}
 neighbor {{.V4}} remote-as {{$.Nodes}}
 neighbor {{.V4}} timers connect 1
 neighbor {{.V4}} advertisement-interval 0
 neighbor {{.V6}} remote-as {{$.Nodes}}
 neighbor {{.V6}} timers connect 1
 neighbor {{.V6}} advertisement-interval 0
{{- if $.BFD}}
 neighbor {{.V4}} bfd
 neighbor {{.V6}} bfd
{{- end}}
{{- end}}
 address-family ipv4 unicast
{{- range .L4}}
  neighbor {{.V4}} activate
{{- end}}
  maximum-paths 16
 exit-address-family
 address-family ipv6 unicast
{{- range .L4}}
  neighbor {{.V6}} activate
{{- end}}
  maximum-paths 16
 exit-address-family
`

const bfddConf = `bfd
{{- range .L4}}
 peer {{.V4}}
  receive-interval 300
  transmit-interval 300
  detect-multiplier 3
 peer {{.V6}}
  receive-interval 300
  transmit-interval 300
  detect-multiplier 3
{{- end}}
`
