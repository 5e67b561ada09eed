package route_test

import (
	"net/netip"
	"strings"
	"testing"

	"portico/l7/message"
	"portico/l7/route"
	"portico/spec"
)

// a request whose values are in every place, for predicates.
func full() *message.Request {
	r := req("POST h /shop.Cart/Add", "Content-Type: application/grpc+proto", "X-Beta: 1", "x-beta: two words",
		"X-Empty: ", "Cookie: uid=42; theme=dark", "cookie: uid=\"43\"")
	r.Query = []byte("v=2&V=3&tag=a%20b&tag=c+d&flag&bad=%zz&%6eame=x")
	r.Client = netip.MustParseAddrPort("[::ffff:10.1.2.3]:4711")
	return r
}

// Every predicate holds or fails as it says, and explain says on what.
func TestPredicates(t *testing.T) {
	header := func(name string, m spec.TextMatch) spec.Match {
		return spec.Match{Headers: map[string]spec.TextMatch{name: m}}
	}
	query := func(name string, m spec.TextMatch) spec.Match {
		return spec.Match{Query: map[string]spec.TextMatch{name: m}}
	}
	cookie := func(name string, m spec.TextMatch) spec.Match {
		return spec.Match{Cookies: map[string]spec.TextMatch{name: m}}
	}
	path := func(re string) spec.Match { return spec.Match{Path: &spec.PathMatch{Regex: re}} }
	grpc := func(service, method string) spec.Match {
		return spec.Match{GRPC: &spec.GRPCMatch{Service: service, Method: method}}
	}
	from := func(nets ...string) spec.Match {
		var m spec.Match
		for _, n := range nets {
			m.Sources = append(m.Sources, netip.MustParsePrefix(n))
		}
		return m
	}
	for _, tt := range []struct {
		name  string
		match spec.Match
		why   string // it fails; "" for one that holds
	}{
		{"regex", path("/shop[.][A-Z]\\w+/(Add|Remove)"), ""},
		{"regex is anchored", path("/shop"), `path "/shop.Cart/Add" is not like /shop`},
		{"regex knows case", path("/SHOP.*"), `path "/shop.Cart/Add" is not like /SHOP.*`},
		{"service and method", grpc("shop.Cart", "Add"), ""},
		{"service", grpc("shop.Cart", ""), ""},
		{"method of any service", grpc("", "Add"), ""},
		{"any call", grpc("", ""), ""},
		{"another service", grpc("shop", ""), `path "/shop.Cart/Add" is not of a method of "shop"`},
		{"another method", grpc("shop.Cart", "add"), `path "/shop.Cart/Add" is not "/shop.Cart/add"`},
		{"another method of any service", grpc("", "Ad"), `path "/shop.Cart/Add" is not of the method "Ad" of a service`},
		{"source", from("192.0.2.0/24", "10.0.0.0/8"), ""},
		{"source with a host part", from("10.9.9.9/8"), ""},
		{"another source", from("192.0.2.0/24", "2001:db8::/32"), "client ::ffff:10.1.2.3 is not in 192.0.2.0/24 or 2001:db8::/32"},
		{"header", header("X-Beta", spec.TextMatch{Exact: "1"}), ""},
		{"any line of a header", header("x-BETA", spec.TextMatch{Exact: "two words"}), ""},
		{"another header value", header("x-beta", spec.TextMatch{Exact: "2"}), `header x-beta is "1", not "2"`},
		{"empty header", header("x-empty", spec.TextMatch{}), ""},
		{"a missing header is not an empty one", header("x-none", spec.TextMatch{}), "there is no header x-none"},
		{"header by prefix", header("x-beta", spec.TextMatch{Prefix: "two"}), ""},
		{"header by another prefix", header("x-beta", spec.TextMatch{Prefix: "11"}), `header x-beta is "1", which does not begin with "11"`},
		{"header by regex", header("x-beta", spec.TextMatch{Regex: "[0-9]"}), ""},
		{"header by another regex", header("x-beta", spec.TextMatch{Regex: "two"}), `header x-beta is "1", which is not like two`},
		{"header present", header("X-Empty", spec.TextMatch{Present: true}), ""},
		{"header not present", header("x-none", spec.TextMatch{Present: true}), "there is no header x-none"},
		{"header absent", header("x-none", spec.TextMatch{Absent: true}), ""},
		{"header not absent", header("x-empty", spec.TextMatch{Absent: true}), `header x-empty is there: ""`},
		{"query", query("v", spec.TextMatch{Exact: "2"}), ""},
		{"query names know case", query("v", spec.TextMatch{Exact: "3"}), `query v is "2", not "3"`},
		{"query is decoded", query("tag", spec.TextMatch{Exact: "a b"}), ""},
		{"any of several, plus is a space", query("tag", spec.TextMatch{Exact: "c d"}), ""},
		{"as sent is not decoded", query("tag", spec.TextMatch{Exact: "a%20b"}), `query tag is "a b", not "a%20b"`},
		{"a name is decoded", query("name", spec.TextMatch{Exact: "x"}), ""},
		{"a parameter without a value", query("flag", spec.TextMatch{}), ""},
		{"a parameter is there", query("flag", spec.TextMatch{Present: true}), ""},
		{"a percent that is none", query("bad", spec.TextMatch{Exact: "%zz"}), ""},
		{"query by regex", query("tag", spec.TextMatch{Regex: "[a-z] [a-z]"}), ""},
		{"query absent", query("w", spec.TextMatch{Absent: true}), ""},
		{"query missing", query("w", spec.TextMatch{Present: true}), "there is no query w"},
		{"cookie", cookie("theme", spec.TextMatch{Exact: "dark"}), ""},
		{"any cookie of a name, without its quotes", cookie("uid", spec.TextMatch{Exact: "43"}), ""},
		{"cookie by regex", cookie("uid", spec.TextMatch{Regex: "4[0-9]"}), ""},
		{"cookie names know case", cookie("UID", spec.TextMatch{Present: true}), "there is no cookie UID"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			table := compile(t, &spec.Route{Name: "r", Rules: []spec.Rule{rule(tt.match)}})
			_, ok := table.Match(full())
			if want := tt.why == ""; ok != want {
				t.Errorf("Match = %v, want %v", ok, want)
			}
			_, tryOK, tried := table.Try(full())
			if len(tried) != 1 || tryOK != ok || tried[0].Holds != ok || tried[0].Match != 0 || (tried[0].Predicate == "") != ok {
				t.Fatalf("Try = %v, %+v", tryOK, tried)
			}
			if !ok && tried[0].Why != tt.why {
				t.Errorf("why: %s, want %s", tried[0].Why, tt.why)
			}
			if ok && tried[0].Why == "takes every request" {
				t.Error("explain knows no predicate")
			}
		})
	}
}

