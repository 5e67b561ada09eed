package check_test

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"portico/spec"
	"portico/spec/check"
)

func nets(texts ...string) []netip.Prefix {
	var all []netip.Prefix
	for _, t := range texts {
		all = append(all, netip.MustParsePrefix(t))
	}
	return all
}

// A rule is shadowed when all that it takes is taken before, and only then.
func TestShadow(t *testing.T) {
	get, post := []string{"GET"}, []string{"POST"}
	beta := map[string]spec.TextMatch{"X-Beta": {Exact: "1"}}
	header := func(m spec.TextMatch) spec.Match { return spec.Match{Headers: map[string]spec.TextMatch{"x-beta": m}} }
	regex := func(p string) *spec.PathMatch { return &spec.PathMatch{Regex: p} }
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
		{"more headers", [][]spec.Match{{{Headers: beta}}}, []spec.Match{{Headers: map[string]spec.TextMatch{"x-beta": {Exact: "1"}, "y": {Exact: "2"}}}}, "0"},
		{"fewer headers", [][]spec.Match{{{Headers: beta}}}, []spec.Match{{Path: exact("/a")}}, ""},
		{"another value", [][]spec.Match{{{Headers: beta}}}, []spec.Match{{Headers: map[string]spec.TextMatch{"x-beta": {Exact: "2"}}}}, ""},
		{"wider in one way, narrower in another", [][]spec.Match{{{Path: prefix("/"), Methods: get}}}, []spec.Match{{Path: exact("/a")}}, ""},
		{"one alternative is left", [][]spec.Match{{{Path: prefix("/a")}}}, []spec.Match{{Path: exact("/a")}, {Path: exact("/b")}}, ""},
		{"two rules together", [][]spec.Match{{{Path: prefix("/a")}}, {{Path: prefix("/b")}}}, []spec.Match{{Path: exact("/a")}, {Path: exact("/b")}}, "0 1"},
		{"any value", [][]spec.Match{{header(spec.TextMatch{Present: true})}}, []spec.Match{{Headers: beta}}, "0"},
		{"any value is not none", [][]spec.Match{{header(spec.TextMatch{Present: true})}}, []spec.Match{header(spec.TextMatch{Absent: true})}, ""},
		{"none twice", [][]spec.Match{{header(spec.TextMatch{Absent: true})}}, []spec.Match{header(spec.TextMatch{Absent: true})}, "0"},
		{"a value by its prefix", [][]spec.Match{{header(spec.TextMatch{Prefix: "a"})}}, []spec.Match{header(spec.TextMatch{Exact: "ab"})}, "0"},
		{"a longer prefix", [][]spec.Match{{header(spec.TextMatch{Prefix: "a"})}}, []spec.Match{header(spec.TextMatch{Prefix: "ab"})}, "0"},
		{"a shorter prefix", [][]spec.Match{{header(spec.TextMatch{Prefix: "ab"})}}, []spec.Match{header(spec.TextMatch{Prefix: "a"})}, ""},
		{"a regex with the prefix", [][]spec.Match{{header(spec.TextMatch{Prefix: "a"})}}, []spec.Match{header(spec.TextMatch{Regex: "ab[0-9]"})}, "0"},
		{"a regex takes a value", [][]spec.Match{{header(spec.TextMatch{Regex: "[ab]+"})}}, []spec.Match{header(spec.TextMatch{Exact: "ab"})}, "0"},
		{"a regex takes no value", [][]spec.Match{{header(spec.TextMatch{Regex: "[ab]"})}}, []spec.Match{header(spec.TextMatch{Exact: "ab"})}, ""},
		{"a regex is unlike another", [][]spec.Match{{header(spec.TextMatch{Regex: "[ab]+"})}}, []spec.Match{header(spec.TextMatch{Regex: "[ab]"})}, ""},
		{"a header is no cookie", [][]spec.Match{{{Headers: map[string]spec.TextMatch{"x": {Exact: "1"}}}}}, []spec.Match{{Cookies: map[string]spec.TextMatch{"x": {Exact: "1"}}}}, ""},
		{"a parameter", [][]spec.Match{{{Query: map[string]spec.TextMatch{"x": {Exact: "1"}}}}}, []spec.Match{{Path: exact("/a"), Query: map[string]spec.TextMatch{"x": {Exact: "1"}}}}, "0"},
		{"a parameter knows case", [][]spec.Match{{{Query: map[string]spec.TextMatch{"X": {Exact: "1"}}}}}, []spec.Match{{Query: map[string]spec.TextMatch{"x": {Exact: "1"}}}}, ""},
		{"a path by a regex", [][]spec.Match{{{Path: regex("/a/[0-9]+")}}}, []spec.Match{{Path: exact("/a/1")}}, "0"},
		{"a path not by a regex", [][]spec.Match{{{Path: regex("/a/[0-9]+")}}}, []spec.Match{{Path: exact("/a/b")}, {Path: prefix("/a/1")}}, ""},
		{"one regex", [][]spec.Match{{{Path: regex("/a/[0-9]+")}}}, []spec.Match{{Path: regex("/a/[0-9]+"), Methods: get}}, "0"},
		{"a regex in a prefix", [][]spec.Match{{{Path: prefix("/a")}}}, []spec.Match{{Path: regex("/a/[0-9]+")}}, "0"},
		{"a regex beside a prefix", [][]spec.Match{{{Path: prefix("/a")}}}, []spec.Match{{Path: regex("/a[0-9]+")}}, ""},
		{"a regex with a path that is optional", [][]spec.Match{{{Path: prefix("/a/b")}}}, []spec.Match{{Path: regex("/a(/b)?")}}, ""},
		{"a service", [][]spec.Match{{{GRPC: &spec.GRPCMatch{Service: "a.B"}}}}, []spec.Match{{GRPC: &spec.GRPCMatch{Service: "a.B", Method: "C"}}}, "0"},
		{"a method of every service", [][]spec.Match{{{GRPC: &spec.GRPCMatch{Method: "C"}}}}, []spec.Match{{GRPC: &spec.GRPCMatch{Service: "a.B", Method: "C"}}}, "0"},
		{"another method", [][]spec.Match{{{GRPC: &spec.GRPCMatch{Method: "D"}}}}, []spec.Match{{GRPC: &spec.GRPCMatch{Service: "a.B", Method: "C"}}}, ""},
		{"a path that is no call", [][]spec.Match{{{GRPC: &spec.GRPCMatch{Service: "a.B"}}}}, []spec.Match{{Path: exact("/a.B/C")}}, ""},
		{"a call in a prefix", [][]spec.Match{{{Path: prefix("/a.B")}}}, []spec.Match{{GRPC: &spec.GRPCMatch{Service: "a.B"}}}, "0"},
		{"a network in another", [][]spec.Match{{{Sources: nets("10.0.0.0/8", "192.0.2.0/24")}}}, []spec.Match{{Sources: nets("10.1.0.0/16")}}, "0"},
		{"a network beside another", [][]spec.Match{{{Sources: nets("10.0.0.0/8")}}}, []spec.Match{{Sources: nets("10.1.0.0/16", "11.0.0.0/8")}}, ""},
		{"every client", [][]spec.Match{{{Sources: nets("10.0.0.0/8")}}}, []spec.Match{{Path: exact("/a")}}, ""},
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
				by := "routes[0].rules[" + c.by + "] takes"
				if first, second, ok := strings.Cut(c.by, " "); ok {
					by = "routes[0].rules[" + first + "] and routes[0].rules[" + second + "] take"
				}
				want = fmt.Sprintf("warning: routes[0].rules[%d]: no request reaches this rule: %s all that it matches; move it up, or leave it out", len(c.before), by)
			}
			if got := spec.Problems(check.Spec(s)).Error(); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

