package node_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"portico/node"
	"portico/spec"
)

// TestNeeds proves which capabilities a node needs, and that a node without root's
// power needs none while it relays on ports that are anybody's.
func TestNeeds(t *testing.T) {
	for _, tt := range []struct {
		name     string
		roles    []spec.Role
		port     uint16
		announce spec.Announce
		path     spec.Datapath
		want     []string
	}{
		{"relay, high port", []spec.Role{spec.RoleL4}, 5432, spec.AnnounceNone, spec.DatapathRelay, nil},
		{
			"low port",
			[]spec.Role{spec.RoleL7},
			443, spec.AnnounceNone, "",
			[]string{`CAP_NET_BIND_SERVICE: port 443 of listener "one"`},
		},
		{
			"dns",
			[]spec.Role{spec.RoleDNS},
			8443, spec.AnnounceNone, "",
			[]string{`CAP_NET_BIND_SERVICE: port 53 of dns`},
		},
		{
			"routers",
			[]spec.Role{spec.RoleVIP, spec.RoleL7},
			8443, spec.AnnounceBGP, "",
			[]string{`CAP_NET_ADMIN: VIP "public" on lo, announced by bgp`},
		},
		{
			"a link",
			[]spec.Role{spec.RoleVIP, spec.RoleL7},
			8443, spec.AnnounceARP, "",
			[]string{`CAP_NET_ADMIN, CAP_NET_RAW: VIP "public", announced by arp`},
		},
		{"not the one that announces", []spec.Role{spec.RoleL7}, 8443, spec.AnnounceARP, "", nil},
		{
			"the kernel",
			[]spec.Role{spec.RoleL4},
			8443, spec.AnnounceNone, spec.DatapathAuto,
			[]string{"CAP_NET_ADMIN, CAP_PERFMON, CAP_BPF: datapath xdp"},
		},
		{"a dns node of a site in the kernel", []spec.Role{"other"}, 8443, spec.AnnounceNone, spec.DatapathXDP, nil},
	} {
		want := &spec.Spec{
			Sites: []spec.Site{{Name: "edge", Nodes: []spec.Node{{Name: "one", Address: netip.MustParseAddr("10.0.0.1"), Roles: tt.roles}}}},
			VIPs: []spec.VIP{{
				Name: "public", Announce: tt.announce, Addresses: map[spec.SiteName][]netip.Addr{"edge": {netip.MustParseAddr("10.0.0.9")}},
			}},
			Listeners: []spec.Listener{{Name: "one", VIP: "public", Port: tt.port, Protocol: spec.ProtocolHTTPS}},
		}
		var got []string
		for _, n := range node.Needs(want, "one", tt.path) {
			got = append(got, fmt.Sprintf("%s: %s", n.Capability, n.For))
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