// Only what is a call by its content type is one of gRPC.
func TestGRPCContentType(t *testing.T) {
	table := compile(t, &spec.Route{Name: "r", Rules: []spec.Rule{rule(spec.Match{GRPC: &spec.GRPCMatch{Service: "a.B"}})}})
	for kind, want := range map[string]bool{
		"application/grpc": true, "application/grpc+json": true, "application/grpc;x": true, "Application/gRPC-web+proto": true,
		"application/grpcx": false, "application/json": false, "": false,
	} {
		if _, ok := table.Match(req("POST h /a.B/C", "content-type: "+kind)); ok != want {
			t.Errorf("content type %q: %v, want %v", kind, ok, want)
		}
	}
	for path, want := range map[string]bool{"/a.B/C": true, "/a.B": false, "/a.B/": false, "/a.B/C/D": false, "/a.BC/D": false} {
		if _, ok := table.Match(req("POST h "+path, "content-type: application/grpc")); ok != want {
			t.Errorf("path %q: %v, want %v", path, ok, want)
		}
	}
}

// The path by which a request was matched is what a filter may replace.
func TestFoundPath(t *testing.T) {
	for _, tt := range []struct {
		match spec.Match
		want  string
	}{
		{prefix("/a/"), "/a"},
		{exact("/a/b"), "/a/b"},
		{spec.Match{Path: &spec.PathMatch{Regex: "/a/.*"}}, ""},
		{spec.Match{Methods: []string{"GET"}}, ""},
		{spec.Match{GRPC: &spec.GRPCMatch{Service: "a"}}, "/a"},
		{spec.Match{GRPC: &spec.GRPCMatch{Method: "b"}}, ""},
	} {
		f, ok := compile(t, &spec.Route{Name: "r", Rules: []spec.Rule{rule(tt.match)}}).Match(req("GET h /a/b", "content-type: application/grpc"))
		if !ok || f.Path != tt.want {
			t.Errorf("%+v: found %v by path %q, want %q", tt.match, ok, f.Path, tt.want)
		}
	}
}

// A regular expression that is none is an error that says where.
func TestCompileRefuses(t *testing.T) {
	for want, m := range map[string]spec.Match{
		`route "r": rules[0]: path: "(" is not a regular expression`:       {Path: &spec.PathMatch{Regex: "("}},
		`route "r": rules[0]: header "X": "(" is not a regular expression`: {Headers: map[string]spec.TextMatch{"X": {Regex: "("}}},
	} {
		_, err := route.Compile([]*spec.Route{{Name: "r", Rules: []spec.Rule{rule(m)}}})
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("Compile = %v, want %s", err, want)
		}
	}
}

// Try lists what was tried in order, with what was wanted and seen.
func TestTry(t *testing.T) {
	table := shop(t)
	f, ok, tried := table.Try(req("GET shop.example.com /api/x", "X-A: c"))
	if !ok || f.Rule.Index != 4 || len(tried) != 6 {
		t.Fatalf("Try found %v with %d tried", show(f, ok), len(tried))
	}
	want := []struct{ predicate, want, saw string }{
		{"path", `"/health"`, "/api/x"},
		{"path", `under "/api/v1"`, "/api/x"},
		{"path", `"/legacy"`, "/api/x"},
		{"method", "POST or PUT", "GET"},
		{"header x-a", `is "b"`, "c"},
		{"", `path is under "/api"`, ""},
	}
	for i, w := range want {
		if x := tried[i]; x.Predicate != w.predicate || x.Want != w.want || x.Saw != w.saw {
			t.Errorf("tried[%d] = %q %q %q, want %+v", i, x.Predicate, x.Want, x.Saw, w)
		}
	}
	if tried[1].Match != 0 || tried[2].Match != 1 || tried[2].Rule.Index != 1 {
		t.Errorf("alternatives of a rule: %+v", tried[1:3])
	}
}