// A match that is a mistake might have taken anything: nothing is said of the rule
// that has it, nor of the route, and what follows is not held against it.
func TestShadowOfMistakes(t *testing.T) {
	x := spec.Match{Query: map[string]spec.TextMatch{"x": {Exact: "1"}}}
	for _, mistake := range []spec.Match{{}, {Path: &spec.PathMatch{}}, {Path: &spec.PathMatch{}, Methods: []string{"GET"}}} {
		s := good()
		s.Routes[0].Rules = nil
		for _, m := range [][]spec.Match{{x}, {mistake, x}, {{Path: exact("/a")}}} {
			s.Routes[0].Rules = append(s.Routes[0].Rules, spec.Rule{Match: m, TargetGroups: []spec.GroupRef{ref("web")}})
		}
		second := s.Routes[0]
		second.Name = "second"
		s.Routes = append(s.Routes, second)
		s.Listeners[1].Routes = append(s.Listeners[1].Routes, "second")
		for _, p := range check.Spec(s) {
			if strings.Contains(p.What, "no request") {
				t.Errorf("%+v: %s", mistake, p)
			}
		}
	}
}

// asked is a request as simply as can be.
type asked struct {
	path, method, source string
	header, query        []string // the values of x
	grpc                 bool
}

// meets is what a text match means, to hold the shadow check against.
func meets(m map[string]spec.TextMatch, values []string) bool {
	want, ok := m["x"]
	if !ok {
		return true
	}
	if want.Absent {
		return len(values) == 0
	}
	return slices.ContainsFunc(values, func(v string) bool {
		switch {
		case want.Present:
			return true
		case want.Regex != "":
			return regexp.MustCompile("^(" + want.Regex + ")$").MatchString(v)
		case want.Prefix != "":
			return strings.HasPrefix(v, want.Prefix)
		default:
			return v == want.Exact
		}
	})
}

