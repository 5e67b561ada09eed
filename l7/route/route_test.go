package route_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"portico/l7/message"
	"portico/l7/route"
	"portico/spec"
)

// req builds a request from "METHOD host path" and "name: value" headers.
func req(line string, headers ...string) *message.Request {
	parts := strings.SplitN(line, " ", 3)
	r := &message.Request{Method: []byte(parts[0]), Host: []byte(parts[1]), Path: []byte(parts[2])}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Fields = append(r.Fields, message.Field{Name: []byte(name), Value: []byte(value)})
	}
	return r
}

func prefix(p string) spec.Match { return spec.Match{Path: &spec.PathMatch{Prefix: p}} }
func exact(p string) spec.Match  { return spec.Match{Path: &spec.PathMatch{Exact: p}} }

// compile makes a table of routes that were checked.
func compile(tb testing.TB, routes ...*spec.Route) *route.Table {
	tb.Helper()
	table, err := route.Compile(routes)
	if err != nil {
		tb.Fatal(err)
	}
	return table
}

func rule(m ...spec.Match) spec.Rule { return spec.Rule{Match: m} }

// shop is a table with every kind of host and predicate.
func shop(tb testing.TB) *route.Table {
	tb.Helper()
	return compile(tb, []*spec.Route{
		{Name: "shop", Hosts: []string{"shop.example.com", "SHOP.example.org."}, Rules: []spec.Rule{
			rule(exact("/health")),
			rule(prefix("/api/v1/"), exact("/legacy")),
			rule(spec.Match{Path: &spec.PathMatch{Prefix: "/api"}, Methods: []string{"POST", "PUT"}}),
			rule(spec.Match{Headers: map[string]spec.TextMatch{"X-Beta": {Exact: "1"}, "x-a": {Exact: "b"}}}),
			rule(prefix("/api")),
		}},
		{Name: "shop-rest", Hosts: []string{"shop.example.com"}, Rules: []spec.Rule{rule(prefix("/"))}},
		{Name: "wild", Hosts: []string{"*.example.com"}, Rules: []spec.Rule{{}}},
		{Name: "deep", Hosts: []string{"*.b.example.com"}, Rules: []spec.Rule{{}}},
		{Name: "any", Rules: []spec.Rule{rule(exact("/"))}},
	}...)
}

// The most specific host wins, then the first rule of its routes.
func TestMatch(t *testing.T) {
	tests := []struct {
		name    string
		line    string
		headers []string
		want    string // route/rule@path, or "none"
	}{
		{"exact path", "GET shop.example.com /health", nil, "shop/0@/health"},
		{"exact path is not a prefix", "GET shop.example.com /health/x", nil, "shop-rest/0@"},
		{"first rule wins", "POST shop.example.com /api/v1/x", nil, "shop/1@/api/v1"},
		{"alternatives are or", "GET shop.example.com /legacy", nil, "shop/1@/legacy"},
		{"trailing slash of a prefix is nothing", "GET shop.example.com /api/v1", nil, "shop/1@/api/v1"},
		{"method", "PUT shop.example.com /api/v2", nil, "shop/2@/api"},
		{"method is case sensitive", "put shop.example.com /api/v2", nil, "shop/4@/api"},
		{"whole segments", "GET shop.example.com /apix", nil, "shop-rest/0@"},
		{"headers are and", "GET shop.example.com /", []string{"X-BETA: 1"}, "shop-rest/0@"},
		{"header names ignore case", "GET shop.example.com /", []string{"X-BETA: 1", "X-A: b"}, "shop/3@"},
		{"any line of a header", "GET shop.example.com /", []string{"x-beta: 0", "x-beta: 1", "x-a: b"}, "shop/3@"},
		{"header values keep case", "GET shop.example.com /", []string{"x-beta: 1", "x-a: B"}, "shop-rest/0@"},
		{"second route of the host", "GET shop.example.com /x", nil, "shop-rest/0@"},
		{"a host spelled with capitals and a dot", "GET shop.example.org /health", nil, "shop/0@/health"},
		{"a request with a trailing dot", "GET shop.example.org. /health", nil, "shop/0@/health"},
		{"no fall through to a less specific host", "GET shop.example.org /", nil, "none"},
		{"wildcard", "GET a.example.com /", nil, "wild/0@"},
		{"wildcard of several labels", "GET x.y.example.com /", nil, "wild/0@"},
		{"longest wildcard", "GET a.b.example.com /", nil, "deep/0@"},
		{"a wildcard needs a label", "GET example.com /", nil, "any/0@/"},
		{"a wildcard needs a label, not a dot", "GET .example.com /", nil, "any/0@/"},
		{"routes without hosts", "GET other.test /", nil, "any/0@/"},
		{"no host at all", "GET  /", nil, "any/0@/"},
		{"no rule", "GET other.test /x", nil, "none"},
	}
	table := shop(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := req(tt.line, tt.headers...)
			if got := show(table.Match(r)); got != tt.want {
				t.Errorf("Match(%s) = %s, want %s", tt.line, got, tt.want)
			}
			f, ok, lines := table.Explain(r)
			if got := show(f, ok); got != tt.want {
				t.Errorf("Explain(%s) = %s, want %s", tt.line, got, tt.want)
			}
			if last := lines[len(lines)-1]; ok != (last.Mark == "+") {
				t.Errorf("Explain(%s) ends with %+v, found %v", tt.line, last, ok)
			}
		})
	}
}

