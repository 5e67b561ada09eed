package spec_test

import (
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"portico/spec"
)

var (
	vipA  = netip.MustParseAddr("192.0.2.1")
	vipA6 = netip.MustParseAddr("2001:db8::1")
	vipB  = netip.MustParseAddr("192.0.2.2")
)

// placed is a site with an l4 node before an l7 node, and one with only an l7 node.
func placed() *spec.Spec {
	addr := netip.MustParseAddr
	return &spec.Spec{
		Sites: []spec.Site{
			{Name: "east", Nodes: []spec.Node{
				{Name: "edge", Address: addr("10.0.0.1"), Roles: []spec.Role{spec.RoleL4}},
				{Name: "proxy", Address: addr("10.0.0.2"), Roles: []spec.Role{spec.RoleL7}},
			}},
			{Name: "west", Nodes: []spec.Node{{Name: "lone", Address: addr("10.1.0.1"), Roles: []spec.Role{spec.RoleL7}}}},
		},
		VIPs: []spec.VIP{
			{Name: "a", Addresses: map[spec.SiteName][]netip.Addr{"east": {vipA, vipA6}, "west": {addr("192.0.2.9")}}},
			{Name: "b", Addresses: map[spec.SiteName][]netip.Addr{"east": {vipB}}},
		},
		Listeners: []spec.Listener{
			{Name: "a-https", VIP: "a", Port: 443, Protocol: spec.ProtocolHTTPS},
			{Name: "b-https", VIP: "b", Port: 443, Protocol: spec.ProtocolHTTPS},
			{Name: "db", VIP: "a", Port: 5432, Protocol: spec.ProtocolTCP},
		},
	}
}

// whole is placed where the l4 nodes of east hand over whole packets.
func whole(l4 spec.SiteL4) *spec.Spec {
	s := placed()
	s.Sites[0].L4 = l4
	return s
}

func addresses(binds []spec.Bind) []string {
	var list []string
	for _, b := range binds {
		list = append(list, b.Address.String())
	}
	return list
}

// TestBinds proves who binds what: l4 nodes the VIPs, l7 nodes behind them their
// own address, once a port, and l7 nodes without any l4 node the VIPs.
func TestBinds(t *testing.T) {
	s := placed()
	tests := []struct {
		name string
		got  []spec.Bind
		want []string
	}{
		{"l4 node", s.L4Binds("edge"), []string{"192.0.2.1:443", "[2001:db8::1]:443", "192.0.2.2:443", "192.0.2.1:5432", "[2001:db8::1]:5432"}},
		{"l7 node behind l4", s.L7Binds("proxy"), []string{"10.0.0.2:443"}},
		{
			"l7 node that gets whole packets", whole(spec.SiteL4{Datapath: spec.DatapathXDP}).L7Binds("proxy"),
			[]string{"10.0.0.2:443", "192.0.2.1:443", "[2001:db8::1]:443", "192.0.2.2:443"},
		},
		{
			"l7 node that may get them", whole(spec.SiteL4{Datapath: spec.DatapathAuto, Forward: spec.ForwardIP6IP6}).L7Binds("proxy"),
			[]string{"10.0.0.2:443", "192.0.2.1:443", "[2001:db8::1]:443", "192.0.2.2:443"},
		},
		{"l7 node behind NAT", whole(spec.SiteL4{Datapath: spec.DatapathXDP, Forward: spec.ForwardNAT}).L7Binds("proxy"), []string{"10.0.0.2:443"}},
		{"l7 node alone at a site with xdp", whole(spec.SiteL4{Datapath: spec.DatapathXDP}).L7Binds("lone"), []string{"192.0.2.9:443"}},
		{"l7 node alone", s.L7Binds("lone"), []string{"192.0.2.9:443"}},
		{"l4 tier of an l7 node", s.L4Binds("proxy"), nil},
		{"l7 tier of an l4 node", s.L7Binds("edge"), nil},
		{"no such node", s.L7Binds("nobody"), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := addresses(tt.got); !slices.Equal(got, tt.want) {
				t.Errorf("binds %q, want %q", got, tt.want)
			}
		})
	}
}

