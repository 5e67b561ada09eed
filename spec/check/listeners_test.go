package check_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"portico/spec"
	"portico/spec/check"
)

// keyed are the parameters of a balance that hashes.
type keyed spec.HashKey

func (k keyed) Hashed() (spec.HashKey, spec.HashPrefix) { return spec.HashKey(k), spec.HashPrefix{} }

// Each protocol has what it needs, and nothing that another one has.
func TestListeners(t *testing.T) {
	run(t, []spoiled{
		{"http without routes", func(s *spec.Spec) { s.Listeners[0].Redirect = nil }, []string{
			`listeners[0]: http listener "http" has no routes; name some in routes, or use redirect: https`,
		}},
		{"https without routes", func(s *spec.Spec) { s.Listeners[1].Routes = nil }, []string{
			`listeners[1]: https listener "https" has no routes; name some in routes`,
		}},
		{"http with target groups", func(s *spec.Spec) { s.Listeners[0].TargetGroups = []spec.GroupRef{ref("web")} }, []string{
			`listeners[0].targetGroups: http listeners have routes, and their rules have target groups; make a route and name it in routes`,
		}},
		{"tcp without target groups", func(s *spec.Spec) { s.Listeners[2].TargetGroups = nil }, []string{
			`listeners[2]: tcp listener "db" has no target groups; name some in targetGroups`,
		}},
		{"a stream that holds more than its connection", func(s *spec.Spec) {
			s.Listeners[1].HTTP2 = &spec.HTTP2{Enabled: true, StreamWindow: 4 << 20, ConnectionWindow: 1 << 20}
		}, []string{
			`listeners[1].http2.streamWindow: a stream may hold 4MiB, and its connection only 1MiB; make connectionWindow at least as large`,
		}},
		{"tcp with what http has", func(s *spec.Spec) {
			s.Listeners[2].Routes = []spec.RouteName{"shop"}
			s.Listeners[2].Redirect = &spec.ListenerRedirect{Scheme: "https"}
			s.Listeners[2].TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
		}, []string{
			`listeners[2].routes: tcp listeners have target groups, not routes; use targetGroups, or the protocol http or https`,
			`listeners[2].redirect: tcp listeners cannot redirect; leave it out`,
			`listeners[2].trustedProxies: tcp listeners read no header of a proxy; leave it out`,
		}},
		{"a protocol that is none, which was said when it was read", func(s *spec.Spec) { s.Listeners[1].Protocol = "HTTPS" }, []string{
			`listeners[0].redirect: VIP "public" has no https listener to redirect to; add one, or give the port: {scheme: https, port: 443}`,
		}},
		{"tcp with a key of requests", func(s *spec.Spec) {
			at := slices.IndexFunc(s.TargetGroups, func(g spec.TargetGroup) bool { return g.Name == s.Listeners[2].TargetGroups[0].Name })
			s.TargetGroups[at].Balance = &spec.Choice{Name: "maglev", Params: keyed{Header: "x-user"}}
		}, []string{
			`warning: listeners[2].targetGroups[0]: target group "db" hashes the header x-user, which flows do not have: theirs are hashed by addresses and ports; use it in a rule, or leave out its key`,
		}},
		{"tcp by the client is fine with maglev", func(s *spec.Spec) {
			at := slices.IndexFunc(s.TargetGroups, func(g spec.TargetGroup) bool { return g.Name == s.Listeners[2].TargetGroups[0].Name })
			s.TargetGroups[at].Balance = &spec.Choice{Name: "maglev", Params: keyed{From: "client"}}
		}, nil},
		{"tcp with a balance that hashes is fine", func(s *spec.Spec) {
			for i := range s.TargetGroups {
				s.TargetGroups[i].Balance = &spec.Choice{Name: "maglev", Params: keyed{}}
			}
		}, nil},
		{"redirect to no listener", func(s *spec.Spec) { s.Listeners = append(s.Listeners[:1], s.Listeners[2]) }, []string{
			`listeners[0].redirect: VIP "public" has no https listener to redirect to; add one, or give the port: {scheme: https, port: 443}`,
		}},
		{"redirect to a port is fine", func(s *spec.Spec) {
			s.Listeners[0].Redirect.Port = 8443
			s.Listeners = append(s.Listeners[:1], s.Listeners[2])
		}, nil},
		{"redirect of https", func(s *spec.Spec) { s.Listeners[1].Redirect = &spec.ListenerRedirect{Scheme: "https"} }, []string{
			`listeners[1].redirect: an https listener cannot redirect as a whole; use a rule with the filter redirect`,
		}},
		{"redirect before routes", func(s *spec.Spec) { s.Listeners[0].Routes = []spec.RouteName{"shop"} }, []string{
			`warning: listeners[0].routes: no request comes to these routes: the listener redirects every one; leave out redirect or routes`,
		}},
		{"one port twice", func(s *spec.Spec) { s.Listeners[2].Port = 443 }, []string{
			`listeners[2].port: port 443 of 198.51.100.10 is taken by listener "https"; use another port or another VIP`,
		}},
		{"one port of two VIPs with one address", func(s *spec.Spec) {
			s.VIPs[1].Addresses["east"][0] = addr("2001:db8::10")
			s.Listeners[2].VIP, s.Listeners[2].Port = "inner", 80
		}, []string{
			`listeners[2].port: port 80 of 2001:db8::10 is taken by listener "http"; use another port or another VIP`,
		}},
		{"one port of a VIP that is every address", func(s *spec.Spec) {
			s.VIPs[1].Addresses["east"][0] = addr("0.0.0.0")
			s.Listeners[2].VIP, s.Listeners[2].Port = "inner", 80
		}, []string{
			`listeners[2].port: port 80 of 0.0.0.0 is taken by listener "http"; use another port or another VIP`,
		}},
		{"every IPv4 address leaves IPv6 alone", func(s *spec.Spec) {
			s.VIPs[0].Addresses["east"] = []netip.Addr{addr("2001:db8::10")}
			s.VIPs[1].Addresses["east"][0] = addr("0.0.0.0")
			s.Listeners[2].VIP, s.Listeners[2].Port = "inner", 80
		}, nil},
		{"one port of two VIPs at different sites is fine", func(s *spec.Spec) {
			s.VIPs[0].Addresses = map[spec.SiteName][]netip.Addr{"west": {addr("10.9.0.1")}}
			s.Listeners[2].VIP, s.Listeners[2].Port = "inner", 80
		}, nil},
		{"tcp where no l4 node is", func(s *spec.Spec) { s.Sites[1].Nodes[0].Roles = []spec.Role{spec.RoleL7} }, []string{
			`listeners[2].protocol: site "west" has no l4 node to serve tcp; add l4 to the roles of a node there, or take its address from VIP "public"`,
		}},
		{"http where no l7 node is", func(s *spec.Spec) { s.Sites[1].Nodes[0].Roles = []spec.Role{spec.RoleL4} }, []string{
			`listeners[0].protocol: site "west" has no l7 node to serve http; add l7 to the roles of a node there, or take its address from VIP "public"`,
			`listeners[1].protocol: site "west" has no l7 node to serve https; add l7 to the roles of a node there, or take its address from VIP "public"`,
		}},
	})
}

