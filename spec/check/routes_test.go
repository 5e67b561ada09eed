package check_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"pgregory.net/rapid"

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
		{"no target in a group", func(s *spec.Spec) { s.TargetGroups[1].Targets = nil }, []string{
			`warning: targetGroups[1].targets: target group "db" has no targets`,
		}},
		{"an empty match", match(spec.Match{}), []string{
			`routes[0].rules[0].match[0]: an empty match takes every request; leave match out for that, or name path, methods or headers`,
			`warning: routes[0].rules[1]: no request reaches this rule: routes[0].rules[0] takes all that it matches; move it up, or leave it out`,
		}},
		{"a path without a slash", match(spec.Match{Path: prefix("api")}), []string{
			`routes[0].rules[0].match[0].path.prefix: "api" does not begin with a slash; write "/api"`,
		}},
		{"a path with a query", match(spec.Match{Path: exact("/a?b=c")}), []string{
			`routes[0].rules[0].match[0].path.exact: "/a?b=c" is more than a path; leave out what follows it`,
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
		{"headers", match(spec.Match{Headers: map[string]string{"a:b": "", "X-A": "1", "x-a": "2"}}), []string{
			`routes[0].rules[0].match[0].headers.a:b: "a:b" is not the name of a header; use one such as X-Version`,
			`routes[0].rules[0].match[0].headers.x-a: "X-A" and "x-a" are one header; name it once`,
		}},
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

// A rule is shadowed when all that it takes is taken before, and only then.
func TestShadow(t *testing.T) {
	get, post := []string{"GET"}, []string{"POST"}
	beta := map[string]string{"X-Beta": "1"}
	for _, c := range []struct {
		name   string
		before [][]spec.Match
		rule   []spec.Match
		by     string // the rules that shadow it; "" for none
	}{
		{"everything before", [][]spec.Match{nil}, []spec.Match{{Path: exact("/a")}}, "0"},
		{"everything before everything", [][]spec.Match{nil}, nil, "0"},
		{"everything after", [][]spec.Match{{{Path: prefix("/a")}}}, nil, ""},
		{"a prefix in a prefix", [][]spec.Match{{{Path: prefix("/a")}}}, []spec.Match{{Path: prefix("/a/b")}}, "0"},
		{"a prefix that only looks like one", [][]spec.Match{{{Path: prefix("/a")}}}, []spec.Match{{Path: prefix("/ab")}}, ""},
		{"the slash at the end", [][]spec.Match{{{Path: prefix("/a/")}}}, []spec.Match{{Path: prefix("/a")}}, "0"},
		{"the root prefix is everything", [][]spec.Match{{{Path: prefix("/")}}}, nil, "0"},
		{"an exact path in a prefix", [][]spec.Match{{{Path: prefix("/a")}}}, []spec.Match{{Path: exact("/a/b")}}, "0"},
		{"the exact path of a prefix", [][]spec.Match{{{Path: prefix("/a")}}}, []spec.Match{{Path: exact("/a")}}, "0"},
		{"a prefix is more than its exact path", [][]spec.Match{{{Path: exact("/a")}}}, []spec.Match{{Path: prefix("/a")}}, ""},
		{"an exact path with a slash is another", [][]spec.Match{{{Path: exact("/a")}}}, []spec.Match{{Path: exact("/a/")}}, ""},
		{"one exact path", [][]spec.Match{{{Path: exact("/a")}}}, []spec.Match{{Path: exact("/a")}}, "0"},
		{"fewer methods", [][]spec.Match{{{Methods: []string{"POST", "GET"}}}}, []spec.Match{{Methods: get}}, "0"},
		{"other methods", [][]spec.Match{{{Methods: get}}}, []spec.Match{{Methods: post}}, ""},
		{"every method", [][]spec.Match{{{Methods: get}}}, []spec.Match{{Path: prefix("/a")}}, ""},
		{"more headers", [][]spec.Match{{{Headers: beta}}}, []spec.Match{{Headers: map[string]string{"x-beta": "1", "y": "2"}}}, "0"},
		{"fewer headers", [][]spec.Match{{{Headers: beta}}}, []spec.Match{{Path: exact("/a")}}, ""},
		{"another value", [][]spec.Match{{{Headers: beta}}}, []spec.Match{{Headers: map[string]string{"x-beta": "2"}}}, ""},
		{"wider in one way, narrower in another", [][]spec.Match{{{Path: prefix("/"), Methods: get}}}, []spec.Match{{Path: exact("/a")}}, ""},
		{"one alternative is left", [][]spec.Match{{{Path: prefix("/a")}}}, []spec.Match{{Path: exact("/a")}, {Path: exact("/b")}}, ""},
		{"two rules together", [][]spec.Match{{{Path: prefix("/a")}}, {{Path: prefix("/b")}}}, []spec.Match{{Path: exact("/a")}, {Path: exact("/b")}}, "0 1"},
		{"one alternative of many takes it", [][]spec.Match{{{Path: prefix("/x")}, {Path: prefix("/a")}}}, []spec.Match{{Path: prefix("/a/b")}}, "0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := good()
			s.Routes[0].Rules = nil
			for _, m := range append(c.before, c.rule) {
				s.Routes[0].Rules = append(s.Routes[0].Rules, spec.Rule{Match: m, TargetGroups: []spec.GroupRef{ref("web")}})
			}
			want := ""
			if c.by != "" {
				by := "routes[0].rules[" + strings.ReplaceAll(c.by, " ", "] and routes[0].rules[") + "]"
				want = fmt.Sprintf("warning: routes[0].rules[%d]: no request reaches this rule: %s takes all that it matches; move it up, or leave it out", len(c.before), by)
			}
			if got := spec.Problems(check.Spec(s)).Error(); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

// takes is what a match means, written as simply as can be, to hold the shadow
// check against.
func takes(r spec.Rule, path, method, header string) bool {
	if len(r.Match) == 0 {
		return true
	}
	for _, m := range r.Match {
		p := m.Path == nil || m.Path.Exact == path ||
			m.Path.Prefix != "" && strings.HasPrefix(path+"/", strings.TrimRight(m.Path.Prefix, "/")+"/")
		ok := len(m.Methods) == 0
		for _, x := range m.Methods {
			ok = ok || x == method
		}
		if p && ok && (len(m.Headers) == 0 || m.Headers["x"] == header) {
			return true
		}
	}
	return false
}

// A rule that is said to be shadowed never is the first to take a request.
func TestShadowedRulesAreNeverReached(t *testing.T) {
	paths := []string{"/", "/a", "/a/", "/a/b", "/b", "/ab"}
	rapid.Check(t, func(t *rapid.T) {
		s := good()
		s.Routes[0].Rules = nil
		for range rapid.IntRange(1, 6).Draw(t, "rules") {
			r := spec.Rule{TargetGroups: []spec.GroupRef{ref("web")}}
			for range rapid.IntRange(0, 2).Draw(t, "matches") {
				var m spec.Match
				path := rapid.SampledFrom(paths).Draw(t, "path")
				switch rapid.IntRange(0, 2).Draw(t, "kind") {
				case 1:
					m.Path = exact(path)
				case 2:
					m.Path = prefix(path)
				}
				m.Methods = rapid.SampledFrom([][]string{nil, {"GET"}, {"POST"}, {"GET", "POST"}}).Draw(t, "methods")
				if rapid.Bool().Draw(t, "header") {
					m.Headers = map[string]string{"x": "1"}
				}
				r.Match = append(r.Match, m)
			}
			s.Routes[0].Rules = append(s.Routes[0].Rules, r)
		}
		reached := map[int]bool{}
		for _, path := range append(paths, "/c", "/a/b/c") {
			for _, method := range []string{"GET", "POST", "PUT"} {
				for _, header := range []string{"1", "2"} {
					for i, r := range s.Routes[0].Rules {
						if takes(r, path, method, header) {
							reached[i] = true
							break
						}
					}
				}
			}
		}
		for _, p := range check.Spec(s) {
			var i int
			if _, err := fmt.Sscanf(p.Path, "routes[0].rules[%d]", &i); err == nil && strings.Contains(p.What, "no request reaches") && reached[i] {
				t.Errorf("%s, but one does", p)
			}
		}
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
