package check_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"portico/spec"
	"portico/spec/check"
)

// Rules go somewhere, and match what a request can be.
func TestRoutes(t *testing.T) {
	match := func(m spec.Match) func(*spec.Spec) {
		return func(s *spec.Spec) { s.Routes[0].Rules[0].Match[0] = m }
	}
	host := func(h string) func(*spec.Spec) {
		return func(s *spec.Spec) {
			s.Routes[0].Hosts = []string{h}
			s.Listeners[0].Redirect, s.Listeners[0].Routes = nil, []spec.RouteName{"shop"}
			s.Listeners = append(s.Listeners[:1], s.Listeners[2])
		}
	}
	run(t, []spoiled{
		{"no rules", func(s *spec.Spec) { s.Routes[0].Rules = nil }, []string{
			`routes[0].rules: route "shop" has no rules; add one: - targetGroups: [web]`,
		}},
		{"nowhere", func(s *spec.Spec) { s.Routes[0].Rules[1].TargetGroups = nil }, []string{
			`routes[0].rules[1]: the rule sends requests nowhere; name target groups, or use the filter respond or redirect`,
		}},
		{"a filter that answers", func(s *spec.Spec) {
			s.Routes[0].Rules[1] = spec.Rule{Filters: []spec.Choice{{Name: "rewrite"}, {Name: "respond"}}}
		}, nil},
		{"no weight", func(s *spec.Spec) { s.Routes[0].Rules[1].TargetGroups[0].Weight = 0 }, []string{
			`warning: routes[0].rules[1].targetGroups: every target group has weight 0, so every request is refused; give one a weight`,
		}},
		{"no weight in a group", func(s *spec.Spec) { s.TargetGroups[1].Targets[0].Weight = 0 }, []string{
			`warning: targetGroups[1].targets: every target has weight 0, so none takes anything new; give one a weight`,
		}},
		{"a queue before no limit", func(s *spec.Spec) { s.TargetGroups[1].Limits.Queue = &spec.Queue{Length: 5} }, []string{
			`warning: targetGroups[1].limits.queue: nothing waits in this queue: targets have no limit; set limits.requests, or limits.connections`,
		}},
		{"no target in a group", func(s *spec.Spec) { s.TargetGroups[1].Targets = nil }, []string{
			`warning: targetGroups[1].targets: target group "db" has no targets`,
		}},
		{"timeouts of a listener", func(s *spec.Spec) {
			s.Routes[0].Timeouts = spec.Timeouts{Head: spec.Duration(time.Second)}
			s.Routes[0].Rules[1].Timeouts = spec.Timeouts{Idle: spec.Off, Total: spec.Off}
		}, []string{
			`warning: routes[0].rules[1].timeouts.idle: no rule is known yet when this time runs, so it is not used; say it in the timeouts of the listener`,
			`warning: routes[0].timeouts.head: no rule is known yet when this time runs, so it is not used; say it in the timeouts of the listener`,
		}},
		{"an empty match", match(spec.Match{}), []string{
			`routes[0].rules[0].match[0]: an empty match takes every request; leave match out for that, or name path, methods or headers`,
		}},
		{"a path without a slash", match(spec.Match{Path: prefix("api")}), []string{
			`routes[0].rules[0].match[0].path.prefix: "api" does not begin with a slash; write "/api"`,
		}},
		{"a path with a query", match(spec.Match{Path: exact("/a?b=c")}), []string{
			`routes[0].rules[0].match[0].path.exact: "/a?b=c" is more than a path; leave out what follows it, and match a query with query`,
		}},
		{"a path with a space", match(spec.Match{Path: exact("/a b")}), []string{
			`routes[0].rules[0].match[0].path.exact: "/a b" holds a character that no request has in its path; write it percent-encoded`,
		}},
		{"a path with dots", match(spec.Match{Path: prefix("/a/../b")}), []string{
			`routes[0].rules[0].match[0].path.prefix: "/a/../b" holds the segment "..", which no request has when it is matched; leave it out`,
		}},
		{"a path with a star", match(spec.Match{Path: prefix("/a/*")}), []string{
			`warning: routes[0].rules[0].match[0].path.prefix: "/a/*" matches a star, not everything; a prefix needs no star`,
		}},
		{"methods", match(spec.Match{Methods: []string{"get", "A B", "POST", "POST", "purge"}}), []string{
			`warning: routes[0].rules[0].match[0].methods[0]: no client sends "get": methods are compared with their case; write "GET"`,
			`routes[0].rules[0].match[0].methods[1]: "A B" is not a method; use one such as GET`,
			`warning: routes[0].rules[0].match[0].methods[3]: the method "POST" is listed twice`,
		}},
		{"headers", match(spec.Match{Headers: map[string]spec.TextMatch{"a:b": {Exact: ""}, "X-A": {Exact: "1"}, "x-a": {Exact: "2"}}}), []string{
			`routes[0].rules[0].match[0].headers.a:b: "a:b" is not the name of a header; use one such as X-Version`,
			`routes[0].rules[0].match[0].headers.x-a: "X-A" and "x-a" are one header; name it once`,
		}},
		{"a regex that is none", match(spec.Match{Path: &spec.PathMatch{Regex: "/a("}, Headers: map[string]spec.TextMatch{"x": {Regex: "(?=a)"}}}), []string{
			`routes[0].rules[0].match[0].path.regex: "/a(" is not a regular expression: missing closing ) in "/a("; the syntax is RE2`,
			`routes[0].rules[0].match[0].headers.x.regex: "(?=a)" has (?=, which is not supported; the syntax is RE2, without looking ahead or behind`,
		}},
		{"a regex without a slash", match(spec.Match{Path: &spec.PathMatch{Regex: "api/.*"}}), []string{
			`warning: routes[0].rules[0].match[0].path.regex: "api/.*" matches no path: a path begins with a slash, and the whole of it must match; write "/api/.*"`,
		}},
		{"cookies and parameters", match(spec.Match{Cookies: map[string]spec.TextMatch{"a b": {}}, Query: map[string]spec.TextMatch{"": {Prefix: "a\n"}}}), []string{
			`routes[0].rules[0].match[0].query: a parameter has no name; write one such as version`,
			`warning: routes[0].rules[0].match[0].query.prefix: "a\n" holds a control character, which hardly any request has`,
			`routes[0].rules[0].match[0].cookies.a b: "a b" is not the name of a cookie; use letters, digits, - and _`,
		}},
		{"a host among headers", match(spec.Match{Headers: map[string]spec.TextMatch{"Host": {Exact: "a"}}}), []string{
			`warning: routes[0].rules[0].match[0].headers.Host: the host is matched by hosts, without its port and whatever its case; use hosts of the route`,
		}},
		{"sources", match(spec.Match{Sources: nets("10.0.0.0/8", "10.1.0.0/16", "192.0.2.1/24")}), []string{
			`warning: routes[0].rules[0].match[0].sources[1]: 10.1.0.0/16 is in 10.0.0.0/8, which is listed too; leave it out`,
			`warning: routes[0].rules[0].match[0].sources[2]: 192.0.2.1/24 has bits beyond its length, which do not count; write 192.0.2.0/24`,
		}},
		{"grpc", match(spec.Match{GRPC: &spec.GRPCMatch{Service: "/a.B", Method: "x.y"}, Path: exact("/a"), Methods: []string{"GET"}}), []string{
			`routes[0].rules[0].match[0].grpc: grpc and path both speak of the path; leave out one or the other`,
			`routes[0].rules[0].match[0].grpc.service: "/a.B" is not the name of a service; write one such as helloworld.Greeter`,
			`routes[0].rules[0].match[0].grpc.method: "x.y" is not the name of a method; write one such as SayHello`,
			`warning: routes[0].rules[0].match[0].grpc: every call of gRPC is a POST request, which methods does not list; leave methods out`,
		}},
		{"every call of gRPC", match(spec.Match{GRPC: &spec.GRPCMatch{}}), nil},
		{"a host twice", func(s *spec.Spec) { s.Routes[0].Hosts = []string{"myapp.example.com", "MyApp.example.com."} }, []string{
			`warning: routes[0].hosts[1]: the host "MyApp.example.com." is listed twice`,
		}},
		{"a host with a port", host("example.com:80"), []string{
			`routes[0].hosts[0]: "example.com:80" is not a host; leave out the port; a listener has it`,
		}},
		{"a host with a scheme", host("http://example.com/"), []string{
			`routes[0].hosts[0]: "http://example.com/" is not a host; leave out the scheme and the path`,
		}},
		{"a host with a star inside", host("a.*.example.com"), []string{
			`routes[0].hosts[0]: "a.*.example.com" is not a host; a star stands for the first labels, as in *.example.com`,
		}},
		{"a host of another alphabet", host("bücher.example"), []string{
			`routes[0].hosts[0]: "bücher.example" is not a host; write an international name as its xn-- form`,
		}},
		{"a host with an empty label", host("a..b"), []string{
			`routes[0].hosts[0]: "a..b" is not a host; use one such as myapp.example.com or *.example.com`,
		}},
		{"an endless label", host(strings.Repeat("a", 64)), []string{
			`routes[0].hosts[0]: "` + strings.Repeat("a", 64) + `" is not a host; use one such as myapp.example.com or *.example.com`,
		}},
		{"an address is a host", host("127.0.0.1"), nil},
		{"an address in brackets is a host", host("[2001:db8::1]"), nil},
	})
}

