package node

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"portico/spec"
	"portico/target"
	"portico/target/health"
)

// twoTiers is a site with an l4 node before two l7 nodes, and a dns node.
func twoTiers() *spec.Spec {
	addr := netip.MustParseAddr
	target := func(s string, site spec.SiteName) spec.Target {
		return spec.Target{Address: spec.AddrPort{AddrPort: netip.MustParseAddrPort(s)}, Site: site, Weight: 1}
	}
	return &spec.Spec{
		Sites: []spec.Site{
			{Name: "east", Nodes: []spec.Node{
				{Name: "names", Address: addr("10.0.0.53"), Roles: []spec.Role{spec.RoleDNS}},
				{Name: "edge", Address: addr("10.0.0.9"), Roles: []spec.Role{spec.RoleL4}},
				{Name: "proxy-1", Address: addr("10.0.0.31"), Roles: []spec.Role{spec.RoleL7}},
				{Name: "proxy-2", Address: addr("10.0.0.32"), Roles: []spec.Role{spec.RoleL7}},
			}},
			{Name: "west", Nodes: []spec.Node{{Name: "lone", Address: addr("10.1.0.1"), Roles: []spec.Role{spec.RoleL7}}}},
		},
		VIPs: []spec.VIP{{Name: "public", Addresses: map[spec.SiteName][]netip.Addr{
			"east": {addr("192.0.2.1"), addr("2001:db8::1")},
			"west": {addr("192.0.2.2")},
		}}},
		Zones: []spec.Zone{{Name: "example.com", Records: []spec.Record{{Name: "www", VIP: "public"}}}},
		Listeners: []spec.Listener{
			{Name: "http", VIP: "public", Port: 80, Protocol: spec.ProtocolHTTP, Routes: []spec.RouteName{"app"}},
			{Name: "db", VIP: "public", Port: 5432, Protocol: spec.ProtocolTCP, TargetGroups: []spec.GroupRef{{Name: "db", Weight: 1}}},
		},
		Routes: []spec.Route{{
			Name:  "app",
			Hosts: []string{"*.example.com"},
			Rules: []spec.Rule{{TargetGroups: []spec.GroupRef{{Name: "web", Weight: 1}}}},
		}},
		TargetGroups: []spec.TargetGroup{
			{Name: "web", Targets: []spec.Target{target("10.0.1.1:80", "east"), target("10.1.1.1:80", "west"), target("10.9.9.9:80", "")}},
			{Name: "db", Targets: []spec.Target{target("10.0.1.2:5432", "")}},
		},
	}
}

// TestGroups proves that each node watches what its roles send to, and no more.
func TestGroups(t *testing.T) {
	tests := []struct {
		node spec.NodeName
		want []string
	}{
		{"names", []string{
			"vip:public:http 192.0.2.1:80 [2001:db8::1]:80 192.0.2.2:80",
			"vip:public:db 192.0.2.1:5432 [2001:db8::1]:5432 192.0.2.2:5432",
		}},
		{"edge", []string{"db 10.0.1.2:5432", "l7:80 10.0.0.31:80 10.0.0.32:80"}},
		{"proxy-1", []string{"web 10.0.1.1:80 10.9.9.9:80"}},
		{"lone", []string{"web 10.1.1.1:80 10.9.9.9:80"}},
		{"nobody", nil},
	}
	for _, tt := range tests {
		t.Run(string(tt.node), func(t *testing.T) {
			var got []string
			for _, g := range groups(twoTiers(), tt.node) {
				line := string(g.Name)
				for _, target := range g.Targets {
					line += " " + target.Address.String()
				}
				got = append(got, line)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("groups(%s) = %q, want %q", tt.node, got, tt.want)
			}
		})
	}
}

// TestImpliedBalance proves that flows are hashed where the spec leaves it open,
// so that every l4 node sends a flow the same way.
func TestImpliedBalance(t *testing.T) {
	for _, g := range groups(twoTiers(), "edge") {
		if g.Balance == nil || g.Balance.Name != "maglev" {
			t.Errorf("group %s: balance %v, want maglev", g.Name, g.Balance)
		}
	}
	want := twoTiers()
	want.TargetGroups[1].Balance = &spec.Choice{Name: "least-conn"}
	if g := groups(want, "edge")[0]; g.Balance.Name != "least-conn" {
		t.Errorf("balance of %s = %s, want the one that was asked for, least-conn", g.Name, g.Balance.Name)
	}
}

