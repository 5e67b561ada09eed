package check_test

import (
	"net/netip"
	"strings"
	"testing"

	"portico/spec"
	"portico/spec/check"
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func target(s string) spec.Target {
	return spec.Target{Address: spec.AddrPort{AddrPort: netip.MustParseAddrPort(s)}, Weight: 1}
}

func ref(name spec.TargetGroupName) spec.GroupRef { return spec.GroupRef{Name: name, Weight: 1} }

// good is a spec of two sites without any problem, for each case to spoil.
func good() *spec.Spec {
	return &spec.Spec{
		Portico: spec.Version,
		Sites: []spec.Site{
			{Name: "east", Nodes: []spec.Node{
				{Name: "east-dns", Address: addr("10.1.0.53"), Roles: []spec.Role{spec.RoleDNS}},
				{Name: "east-l4", Address: addr("10.1.0.9"), Roles: []spec.Role{spec.RoleL4}},
				{Name: "east-l7", Address: addr("10.1.0.31"), Roles: []spec.Role{spec.RoleL7}},
			}},
			{Name: "west", Nodes: []spec.Node{
				{Name: "west-1", Address: addr("10.2.0.1"), Roles: []spec.Role{spec.RoleL4, spec.RoleL7}},
			}},
		},
		VIPs: []spec.VIP{
			{Name: "public", Addresses: map[spec.SiteName][]netip.Addr{
				"east": {addr("198.51.100.10"), addr("2001:db8::10")}, "west": {addr("203.0.113.10")},
			}},
			{Name: "inner", Addresses: map[spec.SiteName][]netip.Addr{"east": {addr("10.9.0.1")}}},
		},
		Zones: []spec.Zone{{Name: "example.com", Records: []spec.Record{
			{Name: "@", VIP: "public", TXT: []string{"hello"}},
			{Name: "myapp", VIP: "public", Policy: &spec.Choice{Name: "simple"}},
			{Name: "www", CNAME: "myapp.example.com."},
			{Name: "mail.example.com.", A: []netip.Addr{addr("192.0.2.1")}, AAAA: []netip.Addr{addr("2001:db8::1")}},
		}}},
		Certificates: []spec.Certificate{{
			Hosts: []string{"myapp.example.com"},
			Files: spec.CertFiles{
				Certificate: spec.File{Path: "/etc/myapp.pem", Bytes: []byte(certPEM)},
				Key:         spec.Secret{File: "/etc/myapp.key", Value: []byte(keyPEM)},
			},
		}},
		Listeners: []spec.Listener{
			{Name: "http", VIP: "public", Port: 80, Protocol: spec.ProtocolHTTP, Redirect: &spec.ListenerRedirect{Scheme: "https"}},
			{Name: "https", VIP: "public", Port: 443, Protocol: spec.ProtocolHTTPS, Routes: []spec.RouteName{"shop"}},
			{Name: "db", VIP: "public", Port: 5432, Protocol: spec.ProtocolTCP, TargetGroups: []spec.GroupRef{ref("db")}},
		},
		Routes: []spec.Route{{Name: "shop", Hosts: []string{"myapp.example.com"}, Rules: []spec.Rule{
			{Match: []spec.Match{{Path: prefix("/api"), Methods: []string{"GET"}, Headers: map[string]spec.TextMatch{"x-beta": {Exact: "1"}}}}, TargetGroups: []spec.GroupRef{ref("web")}},
			{TargetGroups: []spec.GroupRef{ref("web")}},
		}}},
		TargetGroups: []spec.TargetGroup{
			{Name: "web", Targets: []spec.Target{target("10.0.0.1:8080"), target("10.0.0.2:8080")}},
			{Name: "db", Targets: []spec.Target{target("10.0.0.3:5432")}},
		},
		Secrets: spec.Secrets{Sticky: []spec.Secret{{Env: "KEY", Value: []byte("0123456789abcdef")}}},
	}
}

func prefix(p string) *spec.PathMatch { return &spec.PathMatch{Prefix: p} }
func exact(p string) *spec.PathMatch  { return &spec.PathMatch{Exact: p} }

// good is good; every case below depends on it.
func TestGood(t *testing.T) {
	if problems := check.Spec(good()); len(problems) > 0 {
		t.Errorf("Spec(good) = %v", spec.Problems(problems))
	}
}

// Each case spoils the good spec in one way, and gets these problems alone.
type spoiled struct {
	name  string
	spoil func(*spec.Spec)
	want  []string
}

func run(t *testing.T, cases []spoiled) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := good()
			c.spoil(s)
			var got []string
			for _, p := range check.Spec(s) {
				got = append(got, p.String())
			}
			if strings.Join(got, "\n") != strings.Join(c.want, "\n") {
				t.Errorf("got:\n\t%s\nwant:\n\t%s", strings.Join(got, "\n\t"), strings.Join(c.want, "\n\t"))
			}
		})
	}
}