// TestBindFor proves that listeners on one socket are told apart by the VIP the
// client connected to, and that a socket of its own takes any address.
func TestBindFor(t *testing.T) {
	s := placed()
	shared := s.L7Binds("proxy")[0]
	if len(shared.ProxyFrom) != 1 || shared.ProxyFrom[0] != netip.MustParseAddr("10.0.0.1") {
		t.Errorf("PROXY headers are taken from %v, want the l4 node 10.0.0.1", shared.ProxyFrom)
	}
	for vip, want := range map[netip.Addr]spec.ListenerName{vipA: "a-https", vipA6: "a-https", vipB: "b-https"} {
		if l := shared.For(vip); l == nil || l.Name != want {
			t.Errorf("For(%v) = %v, want %s", vip, l, want)
		}
	}
	if l := shared.For(netip.MustParseAddr("198.51.100.1")); l != nil {
		t.Errorf("For(an address that is no VIP) = %s, want nil", l.Name)
	}
	alone := s.L7Binds("lone")[0]
	if l := alone.For(netip.MustParseAddr("198.51.100.1")); l == nil || l.Name != "a-https" {
		t.Errorf("For(any address) on a VIP's own socket = %v, want a-https", l)
	}
}

// TestBindForWildcard proves that behind l4 nodes a wildcard VIP takes every
// address that is no VIP itself: the PROXY header names the address
// the client really connected to.
func TestBindForWildcard(t *testing.T) {
	v4, v6 := netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("2001:db8::9")
	tests := []struct {
		name string
		wild []string // addresses of the VIP of b-https
		vip  netip.Addr
		want spec.ListenerName // empty means none
	}{
		{"a VIP of its own", []string{"0.0.0.0", "::"}, vipA, "a-https"},
		{"any other address", []string{"0.0.0.0"}, v4, "b-https"},
		{"mapped to IPv6", []string{"0.0.0.0"}, netip.AddrFrom16(v4.As16()), "b-https"},
		{"IPv6 without its wildcard", []string{"0.0.0.0"}, v6, ""},
		{"IPv6", []string{"::"}, v6, "b-https"},
		{"IPv4 where only :: is there", []string{"::"}, v4, "b-https"},
		{"no wildcard", nil, v4, ""},
		{"no address", []string{"0.0.0.0"}, netip.Addr{}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := placed()
			s.VIPs[1].Addresses = map[spec.SiteName][]netip.Addr{}
			for _, a := range tt.wild {
				s.VIPs[1].Addresses["east"] = append(s.VIPs[1].Addresses["east"], netip.MustParseAddr(a))
			}
			var got spec.ListenerName
			if l := s.L7Binds("proxy")[0].For(tt.vip); l != nil {
				got = l.Name
			}
			if got != tt.want {
				t.Errorf("For(%v) = %q, want %q", tt.vip, got, tt.want)
			}
		})
	}
}

// TestTargetsAt proves that a site uses its own targets and those of no site.
func TestTargetsAt(t *testing.T) {
	g := spec.TargetGroup{Targets: []spec.Target{{Name: "e", Site: "east"}, {Name: "w", Site: "west"}, {Name: "any"}}}
	var got []string
	for _, target := range g.At("east") {
		got = append(got, target.Label())
	}
	if want := []string{"e", "any"}; !slices.Equal(got, want) {
		t.Errorf("At(east) = %q, want %q", got, want)
	}
}

// A group that goes across sites has all its targets at each.
func TestTargetsAcrossSites(t *testing.T) {
	across := true
	g := spec.TargetGroup{CrossSite: &across, Targets: []spec.Target{{Site: "east"}, {Site: "west"}, {}}}
	if got := len(g.At("east")); got != 3 {
		t.Errorf("At(east) has %d targets, want all 3", got)
	}
}

// TestProtocols proves that the protocols which a spec may name are those that are known.
func TestProtocols(t *testing.T) {
	field, _ := reflect.TypeFor[spec.Listener]().FieldByName("Protocol")
	for name := range strings.SplitSeq(field.Tag.Get("enum"), "|") {
		if !spec.Protocol(name).Known() {
			t.Errorf("%q is not known", name)
		}
	}
	for _, name := range []spec.Protocol{"", "HTTP", "h2"} {
		if name.Known() {
			t.Errorf("%q is known", name)
		}
	}
}
