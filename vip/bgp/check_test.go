package bgp_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"portico/spec"
	"portico/vip/bgp"
)

// TestCheck proves what is said of a spec whose routers cannot be spoken to, or
// whose routes cannot be told: where, what, and what would be right.
func TestCheck(t *testing.T) {
	good := func() *spec.Spec {
		s := site(spec.BGPPeer{Address: netip.MustParseAddr("10.1.0.254"), Port: 179, AS: 65000, HoldTime: spec.Duration(9 * time.Second)})
		s.VIPs = []spec.VIP{{Name: "public", Announce: spec.AnnounceBGP}}
		return s
	}
	address := func(a string) func(*spec.Spec, *spec.BGPPeer) {
		return func(_ *spec.Spec, p *spec.BGPPeer) { p.Address = netip.MustParseAddr(a) }
	}
	carries := func(v spec.VIPRoutes) func(*spec.Spec, *spec.BGPPeer) {
		return func(s *spec.Spec, _ *spec.BGPPeer) { s.VIPs[0].BGP = v }
	}
	names := "accept-own, blackhole, graceful-shutdown, no-advertise, no-export, no-export-subconfed, no-peer"
	cases := []struct {
		name   string
		change func(*spec.Spec, *spec.BGPPeer)
		want   []string
	}{
		{"good", func(*spec.Spec, *spec.BGPPeer) {}, nil},
		{"without graceful restart", func(s *spec.Spec, _ *spec.BGPPeer) { s.Sites[0].BGP.GracefulRestart = spec.Off }, nil},
		{"a password that fits", func(_ *spec.Spec, p *spec.BGPPeer) { p.Password = &spec.Secret{Value: make([]byte, 80)} }, nil},
		{"link-local", func(_ *spec.Spec, p *spec.BGPPeer) { p.Address, p.Interface = netip.MustParseAddr("fe80::1"), "eth0" }, nil},
		{"unnumbered", func(_ *spec.Spec, p *spec.BGPPeer) { p.Address, p.Interface = netip.Addr{}, "eth0" }, nil},
		{"carries all there is", carries(spec.VIPRoutes{Communities: []string{"65001:1", "4200000000:1:2", "no-export"}, MED: new(uint32(1))}), nil},

		{"no peers", func(s *spec.Spec, _ *spec.BGPPeer) { s.Sites[0].BGP.Peers = nil }, []string{
			"sites[0].bgp.peers: no peer: nobody would hear of a VIP",
		}},
		{"no address", func(_ *spec.Spec, p *spec.BGPPeer) { p.Address = netip.Addr{} }, []string{
			"sites[0].bgp.peers[0]: a peer without address; say its address, or the interface that it alone is on",
		}},
		{"hops to an unnumbered one", func(_ *spec.Spec, p *spec.BGPPeer) { p.Address, p.Interface, p.Multihop = netip.Addr{}, "eth0", 2 }, []string{
			`sites[0].bgp.peers[0].multihop: 2 hops to a router on interface "eth0", which is none away; say the router's address`,
		}},
		{"link-local anywhere", address("fe80::1"), []string{
			`sites[0].bgp.peers[0].interface: missing: "fe80::1" is link-local, and every link may have it; say the interface that leads to it`,
		}},
		{"zone", address("fe80::1%eth0"), []string{
			`sites[0].bgp.peers[0].address: "fe80::1%eth0" holds an interface; say the interface with the key interface`,
		}},
		{"multicast", address("224.0.0.5"), []string{`sites[0].bgp.peers[0].address: "224.0.0.5" is not the address of a router`}},
		{"hops to a link", func(_ *spec.Spec, p *spec.BGPPeer) {
			p.Address, p.Interface, p.Multihop = netip.MustParseAddr("fe80::1"), "eth0", 2
		}, []string{`sites[0].bgp.peers[0].multihop: 2 hops to "fe80::1", which is link-local and none away`}},
		{"twice", func(s *spec.Spec, p *spec.BGPPeer) { s.Sites[0].BGP.Peers = append(s.Sites[0].BGP.Peers, *p) }, []string{
			`sites[0].bgp.peers[1]: peer "10.1.0.254" is listed before, as peers[0]`,
		}},
		{"nodes", func(s *spec.Spec, p *spec.BGPPeer) {
			s.Sites[0].Nodes = append(s.Sites[0].Nodes, spec.Node{Name: "east-2"})
			p.Nodes = []spec.NodeName{"east-1", "east-2", "east-3"}
		}, []string{
			`warning: sites[0].bgp.peers[0].nodes[1]: node "east-2" speaks to no router: it has no role vip`,
			`sites[0].bgp.peers[0].nodes[2]: site "east" has no node named "east-3"`,
		}},
		{"a password that does not fit", func(_ *spec.Spec, p *spec.BGPPeer) { p.Password = &spec.Secret{Value: make([]byte, 81)} }, []string{
			"sites[0].bgp.peers[0].password: the password has 81 bytes; TCP-MD5 takes 80 at most",
		}},
		{"parts of seconds", func(s *spec.Spec, p *spec.BGPPeer) {
			s.Sites[0].BGP.GracefulRestart, p.HoldTime = spec.Duration(1500*time.Millisecond), spec.Duration(3200*time.Millisecond)
		}, []string{
			"sites[0].bgp.gracefulRestart: 1.5s is not a number of seconds; BGP counts in whole seconds",
			"sites[0].bgp.peers[0].holdTime: 3.2s is not a number of seconds; BGP counts in whole seconds",
		}},
		{"no graceful restart", func(s *spec.Spec, _ *spec.BGPPeer) { s.Sites[0].BGP.GracefulRestart = spec.Off }, nil},
		{"a long restart", func(s *spec.Spec, _ *spec.BGPPeer) { s.Sites[0].BGP.GracefulRestart = spec.Duration(2 * time.Hour) }, []string{
			"sites[0].bgp.gracefulRestart: 2h is out of range; use 1s to 1h8m15s, or off",
		}},
		{"slow BFD", func(_ *spec.Spec, p *spec.BGPPeer) {
			p.BFD = &spec.BFD{Interval: spec.Duration(3 * time.Second), Multiplier: 3}
		}, []string{"warning: sites[0].bgp.peers[0].bfd: notices a loss after 9s, no sooner than holdTime, which is 9s"}},
		{"communities", carries(spec.VIPRoutes{Communities: []string{"65001", "no-exports", "65536:1", "1:2:x"}}), []string{
			`vips[0].bgp.communities[0]: "65001" is no community; use 65001:100, 65001:1:2 or one of ` + names,
			`vips[0].bgp.communities[1]: "no-exports" is no community; use 65001:100, 65001:1:2 or one of ` + names,
			`vips[0].bgp.communities[2]: "65536:1" is no community: "65536" is not a number of 16 bits; use 65001:100, 65001:1:2 or one of ` + names,
			`vips[0].bgp.communities[3]: "1:2:x" is no community: "x" is not a number of 32 bits; use 65001:100, 65001:1:2 or one of ` + names,
		}},
		{"too many communities", carries(spec.VIPRoutes{Communities: slices51()}), []string{
			"vips[0].bgp.communities: 51 communities, of 50 that are allowed",
		}},
		{"local preference for others", carries(spec.VIPRoutes{LocalPref: new(uint32(200))}), []string{
			"warning: vips[0].bgp.localPref: 200 is sent to nobody: every peer is of another AS; other systems hear med or communities",
		}},
		{"local preference for ours", func(s *spec.Spec, p *spec.BGPPeer) {
			s.VIPs[0].BGP.LocalPref, p.AS = new(uint32(200)), 65001
		}, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := good()
			c.change(s, &s.Sites[0].BGP.Peers[0])
			var got []string
			for _, p := range bgp.Check(s) {
				got = append(got, p.String())
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("Check (-want +got):\n%s", diff)
			}
		})
	}
}

func slices51() []string { return strings.Split(strings.Repeat("65001:1 ", 50)+"65001:1", " ") }