// References that lead nowhere are found wherever one may stand.
func TestReferences(t *testing.T) {
	run(t, []spoiled{
		{"vip of a listener", func(s *spec.Spec) { s.Listeners[2].VIP = "pubic" }, []string{
			`listeners[2].vip: no VIP named "pubic"; did you mean "public"?`,
		}},
		{"route of a listener", func(s *spec.Spec) { s.Listeners[1].Routes = append(s.Listeners[1].Routes, "blog") }, []string{
			`listeners[1].routes[1]: no route named "blog"; defined here: "shop"`,
		}},
		{"target group of a listener", func(s *spec.Spec) { s.Listeners[2].TargetGroups[0].Name = "cache" }, []string{
			`listeners[2].targetGroups[0]: no target group named "cache"; defined here: "web", "db"`,
		}},
		{"target group of a rule", func(s *spec.Spec) { s.Routes[0].Rules[1].TargetGroups[0].Name = "wbe" }, []string{
			`routes[0].rules[1].targetGroups[0]: no target group named "wbe"; did you mean "web"?`,
		}},
		{"site of a VIP", func(s *spec.Spec) { s.VIPs[1].Addresses["eats"] = []netip.Addr{addr("10.9.0.2")} }, []string{
			`vips[1].addresses.eats: no site named "eats"; did you mean "east"?`,
		}},
		{"site of a target", func(s *spec.Spec) { s.TargetGroups[0].Targets[1].Site = "north" }, []string{
			`targetGroups[0].targets[1].site: no site named "north"; defined here: "east", "west"`,
		}},
		{"listener of a VIP's health", func(s *spec.Spec) { s.VIPs[0].Health.Listeners = []spec.ListenerName{"htps"} }, []string{
			`vips[0].health.listeners[0]: no listener named "htps"; did you mean "https"?`,
		}},
		{"listener of another VIP", func(s *spec.Spec) { s.VIPs[1].Health.Listeners = []spec.ListenerName{"http"} }, []string{
			`vips[1].health.listeners[0]: listener "http" is on VIP "public"; name listeners of this VIP`,
		}},
		{"vip of a record", func(s *spec.Spec) { s.Zones[0].Records[1].VIP = "x" }, []string{
			`zones[0].records[1].vip: no VIP named "x"; defined here: "public", "inner"`,
		}},
		{"nothing is defined", func(s *spec.Spec) { s.Routes = nil; s.Listeners[1].Routes = []spec.RouteName{"shop"} }, []string{
			`listeners[1].routes[0]: no route named "shop"; none is defined here`,
		}},
		{"a group named twice", func(s *spec.Spec) { s.Routes[0].Rules[1].TargetGroups = []spec.GroupRef{ref("web"), ref("web")} }, []string{
			`routes[0].rules[1].targetGroups[1]: target group "web" is named twice; name it once, with the weights added up`,
		}},
		{"a route named twice", func(s *spec.Spec) { s.Listeners[1].Routes = []spec.RouteName{"shop", "shop"} }, []string{
			`listeners[1].routes[1]: route "shop" is named twice`,
		}},
	})
}