// Certificates are those of their keys, and every host of an https listener has one.
func TestCertificates(t *testing.T) {
	run(t, []spoiled{
		{"none", func(s *spec.Spec) { s.Certificates = nil }, []string{
			`listeners[1].protocol: https needs a certificate, and there is none; add one to certificates`,
		}},
		{"none for a host", func(s *spec.Spec) { s.Routes[0].Hosts = []string{"myapp.example.com", "shop.example.com"} }, []string{
			`warning: routes[0].hosts[1]: no certificate is for "shop.example.com", which listener "https" serves; add it to the hosts of one`,
		}},
		{"a wildcard for one label only", func(s *spec.Spec) {
			s.Certificates[0].Hosts = []string{"*.wild.example.com"}
			s.Routes[0].Hosts = []string{"a.wild.example.com", "a.b.wild.example.com", "*.wild.example.com"}
		}, []string{
			`warning: routes[0].hosts[1]: no certificate is for "a.b.wild.example.com", which listener "https" serves; add it to the hosts of one`,
		}},
		{"not for its host", func(s *spec.Spec) { s.Certificates[0].Hosts = append(s.Certificates[0].Hosts, "x.example.com") }, []string{
			`warning: certificates[0].hosts[1]: the certificate "/etc/myapp.pem" is not for "x.example.com"; it names "myapp.example.com", "*.wild.example.com"`,
		}},
		{"for no host", func(s *spec.Spec) { s.Certificates[0].Hosts = nil; s.Routes[0].Hosts = nil }, []string{
			`certificates[0].hosts: the certificate is served for no host; name those it is for`,
		}},
		{"no certificate in the file", func(s *spec.Spec) { s.Certificates[0].Files.Certificate.Bytes = []byte(keyPEM) }, []string{
			`certificates[0].files.certificate: "/etc/myapp.pem" holds no certificate: no CERTIFICATE block; use a PEM file, the leaf first`,
		}},
		{"no key in the file", func(s *spec.Spec) { s.Certificates[0].Files.Key.Value = []byte("secret") }, []string{
			`certificates[0].files.key: secret from /etc/myapp.key holds no private key: no PRIVATE KEY block; use a PEM file without a password`,
		}},
		{"a key with a password", func(s *spec.Spec) {
			s.Certificates[0].Files.Key.Value = []byte("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n")
		}, []string{
			`certificates[0].files.key: secret from /etc/myapp.key holds no private key: it has a password; use a PEM file without a password`,
		}},
		{"the key of another", func(s *spec.Spec) { s.Certificates[0].Files.Key.Value = []byte(otherKeyPEM) }, []string{
			`certificates[0].files.key: the key is not that of the certificate "/etc/myapp.pem"; use the key it was made with`,
		}},
		{"the key in its older form is fine", func(s *spec.Spec) { s.Certificates[0].Files.Key.Value = []byte(ecKeyPEM) }, nil},
		{"the key after its certificate is fine", func(s *spec.Spec) { s.Certificates[0].Files.Key.Value = []byte(certPEM + keyPEM) }, nil},
		{"files that could not be read were said to be", func(s *spec.Spec) { s.Certificates[0].Files = spec.CertFiles{} }, nil},
		{"a host that is none", func(s *spec.Spec) { s.Certificates[0].Hosts[0] = "*.*.example.com"; s.Routes[0].Hosts = nil }, []string{
			`certificates[0].hosts[0]: "*.*.example.com" is not a host; a star stands for the first labels, as in *.example.com`,
			`warning: certificates[0].hosts[0]: the certificate "/etc/myapp.pem" is not for "*.*.example.com"; it names "myapp.example.com", "*.wild.example.com"`,
		}},
	})
}