func show(f route.Found, ok bool) string {
	if !ok {
		return "none"
	}
	return fmt.Sprintf("%s/%d@%s", f.Rule.Route.Name, f.Rule.Index, f.Path)
}

// IDs number the rules of the table without gaps, in order.
func TestRules(t *testing.T) {
	for i, r := range shop(t).Rules() {
		if r.ID != i {
			t.Errorf("Rules()[%d].ID = %d", i, r.ID)
		}
	}
	if n := len(shop(t).Rules()); n != 9 {
		t.Errorf("len(Rules()) = %d, want 9", n)
	}
}

// An empty table answers nothing and says why.
func TestEmpty(t *testing.T) {
	table := compile(t)
	_, ok, lines := table.Explain(req("GET a.test /"))
	if ok || len(lines) != 1 || !strings.Contains(lines[0].Text, `"a.test" is named by no route`) {
		t.Errorf("Explain = %v, %v", ok, lines)
	}
}

// Explain names the predicate that failed.
func TestExplain(t *testing.T) {
	_, _, lines := shop(t).Explain(req("GET shop.example.com /apix", "X-A: c"))
	var b strings.Builder
	for _, l := range lines {
		fmt.Fprintf(&b, "%1s %s\n", l.Mark, l.Text)
	}
	want := `  host "shop.example.com" is named by route "shop", route "shop-rest"
- route "shop" rules[0]: path "/apix" is not "/health"
- route "shop" rules[1] match[0]: path "/apix" is not under "/api/v1"
- route "shop" rules[1] match[1]: path "/apix" is not "/legacy"
- route "shop" rules[2]: path "/apix" is not under "/api"
- route "shop" rules[3]: header x-a is "c", not "b"
- route "shop" rules[4]: path "/apix" is not under "/api"
+ route "shop-rest" rules[0]: takes every request
`
	if b.String() != want {
		t.Errorf("Explain:\n%s\nwant\n%s", b.String(), want)
	}
}

// What Explain says of a huge table is bounded, and still ends with the answer.
func TestExplainBounded(t *testing.T) {
	var rules []spec.Rule
	for i := range 5000 {
		rules = append(rules, rule(exact(fmt.Sprintf("/%d", i))))
	}
	table := compile(t, &spec.Route{Name: "big", Rules: rules})
	_, ok, lines := table.Explain(req("GET a.test /4999"))
	if !ok || len(lines) > 210 {
		t.Fatalf("Explain found %v with %d lines", ok, len(lines))
	}
	if last := lines[len(lines)-1].Text; last != `route "big" rules[4999]: path is "/4999"` {
		t.Errorf("last line %q", last)
	}
	if more := lines[len(lines)-2].Text; more != "and 4800 more that did not match" {
		t.Errorf("line before %q", more)
	}
}

// Shares follow the weights, weight 0 gets nothing, and no weight at all is -1.
func TestChoose(t *testing.T) {
	groups := []spec.GroupRef{{Name: "none", Weight: 0}, {Name: "nine", Weight: 9}, {Name: "zero", Weight: 0}, {Name: "one", Weight: 1}}
	table := compile(t, &spec.Route{Name: "r", Rules: []spec.Rule{
		{TargetGroups: groups},
		{TargetGroups: []spec.GroupRef{{Name: "off", Weight: 0}}},
		{},
	}})
	rules := table.Rules()
	rng := rand.New(rand.NewPCG(1, 2))
	const n = 100_000
	count := map[spec.TargetGroupName]int{}
	for range n {
		count[groups[rules[0].Choose(rng.Uint64())].Name]++
	}
	if got := count["nine"]; got < n*89/100 || got > n*91/100 || count["one"]+got != n {
		t.Errorf("shares of 9 to 1 are %v of %d", count, n)
	}
	if g := rules[0].Choose(0); g != 1 {
		t.Errorf("Choose(0) = %v", g)
	}
	if g := rules[0].Choose(^uint64(0)); g != 3 {
		t.Errorf("Choose(max) = %v", g)
	}
	if rules[1].Choose(7) != -1 || rules[2].Choose(7) != -1 {
		t.Error("Choose without any weight is not -1")
	}
}