// Every noun has its own names, and each name one owner.
func TestDuplicates(t *testing.T) {
	run(t, []spoiled{
		{"sites", func(s *spec.Spec) { s.Sites = append(s.Sites, spec.Site{Name: "east"}) }, []string{
			`sites[2].name: "east" is already the name of sites[0]; names are given once`,
		}},
		{"nodes, at any site", func(s *spec.Spec) { s.Sites[1].Nodes[0].Name = "east-l7" }, []string{
			`sites[1].nodes[0].name: "east-l7" is already the name of sites[0].nodes[2]; names are given once`,
		}},
		{"vips", func(s *spec.Spec) { s.VIPs[1].Name = "public" }, []string{
			`vips[1].name: "public" is already the name of vips[0]; names are given once`,
		}},
		{"listeners", func(s *spec.Spec) { s.Listeners[2].Name = "http" }, []string{
			`listeners[2].name: "http" is already the name of listeners[0]; names are given once`,
		}},
		{"routes", func(s *spec.Spec) { s.Routes = append(s.Routes, s.Routes[0]) }, []string{
			`routes[1].name: "shop" is already the name of routes[0]; names are given once`,
		}},
		{"target groups", func(s *spec.Spec) { s.TargetGroups = append(s.TargetGroups, s.TargetGroups[1]) }, []string{
			`targetGroups[2].name: "db" is already the name of targetGroups[1]; names are given once`,
		}},
		{"zones, whatever their case", func(s *spec.Spec) { s.Zones = append(s.Zones, spec.Zone{Name: "EXAMPLE.com."}) }, []string{
			`zones[1].name: "EXAMPLE.com." is already the name of zones[0]; write all records of a zone in one place`,
		}},
		{"records, however they are written", func(s *spec.Spec) { s.Zones[0].Records[3].Name = "WWW.example.com." }, []string{
			`zones[0].records[3].name: "WWW.example.com." is already the name of zones[0].records[2]; write all data of a name in one record`,
		}},
		{"one name for several nouns is fine", func(s *spec.Spec) { s.TargetGroups[1].Name = "shop"; s.Listeners[2].TargetGroups[0].Name = "shop" }, nil},
		{"a target that every site has, and one of a site", func(s *spec.Spec) {
			s.TargetGroups[0].Targets = append(s.TargetGroups[0].Targets, target("10.0.0.1:8080"))
			s.TargetGroups[0].Targets[2].Site = "east"
		}, []string{
			`targetGroups[0].targets[2].address: 10.0.0.1:8080 is already the address of targets[0]; list it once; a weight makes its share larger`,
		}},
		{"a target of a site, and one that every site has", func(s *spec.Spec) {
			s.TargetGroups[0].Targets[0].Site = "west"
			s.TargetGroups[0].Targets[1] = target("10.0.0.1:8080")
		}, []string{
			`targetGroups[0].targets[1].address: 10.0.0.1:8080 is already the address of targets[0]; list it once; a weight makes its share larger`,
		}},
		{"one address at two sites is fine", func(s *spec.Spec) {
			s.TargetGroups[0].Targets = []spec.Target{target("10.0.0.1:8080"), target("10.0.0.1:8080")}
			s.TargetGroups[0].Targets[0].Site = "east"
			s.TargetGroups[0].Targets[1].Site = "west"
		}, nil},
	})
}

