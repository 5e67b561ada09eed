package route_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"portico/l7/message"
	"portico/l7/route"
	"portico/spec"
)

// Few words, so that what is drawn meets.
var (
	words   = rapid.SampledFrom([]string{"", "a", "b", "ab"})
	texts   = rapid.SampledFrom([]string{"", "a", "b", "ab", "a b"})
	regexes = rapid.SampledFrom([]string{".*", "a", "[ab]+", "a.*", "(?i)A", "ab?", "b|ab"})
	names   = rapid.SampledFrom([]string{"a", "b", "X-a"})
	paths   = rapid.Custom(func(t *rapid.T) string {
		return "/" + strings.Join(rapid.SliceOfN(words, 0, 14).Draw(t, "segments"), "/")
	})
	pathRegexes = rapid.Custom(func(t *rapid.T) string {
		return paths.Draw(t, "stem") + rapid.SampledFrom([]string{"", "[ab]", "/.*", ".*", "(/a)*", "?"}).Draw(t, "rest")
	})
	textMatches = rapid.Custom(func(t *rapid.T) spec.TextMatch {
		switch rapid.IntRange(0, 6).Draw(t, "text") {
		case 0:
			return spec.TextMatch{Present: true}
		case 1:
			return spec.TextMatch{Absent: true}
		case 2:
			return spec.TextMatch{Regex: regexes.Draw(t, "regex")}
		case 3:
			return spec.TextMatch{Prefix: rapid.SampledFrom([]string{"a", "ab"}).Draw(t, "prefix")}
		default:
			return spec.TextMatch{Exact: texts.Draw(t, "exact")}
		}
	})
	networks = rapid.SampledFrom([]string{"10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32", "2001:db8::/32", "0.0.0.0/0"})
)

// matches draws a match with every kind of predicate.
var matches = rapid.Custom(func(t *rapid.T) spec.Match {
	var m spec.Match
	switch rapid.IntRange(0, 6).Draw(t, "path") {
	case 0:
		m = exact(paths.Draw(t, "exact"))
	case 1, 2:
		m = prefix(paths.Draw(t, "prefix"))
	case 3, 4:
		m.Path = &spec.PathMatch{Regex: pathRegexes.Draw(t, "regex")}
	case 5:
		m.GRPC = &spec.GRPCMatch{Service: words.Draw(t, "service"), Method: words.Draw(t, "method")}
	}
	some := func(what string) bool { return rapid.IntRange(0, 3).Draw(t, what) == 0 }
	if some("methods") {
		m.Methods = []string{rapid.SampledFrom([]string{"GET", "PUT"}).Draw(t, "method")}
	}
	if some("headers") {
		m.Headers = rapid.MapOfN(names, textMatches, 1, 2).Draw(t, "headers")
	}
	if some("query") {
		m.Query = rapid.MapOfN(names, textMatches, 1, 2).Draw(t, "query")
	}
	if some("cookies") {
		m.Cookies = rapid.MapOfN(names, textMatches, 1, 2).Draw(t, "cookies")
	}
	if some("sources") {
		m.Sources = []netip.Prefix{netip.MustParsePrefix(networks.Draw(t, "source"))}
	}
	return m
})

// requests draws a request that may meet such matches.
var requests = rapid.Custom(func(t *rapid.T) *message.Request {
	r := req(rapid.SampledFrom([]string{"GET", "PUT", "CONNECT"}).Draw(t, "method") + " h " + paths.Draw(t, "path"))
	for range rapid.IntRange(0, 3).Draw(t, "headers") {
		name := rapid.SampledFrom([]string{"A", "a", "b", "x-A", "Content-Type", "Cookie"}).Draw(t, "name")
		value := texts.Draw(t, "value")
		switch name {
		case "Content-Type":
			value = "application/grpc"
		case "Cookie":
			value = names.Draw(t, "cookie") + "=" + value + "; " + names.Draw(t, "cookie") + "=" + texts.Draw(t, "value")
		}
		r.Fields = append(r.Fields, message.Field{Name: []byte(name), Value: []byte(value)})
	}
	pair := rapid.Custom(func(t *rapid.T) string {
		return names.Draw(t, "name") + "=" + rapid.SampledFrom([]string{"", "a", "%61", "a+b", "%61%20b", "ab", "%"}).Draw(t, "value")
	})
	r.Query = []byte(strings.Join(rapid.SliceOfN(pair, 0, 3).Draw(t, "query"), "&"))
	r.Client = netip.MustParseAddrPort(rapid.SampledFrom([]string{"10.1.2.3:1", "10.2.3.4:1", "[2001:db8::1]:1", "[::ffff:10.1.2.3]:1"}).Draw(t, "client"))
	return r
})