// Two routes of a listener may share a host; the later one is pointed out when
// nothing of the host is left for it.
func TestSharedHosts(t *testing.T) {
	two := func(hosts []string, rules ...spec.Rule) func(*spec.Spec) {
		return func(s *spec.Spec) {
			s.Routes = append(s.Routes, spec.Route{Name: "blog", Hosts: hosts, Rules: rules})
			s.Listeners[1].Routes = []spec.RouteName{"shop", "blog"}
			s.Certificates[0].Hosts = append(s.Certificates[0].Hosts, "x.wild.example.com")
		}
	}
	web := spec.Rule{TargetGroups: []spec.GroupRef{ref("web")}}
	run(t, []spoiled{
		{"nothing is left", two([]string{"x.wild.example.com", "MyApp.example.com"}, web), []string{
			`warning: listeners[1].routes[1]: no request for "myapp.example.com" reaches route "blog": routes[0].rules[1] takes all that it matches; name it earlier, or give it other hosts`,
		}},
		{"other hosts", two([]string{"x.wild.example.com"}, web), nil},
		{"every host", two(nil, web), nil},
		{"something is left", func(s *spec.Spec) {
			two([]string{"myapp.example.com"}, web)(s)
			s.Routes[0].Rules = s.Routes[0].Rules[:1]
		}, nil},
		{"every host twice", func(s *spec.Spec) { two(nil, web)(s); s.Routes[0].Hosts = nil }, []string{
			`warning: listeners[1].routes[1]: no request reaches route "blog": routes[0].rules[1] takes all that it matches; name it earlier, or give it other hosts`,
		}},
	})
}