// Nodes and VIPs do not fight for sockets.
func TestSites(t *testing.T) {
	run(t, []spoiled{
		{"no role", func(s *spec.Spec) { s.Sites[0].Nodes[0].Roles = nil }, []string{
			`sites[0].nodes[0].roles: node "east-dns" has no role; use one of "dns", "vip", "l4", "l7"`,
		}},
		{"roles that are none, which was said when they were read", func(s *spec.Spec) {
			s.Sites[1].Nodes[0].Roles = []spec.Role{"l8"}
		}, nil},
		{"none of the roles that listeners need", func(s *spec.Spec) {
			s.Sites[1].Nodes[0].Roles = []spec.Role{spec.RoleL7}
		}, []string{
			`listeners[2].protocol: site "west" has no l4 node to serve tcp; add l4 to the roles of a node there, or take its address from VIP "public"`,
		}},
		{"uplinks", func(s *spec.Spec) {
			n := &s.Sites[0].Nodes[0]
			n.Roles, n.Uplinks = []spec.Role{spec.RoleDNS}, []string{"eth0", "no/such", "eth0"}
		}, []string{
			`sites[0].nodes[0].uplinks[1]: "no/such" is not the name of an interface; use a name as ip link shows it`,
			`sites[0].nodes[0].uplinks[2]: "eth0" is listed twice`,
			`warning: sites[0].nodes[0].uplinks: node "east-dns" has no role l4, and no other looks at them; say interface for an l7 node`,
		}},
		{"addresses of NAT", func(s *spec.Spec) {
			s.Sites[0].Nodes[0].NAT = []netip.Addr{addr("10.9.0.1"), addr("127.0.0.1"), addr("10.9.0.1"), addr("10.9.0.2"), addr("10.9.0.3")}
		}, []string{
			`sites[0].nodes[0].nat[1]: 127.0.0.1 is no address that targets can answer to; use one of the node, or one that is routed to it`,
			`sites[0].nodes[0].nat[2]: 10.9.0.1 is listed twice`,
			`sites[0].nodes[0].nat[4]: 10.9.0.3 is one too many of its family; list 4 at most`,
		}},
		{"a role twice", func(s *spec.Spec) { s.Sites[0].Nodes[0].Roles = []spec.Role{"dns", "dns"} }, []string{
			`sites[0].nodes[0].roles[1]: the role "dns" is given twice`,
		}},
		{"an address of no machine", func(s *spec.Spec) { s.Sites[0].Nodes[0].Address = addr("0.0.0.0") }, []string{
			`sites[0].nodes[0].address: 0.0.0.0 is not the address of one machine; use the one that other nodes reach it by`,
		}},
		{"two l7 nodes on one address", func(s *spec.Spec) {
			s.Sites[0].Nodes = append(s.Sites[0].Nodes, s.Sites[0].Nodes[2])
			s.Sites[0].Nodes[3].Name = "east-l7-2"
		}, []string{
			`sites[0].nodes[3].address: node "east-l7" is on the same machine, and both would listen on 10.1.0.31:80; give each node an address of its own`,
		}},
		{"two dns nodes on one address", func(s *spec.Spec) {
			s.Sites[1].Nodes[0].Address = addr("10.1.0.53")
			s.Sites[1].Nodes[0].Roles = append(s.Sites[1].Nodes[0].Roles, spec.RoleDNS)
		}, []string{
			`sites[1].nodes[0].address: node "east-dns" is on the same machine, and both would listen on 10.1.0.53:53; give each node an address of its own`,
		}},
		{"dns and l7 on one address is fine", func(s *spec.Spec) { s.Sites[0].Nodes[0].Address = addr("10.1.0.31") }, nil},
		{"one dns socket on loopback twice", func(s *spec.Spec) {
			for i, a := range []string{"127.0.0.1", "127.0.0.2"} {
				s.Sites[i].Nodes[0].Address = addr(a)
				s.Sites[i].Nodes[0].Roles = append(s.Sites[i].Nodes[0].Roles, spec.RoleDNS)[i:]
				s.Sites[i].Nodes[0].DNS = []netip.AddrPort{netip.MustParseAddrPort("127.0.0.53:5300")}
			}
			s.Sites[0].Nodes[0].Roles = []spec.Role{spec.RoleDNS}
			s.Sites[1].Nodes[0].Roles = []spec.Role{spec.RoleDNS, spec.RoleL4, spec.RoleL7}
		}, []string{
			`sites[1].nodes[0].address: node "east-dns" is on the same machine, and both would listen on 127.0.0.53:5300; give each node an address of its own`,
		}},
		{"dns where a listener is", func(s *spec.Spec) {
			s.Sites[1].Nodes[0].Roles = append(s.Sites[1].Nodes[0].Roles, spec.RoleDNS)
			s.Sites[1].Nodes[0].DNS = []netip.AddrPort{netip.MustParseAddrPort("203.0.113.10:5432")}
		}, []string{
			`sites[1].nodes[0].dns[0]: 203.0.113.10:5432 is also the address of listener "db"; let the dns role listen elsewhere`,
		}},
		{"dns where an l7 node is behind an l4 node", func(s *spec.Spec) {
			s.Sites[0].Nodes[2].Roles = append(s.Sites[0].Nodes[2].Roles, spec.RoleDNS)
			s.Sites[0].Nodes[2].DNS = []netip.AddrPort{netip.MustParseAddrPort("10.1.0.31:443")}
		}, []string{
			`sites[0].nodes[2].dns[0]: 10.1.0.31:443 is also the address of listener "https"; let the dns role listen elsewhere`,
		}},
		{"a dns address twice", func(s *spec.Spec) {
			a := netip.MustParseAddrPort("10.1.0.53:53")
			s.Sites[0].Nodes[0].DNS = []netip.AddrPort{a, a}
		}, []string{`sites[0].nodes[0].dns[1]: 10.1.0.53:53 is listed twice`}},
		{"a VIP without addresses", func(s *spec.Spec) { s.VIPs[1].Addresses = nil }, []string{
			`vips[1].addresses: VIP "inner" has no address; give it one at each site: {east: [198.51.100.10]}, or name a pool`,
		}},
		{"a site without an address", func(s *spec.Spec) { s.VIPs[1].Addresses["west"] = nil }, []string{
			`vips[1].addresses.west: no address is given for site "west"; leave the site out, or give it one`,
		}},
		{"two addresses of one family", func(s *spec.Spec) {
			s.VIPs[1].Addresses["east"] = []netip.Addr{addr("10.9.0.1"), addr("10.9.0.2")}
		}, []string{`vips[1].addresses.east[1]: a VIP has at most one address of each family at a site; make another VIP`}},
		{"the VIP of an l7 node behind l4 nodes", func(s *spec.Spec) { s.VIPs[1].Addresses["east"][0] = addr("10.1.0.31") }, []string{
			`vips[1].addresses.east[0]: node "east-l7" needs 10.1.0.31 for what node "east-l4" sends it; both would bind the same port; give the VIP an address of its own, or leave the role l4 out at site "east"`,
		}},
		{"every address, where one node has both roles", func(s *spec.Spec) { s.VIPs[0].Addresses["west"][0] = addr("::") }, []string{
			`vips[0].addresses.west[0]: node "west-1" needs 10.2.0.1 for what node "west-1" sends it; both would bind the same port; give the VIP an address of its own, or leave the role l4 out at site "west"`,
		}},
		{"every address, where the roles are apart, is fine", func(s *spec.Spec) {
			s.VIPs[0].Addresses["east"] = []netip.Addr{addr("0.0.0.0")}
		}, nil},
		{"the VIP of an l7 node without l4 nodes is fine", func(s *spec.Spec) {
			s.Sites[0].Nodes = s.Sites[0].Nodes[2:]
			s.VIPs[0].Addresses["east"] = []netip.Addr{addr("10.1.0.31")}
			s.Listeners = s.Listeners[:2]
		}, nil},
	})
}