// TestNodeWeights proves that l7 nodes share flows by the weights of the nodes.
func TestNodeWeights(t *testing.T) {
	want := twoTiers()
	want.Sites[0].Nodes[3].Weight = 3
	var got []int
	for _, n := range groups(want, "edge")[1].Targets {
		got = append(got, n.Weight)
	}
	if !slices.Equal(got, []int{1, 3}) {
		t.Errorf("weights of the l7 nodes are %v, want 1 for none and 3", got)
	}
}

// TestVIPCheck proves that a VIP is probed the way a client would use it.
func TestVIPCheck(t *testing.T) {
	want := twoTiers()
	if c := vipCheck(want, want.Listener("db")); c.Name != "tcp" {
		t.Errorf("check of a tcp listener is %q, want tcp", c.Name)
	}
	c := vipCheck(want, want.Listener("http"))
	params, ok := c.Params.(*health.HTTP)
	if !ok || c.Name != "http" {
		t.Fatalf("check of an http listener is %q %T, want http *health.HTTP", c.Name, c.Params)
	}
	if got, want := fmt.Sprint(params.Method, " ", params.Host), "HEAD portico-probe.example.com"; got != want {
		t.Errorf("probe is %q, want %q", got, want)
	}
	secure := *want.Listener("http")
	secure.Protocol, secure.Routes = spec.ProtocolHTTPS, nil
	want.Certificates = []spec.Certificate{{Hosts: []string{"*.shop.test"}}}
	for _, tt := range []struct {
		name, check, host string
		tls               *spec.ListenerTLS
	}{
		{"https", "https", "", nil},
		{"names are refused", "https", "portico-probe.shop.test", &spec.ListenerTLS{UnknownName: spec.UnknownRefuse}},
		{"a certificate is welcome", "https", "", &spec.ListenerTLS{ClientAuth: &spec.ClientAuth{Mode: spec.ClientOptional}}},
		{"a certificate is required", "tcp", "", &spec.ListenerTLS{ClientAuth: &spec.ClientAuth{Mode: spec.ClientRequire}}},
	} {
		secure.TLS = tt.tls
		c := vipCheck(want, &secure)
		host := ""
		if params, ok := c.Params.(*health.HTTP); ok {
			host = params.ServerName
		}
		if c.Name != tt.check || host != tt.host {
			t.Errorf("%s: check %s of %q, want %s of %q", tt.name, c.Name, host, tt.check, tt.host)
		}
	}
	want.VIPs[0].Health.Listeners = []spec.ListenerName{"db"}
	if got := probed(want, &want.VIPs[0]); len(got) != 1 || got[0].Name != "db" {
		t.Errorf("probed listeners %v, want db alone", got)
	}
}

// TestLeaving proves that a new spec's groups go with what they take the place
// of, drained, once and no more than a group may have.
func TestLeaving(t *testing.T) {
	group := func(name spec.TargetGroupName, addrs ...string) spec.TargetGroup {
		g := spec.TargetGroup{Name: name}
		for _, a := range addrs {
			g.Targets = append(g.Targets, spec.Target{Address: spec.AddrPort{AddrPort: netip.MustParseAddrPort(a)}, Weight: 1})
		}
		return g
	}
	now := []spec.TargetGroup{group("a", "10.0.0.1:80", "[::ffff:10.0.0.2]:80"), group("gone", "10.0.0.3:80")}
	next := []spec.TargetGroup{group("a", "10.0.0.2:80", "10.0.0.4:80"), group("new", "10.0.0.5:80")}
	var got []string
	for _, g := range leaving(now, next) {
		for _, t := range g.Targets {
			got = append(got, fmt.Sprint(g.Name, " ", t.Address, " ", t.Drain))
		}
	}
	want := []string{"a 10.0.0.2:80 false", "a 10.0.0.4:80 false", "a 10.0.0.1:80 true", "new 10.0.0.5:80 false", "gone 10.0.0.3:80 false"}
	if !slices.Equal(got, want) {
		t.Errorf("leaving is %q, want %q", got, want)
	}
	if len(next[0].Targets) != 2 || len(now[0].Targets) != 2 {
		t.Error("it changed what it was given")
	}
	full := make([]string, target.TargetsMax)
	for i := range full {
		full[i] = fmt.Sprintf("10.1.%d.%d:80", i/256, i%256)
	}
	if n := len(leaving(now, []spec.TargetGroup{group("a", full...)})[0].Targets); n != target.TargetsMax {
		t.Errorf("a full group has %d targets", n)
	}
}
