package decap

import (
	"maps"
	"net/netip"
	"slices"
	"testing"

	"portico/spec"
)

// planned is a site whose l4 node hands whole packets to two l7 nodes.
func planned(l4 spec.SiteL4) *spec.Spec {
	return &spec.Spec{
		Sites: []spec.Site{{Name: "here", L4: l4, Nodes: []spec.Node{
			{Name: "l", Address: addr("10.0.0.1"), Roles: []spec.Role{spec.RoleL4}},
			{Name: "a", Address: addr("10.0.0.2"), Roles: []spec.Role{spec.RoleL7}, Interface: "eth7"},
			{Name: "b", Address: addr("10.0.0.3"), Roles: []spec.Role{spec.RoleL7, spec.RoleL4}},
			{Name: "d", Address: addr("10.0.0.4"), Roles: []spec.Role{spec.RoleDNS}},
		}}},
		VIPs: []spec.VIP{
			{Name: "v", Addresses: map[spec.SiteName][]netip.Addr{"here": {addr("192.0.2.1"), addr("2001:db8::1"), addr("0.0.0.0")}}},
			{Name: "raw", Addresses: map[spec.SiteName][]netip.Addr{"here": {addr("192.0.2.2")}}},
		},
		Listeners: []spec.Listener{
			{Name: "http", VIP: "v", Port: 80, Protocol: spec.ProtocolHTTP},
			{Name: "https", VIP: "v", Port: 443, Protocol: spec.ProtocolHTTPS},
			{Name: "db", VIP: "raw", Port: 5432, Protocol: spec.ProtocolTCP},
		},
	}
}

// TestPlan proves who is listened to, who is asked second, and which VIPs a node
// holds: those that its l7 tier serves, once each, and no wildcard.
func TestPlan(t *testing.T) {
	want := planned(spec.SiteL4{Datapath: spec.DatapathXDP})
	p := planOf(want, "a")
	if p == nil || p.device != "eth7" || p.shared || p.overhead != 40 {
		t.Fatalf("plan %+v, want one on eth7 with 40 bytes more a packet", p)
	}
	nodes := map[netip.Addr]role{addr("10.0.0.1"): isL4, addr("10.0.0.2"): isL7 | isSelf, addr("10.0.0.3"): isL7 | isL4}
	if !maps.Equal(p.nodes, nodes) {
		t.Errorf("nodes %v, want %v", p.nodes, nodes)
	}
	if vips := []netip.Addr{addr("192.0.2.1"), addr("2001:db8::1")}; !slices.Equal(p.vips, vips) {
		t.Errorf("VIPs %v, want %v", p.vips, vips)
	}
	if p := planOf(want, "b"); p == nil || !p.shared {
		t.Errorf("plan of a node that is an l4 node too: %+v, want it shared", p)
	}
	for _, self := range []spec.NodeName{"l", "d", "nobody"} {
		if p := planOf(want, self); p != nil {
			t.Errorf("plan of %s: %+v, want none", self, p)
		}
	}
	for _, l4 := range []spec.SiteL4{{}, {Datapath: spec.DatapathRelay}, {Datapath: spec.DatapathXDP, Forward: spec.ForwardNAT}} {
		if p := planOf(planned(l4), "a"); p != nil {
			t.Errorf("plan with %+v: %+v, want none", l4, p)
		}
	}
}

// TestAnd proves that what left a spec stays beside what is in it, but not on
// another address.
func TestAnd(t *testing.T) {
	was := &plan{address: self4, nodes: map[netip.Addr]role{self4: isSelf, lb4: isL4, peer4: isL7}, vips: []netip.Addr{vip4, other4}}
	now := &plan{address: self4, nodes: map[netip.Addr]role{self4: isSelf, lb4: isL4 | isL7}, vips: []netip.Addr{vip4, vip6}, overhead: 40}
	both := now.and(was)
	if nodes := (map[netip.Addr]role{self4: isSelf, lb4: isL4 | isL7, peer4: isL7}); !maps.Equal(both.nodes, nodes) || both.overhead != 40 {
		t.Errorf("both: %+v, want nodes %v", both, nodes)
	}
	if vips := []netip.Addr{vip4, other4, vip6}; !slices.Equal(both.vips, vips) {
		t.Errorf("VIPs %v, want %v", both.vips, vips)
	}
	if len(now.nodes) != 2 || len(was.nodes) != 3 || len(now.vips) != 2 {
		t.Errorf("a plan changed: %+v, %+v", now, was)
	}
	if got := (*plan)(nil).and(was); got != was {
		t.Errorf("nothing and a plan: %+v, want the plan", got)
	}
	if got := now.and(&plan{address: self6}); got != now {
		t.Errorf("with one on another address: %+v, want the plan alone", got)
	}
}

// TestOverhead proves the sizes that the guide names: with them, what was wrapped
// is as long as the link takes, and not a byte longer.
func TestOverhead(t *testing.T) {
	tests := []struct {
		forward    spec.Forward
		node       netip.Addr
		vip4, vip6 int
		wrap       func(inner []byte) []byte
	}{
		{spec.ForwardGUE, self4, 1420, 1400, func(in []byte) []byte { return gue(lb4, self4, 1, peer4, in) }},
		{spec.ForwardGUE, self6, 1388, 1368, func(in []byte) []byte { return gue(lb6, self6, 1, peer6, in) }},
		{spec.ForwardIP6IP6, self6, 1396, 1376, func(in []byte) []byte { return option(lb6, self6, 1, peer6, in) }},
	}
	for _, tt := range tests {
		for vip, want := range map[netip.Addr]int{vip4: tt.vip4, vip6: tt.vip6} {
			got := segmentMax(1500-overhead(tt.forward, tt.node), vip)
			if got != want {
				t.Errorf("%s to %v, VIP %v: %d, want %d", tt.forward, tt.node, vip, got, want)
			}
			end := netip.AddrPortFrom(vip, 80)
			if n := len(tt.wrap(segment(end, end, ack, 1, 1, string(make([]byte, got))))); n != 1500 {
				t.Errorf("%s to %v, VIP %v: a packet of %d bytes, want 1500", tt.forward, tt.node, vip, n)
			}
		}
	}
}