// What stands under one name can be answered.
func TestZones(t *testing.T) {
	record := func(r spec.Record) func(*spec.Spec) {
		return func(s *spec.Spec) { s.Zones[0].Records[3] = r }
	}
	v4, v6 := []netip.Addr{addr("192.0.2.1")}, []netip.Addr{addr("2001:db8::1")}
	run(t, []spoiled{
		{"a zone that is none", func(s *spec.Spec) { s.Zones[0].Name = "exa mple.com" }, []string{
			`zones[0].name: "exa mple.com" is not the name of a zone; use one such as example.com`,
		}},
		{"nothing", record(spec.Record{Name: "x"}), []string{
			`zones[0].records[3]: the record "x" holds nothing; give it one of vip, a, aaaa, cname, txt, ns`,
		}},
		{"outside the zone", record(spec.Record{Name: "x.example.org.", A: v4}), []string{
			`zones[0].records[3].name: "x.example.org." is not in the zone "example.com"; leave out the last dot if it is below the zone's name`,
		}},
		{"a wildcard", record(spec.Record{Name: "*", A: v4}), []string{
			`zones[0].records[3].name: "*" is a wildcard, which is not supported; list the names`,
		}},
		{"no name", record(spec.Record{Name: "a..b", A: v4}), []string{
			`zones[0].records[3].name: "a..b" is not a name; use one such as www, or @ for the zone itself`,
		}},
		{"a cname and more", record(spec.Record{Name: "x", CNAME: "y", TXT: []string{"z"}}), []string{
			`zones[0].records[3].cname: the record "x" holds more than a cname, which stands alone; leave out one or the other`,
		}},
		{"a cname of the zone", func(s *spec.Spec) { s.Zones[0].Records[0] = spec.Record{Name: "example.com.", CNAME: "y"} }, []string{
			`zones[0].records[0].cname: the zone itself cannot be another name for something (RFC 1034, section 3.6.2); use vip, or a and aaaa`,
		}},
		{"a cname to no name", record(spec.Record{Name: "x", CNAME: "http://y"}), []string{
			`zones[0].records[3].cname: "http://y" is not a name; use one such as www, or whole with a last dot`,
		}},
		{"a vip and addresses", record(spec.Record{Name: "x", VIP: "public", AAAA: v6}), []string{
			`zones[0].records[3].vip: the record "x" has a vip and addresses; a vip takes the place of a and aaaa; leave out one or the other`,
		}},
		{"a policy without a vip", record(spec.Record{Name: "x", A: v4, Policy: &spec.Choice{Name: "simple"}}), []string{
			`zones[0].records[3].policy: a policy chooses among the sites of a vip, and there is none; add vip, or leave policy out`,
		}},
		{"the wrong families", record(spec.Record{Name: "x", A: v6, AAAA: v4}), []string{
			`zones[0].records[3].a[0]: 2001:db8::1 is not an IPv4 address; write it in aaaa`,
			`zones[0].records[3].aaaa[0]: 192.0.2.1 is not an IPv6 address; write it in a`,
		}},
	})
}

