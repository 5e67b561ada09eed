package check_test

import (
	"net/netip"
	"testing"

	"portico/spec"
)

// announcing gives both sites routers, lets the l4 nodes announce the VIP
// "public" there, and spoils that.
func announcing(spoil func(*spec.Spec)) func(*spec.Spec) {
	return func(s *spec.Spec) {
		for i := range s.Sites {
			s.Sites[i].BGP = &spec.BGP{AS: 65001, Peers: []spec.BGPPeer{{Address: addr("10.1.0.254"), AS: 65000}}}
		}
		s.Sites[0].Nodes[1].Roles = append(s.Sites[0].Nodes[1].Roles, spec.RoleVIP)
		s.Sites[1].Nodes[0].Roles = append(s.Sites[1].Nodes[0].Roles, spec.RoleVIP)
		s.VIPs[0].Announce = spec.AnnounceBGP
		spoil(s)
	}
}

// TestAnnounced proves that a VIP that nobody can announce is found, and a node
// that has nothing to announce.
func TestAnnounced(t *testing.T) {
	run(t, []spoiled{
		{"all is well", announcing(func(*spec.Spec) {}), nil},
		{"no routers", announcing(func(s *spec.Spec) { s.Sites[1].BGP = nil }), []string{
			`vips[0].announce: VIP "public" is announced by BGP, and site "west" says nothing of its routers; add bgp: {as: …, peers: […]} to site "west"`,
		}},
		{"arp needs no routers", announcing(func(s *spec.Spec) { s.Sites[1].BGP, s.VIPs[0].Announce = nil, spec.AnnounceARP }), nil},
		{"nobody announces", announcing(func(s *spec.Spec) { s.Sites[0].Nodes[1].Roles = []spec.Role{spec.RoleL4} }), []string{
			`warning: vips[0].announce: no node of site "east" has the role vip, so nobody there announces VIP "public"; give the role to the nodes that bind it`,
		}},
		{"a node that binds nothing", announcing(func(s *spec.Spec) { s.Sites[0].Nodes[0].Roles = []spec.Role{spec.RoleVIP, spec.RoleDNS} }), []string{
			`warning: sites[0].nodes[0].roles[0]: node "east-dns" announces nothing: it has no role that binds VIPs; add "l4" or "l7"`,
		}},
		{"a node behind those that bind", announcing(func(s *spec.Spec) { s.Sites[0].Nodes[2].Roles = []spec.Role{spec.RoleL7, spec.RoleVIP} }), []string{
			`warning: sites[0].nodes[2].roles[1]: node "east-l7" announces nothing: the l4 nodes of site "east" bind its VIPs, and it is none; give the role to them`,
		}},
		{"nothing is announced", announcing(func(s *spec.Spec) { s.VIPs[0].Announce = spec.AnnounceNone }), []string{
			`warning: sites[0].nodes[1].roles[1]: node "east-l4" announces nothing: no VIP of its site has announce: bgp or arp; say how its VIPs are announced, or leave the role out`,
			`warning: sites[1].nodes[0].roles[2]: node "west-1" announces nothing: no VIP of its site has announce: bgp or arp; say how its VIPs are announced, or leave the role out`,
		}},
		{"loopback", announcing(func(s *spec.Spec) { s.VIPs[0].Addresses["west"] = []netip.Addr{addr("127.0.0.1")} }), []string{
			`vips[0].addresses.west[0]: 127.0.0.1 cannot be announced; use an address that clients can be routed to`,
		}},
		{"the address of a node", announcing(func(s *spec.Spec) { s.VIPs[0].Addresses["east"][0] = addr("10.1.0.53") }), []string{
			`vips[0].addresses.east[0]: 10.1.0.53 is the address of node "east-dns", which other nodes reach it by; give the VIP an address of its own`,
		}},
		{"one address in two ways", announcing(func(s *spec.Spec) { s.VIPs[1].Addresses["east"][0] = addr("198.51.100.10") }), []string{
			`vips[1].announce: 198.51.100.10 is also an address of VIP "public", which has announce: bgp; announce both alike`,
		}},
	})
}

// pooled lets the VIP "inner" take its address at the site east from a pool, and
// spoils that.
func pooled(spoil func(*spec.Spec)) func(*spec.Spec) {
	return func(s *spec.Spec) {
		s.Pools = []spec.Pool{{Name: "office", Addresses: map[spec.SiteName][]netip.Prefix{
			"east": {netip.MustParsePrefix("198.51.100.64/28"), netip.MustParsePrefix("2001:db8:1::/64")},
		}}}
		s.VIPs[1].Addresses, s.VIPs[1].Pool = nil, "office"
		spoil(s)
	}
}

// TestPools proves what is said of pools that are not whole, overlap, or cannot
// be reached.
func TestPools(t *testing.T) {
	east := func(prefixes ...string) func(*spec.Spec) {
		return pooled(func(s *spec.Spec) {
			var list []netip.Prefix
			for _, p := range prefixes {
				list = append(list, netip.MustParsePrefix(p))
			}
			s.Pools[0].Addresses["east"] = list
		})
	}
	run(t, []spoiled{
		{"all is well", pooled(func(*spec.Spec) {}), nil},
		{"no such pool", pooled(func(s *spec.Spec) { s.VIPs[1].Pool = "ofice" }), []string{
			`warning: pools[0]: no VIP asks pool "office" for an address; write pool: office at a VIP without addresses`,
			`vips[1].pool: no pool named "ofice"; did you mean "office"?`,
		}},
		{"a name twice", pooled(func(s *spec.Spec) {
			s.Pools = append(s.Pools, spec.Pool{Name: "office", Addresses: map[spec.SiteName][]netip.Prefix{"west": {netip.MustParsePrefix("203.0.113.64/28")}}})
		}), []string{`pools[1].name: "office" is already the name of pools[0]; names are given once`}},
		{"no such site", pooled(func(s *spec.Spec) {
			s.Pools[0].Addresses["eats"] = []netip.Prefix{netip.MustParsePrefix("203.0.113.64/28")}
		}), []string{`pools[0].addresses.eats: no site named "eats"; did you mean "east"?`}},
		{"an empty site", pooled(func(s *spec.Spec) { s.Pools[0].Addresses["west"] = nil }), []string{
			`pools[0].addresses.west: no address is given for site "west"; leave the site out, or list prefixes: [198.51.100.0/28]`,
		}},
		{"bits beyond", east("198.51.100.65/28"), []string{
			`pools[0].addresses.east[0]: 198.51.100.65/28 has bits beyond its length; use 198.51.100.64/28, or one address: 198.51.100.65/32`,
		}},
		{"unreachable", east("224.0.0.0/24"), []string{
			`pools[0].addresses.east[0]: 224.0.0.0/24 holds addresses that no client can reach; use addresses that are routed to the site`,
		}},
		{"overlap", east("198.51.100.64/28", "198.51.100.72/32"), []string{
			`pools[0].addresses.east[1]: 198.51.100.72/32 overlaps 198.51.100.64/28 of pools[0].addresses.east[0]; list each address once`,
		}},
		{"one address", east("198.51.100.72/32"), nil},
		{"announced where the pool is", pooled(func(s *spec.Spec) { s.VIPs[1].Announce = spec.AnnounceBGP }), []string{
			`vips[1].announce: VIP "inner" is announced by BGP, and site "east" says nothing of its routers; add bgp: {as: …, peers: […]} to site "east"`,
			`warning: vips[1].announce: no node of site "east" has the role vip, so nobody there announces VIP "inner"; give the role to the nodes that bind it`,
		}},
	})
}