// path is what the path of a match means.
func meetsPath(m spec.Match, path string) bool {
	switch {
	case m.GRPC != nil:
		parts := strings.Split(path, "/")
		return len(parts) == 3 && (m.GRPC.Service == "" || parts[1] == m.GRPC.Service) && (m.GRPC.Method == "" || parts[2] == m.GRPC.Method)
	case m.Path == nil:
		return true
	case m.Path.Regex != "":
		return regexp.MustCompile("^(" + m.Path.Regex + ")$").MatchString(path)
	default:
		return m.Path.Exact == path || m.Path.Prefix != "" && strings.HasPrefix(path+"/", strings.TrimRight(m.Path.Prefix, "/")+"/")
	}
}

// takes is what a rule means.
func takes(r spec.Rule, q asked) bool {
	if r.Connect != (q.method == "CONNECT") {
		return false
	}
	return len(r.Match) == 0 || slices.ContainsFunc(r.Match, func(m spec.Match) bool {
		return meetsPath(m, q.path) && (m.GRPC == nil || q.grpc) &&
			(len(m.Methods) == 0 || slices.Contains(m.Methods, q.method)) &&
			(len(m.Sources) == 0 || slices.ContainsFunc(m.Sources, func(p netip.Prefix) bool { return p.Contains(netip.MustParseAddr(q.source)) })) &&
			meets(m.Headers, q.header) && meets(m.Query, q.query)
	})
}

// everyAsked lists requests that tell all the matches below apart.
func everyAsked() []asked {
	var all []asked
	values := [][]string{nil, {"1"}, {"12"}, {"2", "1"}}
	for _, path := range []string{"/", "/a", "/a/", "/a/b", "/b", "/ab", "/c", "/a/b/c"} {
		for _, method := range []string{"GET", "PUT", "CONNECT"} {
			for _, source := range []string{"10.1.2.3", "10.2.2.3", "192.0.2.1"} {
				for _, header := range values {
					for _, query := range values[:2] {
						all = append(all, asked{path, method, source, header, query, false}, asked{path, method, source, header, query, true})
					}
				}
			}
		}
	}
	return all
}

var shadowMatches = rapid.Custom(func(t *rapid.T) spec.Match {
	var m spec.Match
	path := rapid.SampledFrom([]string{"/", "/a", "/a/", "/a/b", "/b", "/ab"}).Draw(t, "path")
	switch rapid.IntRange(0, 4).Draw(t, "kind") {
	case 1:
		m.Path = exact(path)
	case 2:
		m.Path = prefix(path)
	case 3:
		m.Path = &spec.PathMatch{Regex: path + rapid.SampledFrom([]string{"", ".*", "(/b)?", "b*"}).Draw(t, "rest")}
	case 4:
		m.GRPC = &spec.GRPCMatch{
			Service: rapid.SampledFrom([]string{"", "a"}).Draw(t, "service"), Method: rapid.SampledFrom([]string{"", "b"}).Draw(t, "method"),
		}
	}
	m.Methods = rapid.SampledFrom([][]string{nil, nil, {"GET"}, {"GET", "PUT"}}).Draw(t, "methods")
	m.Sources = rapid.SampledFrom([][]netip.Prefix{nil, nil, nil, nets("10.0.0.0/8"), nets("10.1.0.0/16", "192.0.2.0/24")}).Draw(t, "sources")
	text := rapid.SampledFrom([]map[string]spec.TextMatch{
		nil, nil, nil, {"x": {Exact: "1"}}, {"x": {Prefix: "1"}}, {"x": {Regex: "1.*"}}, {"x": {Regex: "[12]"}}, {"x": {Present: true}}, {"x": {Absent: true}},
	})
	m.Headers, m.Query = text.Draw(t, "header"), text.Draw(t, "query")
	return m
})

// A rule that is said to be shadowed never is the first to take a request.
func TestShadowedRulesAreNeverReached(t *testing.T) {
	all := everyAsked()
	rapid.Check(t, func(t *rapid.T) {
		s := good()
		s.Routes[0].Rules = nil
		for range rapid.IntRange(2, 6).Draw(t, "rules") {
			s.Routes[0].Rules = append(s.Routes[0].Rules, spec.Rule{
				Match: rapid.SliceOfN(shadowMatches, 0, 2).Draw(t, "match"), Connect: rapid.IntRange(0, 3).Draw(t, "connect") == 0, TargetGroups: []spec.GroupRef{ref("web")},
			})
		}
		reached := map[int]asked{}
		for _, q := range all {
			if i := slices.IndexFunc(s.Routes[0].Rules, func(r spec.Rule) bool { return takes(r, q) }); i >= 0 {
				reached[i] = q
			}
		}
		for _, p := range check.Spec(s) {
			var i int
			if _, err := fmt.Sscanf(p.Path, "routes[0].rules[%d]", &i); err != nil || !strings.Contains(p.What, "no request reaches") {
				continue
			}
			if q, ok := reached[i]; ok {
				t.Errorf("%s, but %+v does", p, q)
			}
		}
	})
}