// Keys for cookies are long enough, and there is one where several nodes need it.
// TestDrain proves the warning about nodes that are gone before their clients
// could know, and that only names with somewhere else to go are counted.
func TestDrain(t *testing.T) {
	seconds := func(n int) spec.Duration { return spec.Duration(time.Duration(n) * time.Second) }
	short := func(s *spec.Spec) {
		s.Drain = seconds(10)
		s.VIPs[0].Addresses = map[spec.SiteName][]netip.Addr{"east": {addr("192.0.2.1")}, "west": {addr("192.0.2.2")}}
		s.VIPs[0].Health.Timing = spec.Timing{Interval: seconds(10), Timeout: seconds(2), Rise: 1, Fall: 1}
		s.Zones = []spec.Zone{{
			Name: "example.com", TTL: seconds(30), Nameservers: []spec.Nameserver{{Name: "ns.example.net."}},
			Records: []spec.Record{{Name: "www", VIP: s.VIPs[0].Name}},
		}}
	}
	drainOnly := func(s *spec.Spec) []string {
		var got []string
		for _, p := range check.Spec(s) {
			if p.Path == "drain" {
				got = append(got, p.String())
			}
		}
		return got
	}
	s := good()
	short(s)
	want := "warning: drain: a node that stops is gone after 10s, while clients may use answers that name its VIPs for 43s; use at least 58s, or shorter ttls of records and intervals of vips[].health"
	if got := drainOnly(s); len(got) != 1 || got[0] != want {
		t.Errorf("problems %q, want %q", got, want)
	}
	s.Drain = seconds(58)
	if got := drainOnly(s); len(got) > 0 {
		t.Errorf("with what was asked for, problems are %q", got)
	}
	s.Drain = seconds(10)
	delete(s.VIPs[0].Addresses, "west")
	if got := drainOnly(s); len(got) > 0 {
		t.Errorf("with one site, problems are %q", got)
	}
}

func TestSecrets(t *testing.T) {
	sticky := func(s *spec.Spec) {
		s.Routes[0].Rules[1].Sticky = &spec.Sticky{Cookie: &spec.StickyCookie{Name: "PORTICO"}}
	}
	run(t, []spoiled{
		{"short", func(s *spec.Spec) { s.Secrets.Sticky[0].Value = []byte("secret") }, []string{
			`secrets.sticky[0]: the key has 6 bytes; use at least 16, such as the output of: openssl rand -hex 32`,
		}},
		{"none, and several l7 nodes", func(s *spec.Spec) {
			sticky(s)
			s.Secrets = spec.Secrets{}
			s.Sites[0].Nodes = append(s.Sites[0].Nodes, spec.Node{Name: "l7-2", Address: addr("10.1.0.32"), Roles: []spec.Role{spec.RoleL7}})
		}, []string{
			`warning: routes[0].rules[1].sticky: site "east" has several l7 nodes, and no key that they share: a cookie holds at the node that set it; give them one in secrets.sticky`,
		}},
		{"none, and one l7 node at each site, is fine", func(s *spec.Spec) { sticky(s); s.Secrets = spec.Secrets{} }, nil},
		{"a cookie that is none", func(s *spec.Spec) { sticky(s); s.Routes[0].Rules[1].Sticky.Cookie.Name = "a b" }, []string{
			`routes[0].rules[1].sticky.cookie.name: "a b" is not the name of a cookie; use letters, digits, - and _`,
		}},
	})
}