// A spec of which little could be read is judged without a panic: config hands
// it over to find more problems.
func TestHoles(*testing.T) {
	s := &spec.Spec{
		Sites:        make([]spec.Site, 2),
		VIPs:         make([]spec.VIP, 2),
		Zones:        []spec.Zone{{}, {Name: "a.b", Records: make([]spec.Record, 2)}},
		Certificates: make([]spec.Certificate, 2),
		Listeners:    make([]spec.Listener, 3),
		Routes:       []spec.Route{{}, {Rules: []spec.Rule{{}, {Match: make([]spec.Match, 2), Sticky: &spec.Sticky{}}}}},
		TargetGroups: []spec.TargetGroup{{}, {Targets: make([]spec.Target, 2)}},
	}
	s.Sites[0].Nodes = make([]spec.Node, 2)
	s.Sites[1].Nodes = []spec.Node{{Roles: []spec.Role{"dns", "l4", "l7"}}, {Roles: []spec.Role{"dns", "l4", "l7"}}}
	s.VIPs[1].Addresses = map[spec.SiteName][]netip.Addr{"": {{}}, "x": {{}}}
	s.Listeners[1].Protocol, s.Listeners[2].Protocol = "http", "tcp"
	check.Spec(s)
	check.Spec(&spec.Spec{})
}

// A split has something to part, and by what a request can have.
func TestSplit(t *testing.T) {
	split := func(k spec.HashKey, groups ...spec.GroupRef) func(*spec.Spec) {
		return func(s *spec.Spec) {
			r := &s.Routes[0].Rules[1]
			r.Split, r.TargetGroups = &k, append(r.TargetGroups[:1:1], groups...)
		}
	}
	run(t, []spoiled{
		{"by the client", split(spec.HashKey{}, ref("db")), nil},
		{"one group", split(spec.HashKey{Cookie: "uid"}), []string{
			`warning: routes[0].rules[1].split: there are no two target groups to split requests among; name another, or leave split out`,
		}},
		{"no header", split(spec.HashKey{Header: "x y"}, ref("db")), []string{
			`routes[0].rules[1].split.header: "x y" is not the name of a header; use letters, digits, - and _`,
		}},
	})
}

// TestTunnel proves that a rule which takes CONNECT cannot name a group whose
// connections are shared by streams.
func TestTunnel(t *testing.T) {
	for protocol, want := range map[spec.TargetProtocol]int{"": 0, spec.TargetHTTP1: 0, spec.TargetHTTP2: 1, spec.TargetAuto: 1} {
		s := good()
		s.TargetGroups[0].Protocol = protocol
		s.Routes[0].Rules = []spec.Rule{{Connect: true, TargetGroups: []spec.GroupRef{ref(s.TargetGroups[0].Name)}}}
		found := 0
		for _, p := range check.Spec(s) {
			if p.Path == "routes[0].rules[0].connect" {
				found++
			}
		}
		if found != want {
			t.Errorf("protocol %q: %d problems, want %d", protocol, found, want)
		}
	}
}