// Whatever the table, Match (which uses the index) and Try (which tries every
// rule in turn) find the same rule.
func TestIndexAgreesWithScan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := &spec.Route{Name: "r"}
		for range rapid.IntRange(1, 40).Draw(t, "rules") {
			r.Rules = append(r.Rules, rule(rapid.SliceOfN(matches, 0, 3).Draw(t, "match")...))
			if len(r.Rules[len(r.Rules)-1].Match) == 0 && rapid.IntRange(0, 9).Draw(t, "all") > 0 {
				r.Rules = r.Rules[:len(r.Rules)-1] // a rule for everything hides the rest
			}
		}
		table, err := route.Compile([]*spec.Route{r})
		if err != nil {
			t.Skip(err) // a regular expression that repeats a repetition
		}
		for range 5 {
			q := requests.Draw(t, "request")
			f, ok, _ := table.Try(q)
			if got, want := show(table.Match(q)), show(f, ok); got != want {
				t.Fatalf("Match(%s %s?%s) = %s, Try found %s", q.Method, q.Path, q.Query, got, want)
			}
		}
	})
}

// The order of rules decides, also between parts of the index that are looked at
// one after the other.
func TestIndexKeepsOrder(t *testing.T) {
	beta := spec.Match{Headers: map[string]spec.TextMatch{"x-beta": {Exact: "1"}}}
	all := []spec.Match{
		exact("/a/b"), prefix("/a"), prefix("/a/b"), beta,
		{Path: &spec.PathMatch{Regex: "/a/[a-z]"}},
		{Path: &spec.PathMatch{Regex: ".*"}},
		{Query: map[string]spec.TextMatch{"q": {Exact: "1"}}},
		{Cookies: map[string]spec.TextMatch{"c": {Exact: "1"}}},
	}
	for first := range all {
		rules := []spec.Rule{rule(all[first])}
		for range 3 {
			for i := range all {
				rules = append(rules, rule(all[(first+i)%len(all)]))
			}
		}
		q := req("GET h /a/b", "X-Beta: 1", "Cookie: c=1")
		q.Query = []byte("q=1")
		if f, ok := compile(t, &spec.Route{Name: "r", Rules: rules}).Match(q); !ok || f.Rule.Index != 0 {
			t.Errorf("%+v comes first, but %s takes the request", all[first], show(f, ok))
		}
	}
}

// big is a table of n routes with a host and twenty rules each, and for each other
// kind of predicate one host with n rules that it alone tells apart.
func big(tb testing.TB, n int) *route.Table {
	tb.Helper()
	var routes []*spec.Route
	kinds := map[string]func(i int) spec.Match{
		"prefix.test": func(i int) spec.Match { return prefix(fmt.Sprintf("/svc%d", i)) },
		"exact.test":  func(i int) spec.Match { return exact(fmt.Sprintf("/svc%d/x/y", i)) },
		"regex.test": func(i int) spec.Match {
			return spec.Match{Path: &spec.PathMatch{Regex: fmt.Sprintf("/svc%d/[a-z]/.*", i)}}
		},
		"header.test": func(i int) spec.Match {
			return spec.Match{Headers: map[string]spec.TextMatch{"x-tenant": {Exact: fmt.Sprint("t", i)}}}
		},
		"query.test": func(i int) spec.Match {
			return spec.Match{Query: map[string]spec.TextMatch{"tenant": {Exact: fmt.Sprint("t", i)}}}
		},
		"cookie.test": func(i int) spec.Match {
			return spec.Match{Cookies: map[string]spec.TextMatch{"tenant": {Exact: fmt.Sprint("t", i)}}}
		},
		"grpc.test": func(i int) spec.Match { return spec.Match{GRPC: &spec.GRPCMatch{Service: fmt.Sprint("svc", i)}} },
	}
	for host, match := range kinds {
		r := &spec.Route{Name: spec.RouteName(host), Hosts: []string{host}}
		for i := range n {
			r.Rules = append(r.Rules, rule(match(i)))
		}
		routes = append(routes, r)
	}
	for i := range n {
		r := &spec.Route{Name: spec.RouteName(fmt.Sprintf("r%d", i)), Hosts: []string{fmt.Sprintf("h%d.example.com", i)}}
		for j := range 20 {
			r.Rules = append(r.Rules, rule(prefix(fmt.Sprintf("/p%d", j))))
		}
		routes = append(routes, r)
	}
	return compile(tb, routes...)
}

// asked are requests for the ninth of each kind of big.
func asked() map[string]*message.Request {
	query, cookie := req("GET query.test /"), req("GET cookie.test /", "cookie: a=b; tenant=t9")
	query.Query = []byte("a=b&tenant=%749")
	return map[string]*message.Request{
		"hosts": req("GET h7.example.com /p19/x/y"), "prefixes": req("GET prefix.test /svc9/x/y"),
		"exacts": req("GET exact.test /svc9/x/y"), "regexes": req("GET regex.test /svc9/x/y"),
		"headers": req("GET header.test /", "accept: */*", "X-Tenant: t9"), "queries": query, "cookies": cookie,
		"grpc": req("POST grpc.test /svc9/Get", "content-type: application/grpc"),
	}
}

// What a large table costs is what the answer costs: few alternatives are compared,
// however many there are.
func BenchmarkMatch(b *testing.B) {
	for _, n := range []int{10, 10_000} {
		table := big(b, n)
		for name, r := range asked() {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, ok := table.Match(r); !ok {
						b.Fatal("no match")
					}
				}
			})
		}
	}
}
