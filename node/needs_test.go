package node_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"portico/node"
	"portico/spec"
)

// TestNeedsOfUnnumbered proves that who looks for a router on a link needs a raw
// socket, and nobody else of the site does.
func TestNeedsOfUnnumbered(t *testing.T) {
	at := func(name string) spec.Node {
		return spec.Node{Name: spec.NodeName(name), Address: netip.MustParseAddr("10.0.0.1"), Roles: []spec.Role{spec.RoleVIP}}
	}
	want := &spec.Spec{Sites: []spec.Site{{Name: "edge", Nodes: []spec.Node{at("one"), at("two")}, BGP: &spec.BGP{Peers: []spec.BGPPeer{
		{Address: netip.MustParseAddr("fe80::1"), Interface: "eth0"}, {Interface: "eth1", Nodes: []spec.NodeName{"one"}},
	}}}}}
	if got := fmt.Sprint(node.Needs(want, "one", "")); got != `[{CAP_NET_RAW bgp with the router on interface "eth1"}]` {
		t.Errorf("Needs = %s, want a raw socket for eth1", got)
	}
	if got := node.Needs(want, "two", ""); len(got) > 0 {
		t.Errorf("Needs of the other = %v, want none", got)
	}
}

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
		{
			"a low port in the kernel",
			[]spec.Role{spec.RoleL4},
			443, spec.AnnounceNone, spec.DatapathXDP,
			[]string{"CAP_NET_ADMIN, CAP_PERFMON, CAP_BPF: datapath xdp"},
		},
		{
			"a low port in the kernel and in the sockets behind it",
			[]spec.Role{spec.RoleL4, spec.RoleL7},
			443, spec.AnnounceNone, spec.DatapathXDP,
			[]string{`CAP_NET_BIND_SERVICE: port 443 of listener "one"`, "CAP_NET_ADMIN, CAP_PERFMON, CAP_BPF: datapath xdp"},
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
