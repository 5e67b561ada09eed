package filter_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"portico/l7/auth"
	"portico/l7/exchange"
	"portico/l7/exchange/outcome"
	"portico/l7/filter"
	"portico/l7/http1"
	"portico/l7/kept"
	"portico/l7/limit"
	"portico/l7/message"
	"portico/spec"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// visit runs a chain over a request at a time and returns its answer, or nil.
func visit(c *filter.Chain, req *message.Request, at time.Time) (*exchange.Fixed, *filter.Visit) {
	m, d := match, &exchange.Decision{Now: at}
	m.Visit, m.Now = &filter.Visit{}, at
	c.Request(req, m, d)
	if d.Fixed == nil {
		resp := &message.Response{Status: 200}
		c.Response(req, resp, m, d)
		return &exchange.Fixed{Status: resp.Status, Fields: resp.Fields}, m.Visit
	}
	return d.Fixed, m.Visit
}

// A client has its burst, then its rate; the answer says how much is left, and
// who is refused is told when to come again.
func TestRateLimit(t *testing.T) {
	c := compile(t, one("rateLimit", &filter.RateLimit{Requests: 2, Per: spec.Duration(10 * time.Second)}))
	tests := []struct {
		name, client string
		after        time.Duration
		want         string
	}{
		{"first", "192.0.2.1", 0, `200 RateLimit-Policy: "default";q=2;w=10 | RateLimit: "default";r=1;t=5`},
		{"second", "192.0.2.1", 0, `200 RateLimit-Policy: "default";q=2;w=10 | RateLimit: "default";r=0;t=10`},
		{
			"third", "192.0.2.1", time.Second,
			`429 Retry-After: 4 | Content-Type: text/plain; charset=utf-8 | X-Request-Id: id1 | RateLimit-Policy: "default";q=2;w=10 | RateLimit: "default";r=0;t=9`,
		},
		{"another client", "192.0.2.2", time.Second, `200 RateLimit-Policy: "default";q=2;w=10 | RateLimit: "default";r=1;t=5`},
		{"after as long as told", "192.0.2.1", 5 * time.Second, `200 RateLimit-Policy: "default";q=2;w=10 | RateLimit: "default";r=0;t=10`},
	}
	for _, tt := range tests {
		got, v := visit(c, from(tt.client), noon.Add(tt.after))
		if got := fmt.Sprint(got.Status) + " " + text(got.Fields); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
		if refused := tt.want[0] == '4'; refused != (v.Outcome(0) == filter.Refused) || refused != (v.Why() == "rateLimit: above the rate") || got.Status == 429 && got.Why != outcome.Refused {
			t.Errorf("%s: outcome %s, why %q", tt.name, v.Outcome(0), v.Why())
		}
	}
}

// A dry run refuses nobody and tells nobody, but counts and logs.
func TestDryRun(t *testing.T) {
	for name, params := range map[string]any{
		"rateLimit":        &filter.RateLimit{Requests: 1, DryRun: true},
		"concurrencyLimit": &filter.ConcurrencyLimit{Requests: 1, DryRun: true},
	} {
		c := compile(t, one(name, params))
		for i, want := range []filter.Outcome{filter.Passed, filter.WouldRefuse, filter.WouldRefuse} {
			got, v := visit(c, from("192.0.2.1"), noon)
			if got.Status != 200 || v.Outcome(0) != want || (v.Why() != "") != (i > 0) || i > 0 && len(got.Fields) > 0 {
				t.Errorf("%s: request %d: %d %s, outcome %s, why %q", name, i, got.Status, text(got.Fields), v.Outcome(0), v.Why())
			}
		}
		m := match
		m.Now = noon
		if got := c.Explain(from("192.0.2.1"), m, &exchange.Decision{})[0]; !strings.HasSuffix(got, "(dry run)") || !strings.Contains(got, "would answer") {
			t.Errorf("%s: Explain = %q", name, got)
		}
	}
}

// Explaining takes nothing from a limit.
func TestExplainTakesNothing(t *testing.T) {
	c := compile(t, one("rateLimit", &filter.RateLimit{Requests: 1, Per: spec.Duration(time.Minute)}), one("concurrencyLimit", &filter.ConcurrencyLimit{Requests: 1}))
	m := match
	m.Now = noon
	for range 3 {
		got := c.Explain(from("192.0.2.1"), m, &exchange.Decision{Now: noon})
		want := "rateLimit: by client /32 and /64, 1 of 1 may come now | concurrencyLimit: by client /32 and /64, 0 of 1 are under way"
		if strings.Join(got, " | ") != want {
			t.Fatalf("Explain = %q", got)
		}
	}
	if got, _ := visit(c, from("192.0.2.1"), noon); got.Status != 200 {
		t.Errorf("after explaining, %d", got.Status)
	}
	got := c.Explain(from("192.0.2.1"), m, &exchange.Decision{Now: noon})
	// The first that refuses is the last that is asked, as for a request.
	if want := "rateLimit: by client /32 and /64, 0 of 1 may come now: answers 429 for 60s"; strings.Join(got, " | ") != want {
		t.Errorf("Explain = %q, want %q alone", got, want)
	}
}

// What refuses a request ends what is explained of it, as it ends the request; a dry
// run and a password that nobody checks do not.
func TestExplainEnds(t *testing.T) {
	basic := one("basicAuth", &auth.Basic{Users: secretUsers})
	for _, tt := range []struct {
		name   string
		filter spec.Choice
		req    *message.Request
		status int // 0 where it goes on
	}{
		{"rate", one("rateLimit", &filter.RateLimit{Requests: 1, Per: spec.Duration(time.Minute)}), from("192.0.2.1"), 429},
		{"rate, dry", one("rateLimit", &filter.RateLimit{Requests: 1, Per: spec.Duration(time.Minute), DryRun: true}), from("192.0.2.1"), 0},
		{"rate of another", one("rateLimit", &filter.RateLimit{Requests: 1, Per: spec.Duration(time.Minute)}), from("192.0.2.2"), 0},
		{"seats", one("concurrencyLimit", &filter.ConcurrencyLimit{Requests: 1, Status: 429}), from("192.0.2.1"), 429},
		{"seats, dry", one("concurrencyLimit", &filter.ConcurrencyLimit{Requests: 1, DryRun: true}), from("192.0.2.1"), 0},
		{"no password", basic, keyed("192.0.2.1", "a.test", "/"), 401},
		{"a password", basic, keyed("192.0.2.1", "a.test", "/", credentials("ann:guess")), 0},
	} {
		c := compile(t, tt.filter)
		if tt.filter.Name != "basicAuth" {
			visit(c, from("192.0.2.1"), noon)
		}
		m, d := match, &exchange.Decision{Now: noon}
		m.Now = noon
		lines := c.Explain(tt.req, m, d)
		if tt.status == 0 && d.Fixed != nil || tt.status != 0 && (d.Fixed == nil || d.Fixed.Status != tt.status) {
			t.Errorf("%s: %q ends with %+v, want %d", tt.name, lines, d.Fixed, tt.status)
		}
	}
}

// keyed is a request with what keys are made of.
func keyed(client, authority, target string, lines ...string) *message.Request {
	path, query, has := strings.Cut(target, "?")
	return &message.Request{
		Method: []byte("GET"), Host: []byte(authority), Authority: []byte(authority), Path: []byte(path), Query: []byte(query), HasQuery: has,
		Fields: fields(lines...), Client: netip.AddrPortFrom(netip.MustParseAddr(client), 1),
	}
}

// Requests are told apart by what the key says, and by nothing else.
func TestLimitKeys(t *testing.T) {
	base := func() *message.Request {
		return keyed("192.0.2.1", "a.test", "/x?k=1&l=2", "X-Key: one", "Cookie: id=7; theme=dark")
	}
	tests := []struct {
		name  string
		by    []limit.KeyPart
		other *message.Request
		same  bool
	}{
		{"client by default", nil, keyed("192.0.2.2", "a.test", "/x"), false},
		{"only the client by default", nil, keyed("192.0.2.1", "b.test", "/y"), true},
		{"client", []limit.KeyPart{{From: "client"}}, keyed("192.0.2.2", "a.test", "/x"), false},
		{"header", []limit.KeyPart{{Header: "x-KEY"}}, keyed("192.0.2.1", "a.test", "/x", "X-Key: two"), false},
		{"the same header", []limit.KeyPart{{Header: "X-Key"}}, keyed("192.0.2.9", "b.test", "/y", "x-key: one"), true},
		{"a second line of the header", []limit.KeyPart{{Header: "X-Key"}}, keyed("192.0.2.1", "a.test", "/x", "X-Key: one", "X-Key: two"), false},
		{"no header", []limit.KeyPart{{Header: "X-Key"}}, keyed("192.0.2.1", "a.test", "/x"), false},
		{"cookie", []limit.KeyPart{{Cookie: "id"}}, keyed("192.0.2.1", "a.test", "/x", "Cookie: theme=light; id=7"), true},
		{"another cookie", []limit.KeyPart{{Cookie: "id"}}, keyed("192.0.2.1", "a.test", "/x", "Cookie: id=8"), false},
		{"query", []limit.KeyPart{{Query: "k"}}, keyed("192.0.2.1", "a.test", "/x?l=9&%6B=%31"), true},
		{"another query", []limit.KeyPart{{Query: "k"}}, keyed("192.0.2.1", "a.test", "/x?k=2"), false},
		{"path", []limit.KeyPart{{From: "path"}}, keyed("192.0.2.1", "a.test", "/y?k=1"), false},
		{"host", []limit.KeyPart{{From: "host"}}, keyed("192.0.2.1", "b.test", "/x"), false},
		{"everything as one", []limit.KeyPart{{From: "all"}}, keyed("192.0.2.9", "b.test", "/y"), true},
		{"two parts, one other", []limit.KeyPart{{From: "client"}, {Header: "X-Key"}}, keyed("192.0.2.1", "a.test", "/x", "X-Key: two"), false},
		{"two parts, both alike", []limit.KeyPart{{From: "client"}, {Header: "X-Key"}}, keyed("192.0.2.1", "b.test", "/y", "X-Key: one"), true},
		{"parts do not run into each other", []limit.KeyPart{{From: "host"}, {From: "path"}}, keyed("192.0.2.1", "a.test/", "x"), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := compile(t, one("rateLimit", &filter.RateLimit{Requests: 1, Per: spec.Duration(time.Hour), By: tt.by}))
			if got, _ := visit(c, base(), noon); got.Status != 200 {
				t.Fatalf("the first request gets %d", got.Status)
			}
			if got, _ := visit(c, tt.other, noon); (got.Status == 429) != tt.same {
				t.Errorf("the other gets %d, counted as the same: %v", got.Status, tt.same)
			}
		})
	}
}

// Addresses of one network are one client, for each family as it is said.
func TestLimitPrefix(t *testing.T) {
	tests := []struct {
		prefix limit.KeyPrefix
		a, b   string
		same   bool
	}{
		{limit.KeyPrefix{}, "192.0.2.1", "192.0.2.2", false},
		{limit.KeyPrefix{V4: 24}, "192.0.2.1", "192.0.2.2", true},
		{limit.KeyPrefix{V4: 24}, "192.0.2.1", "192.0.3.1", false},
		{limit.KeyPrefix{}, "2001:db8::1", "2001:db8::ffff:1", true},
		{limit.KeyPrefix{}, "2001:db8::1", "2001:db8:0:1::1", false},
		{limit.KeyPrefix{V6: 48}, "2001:db8::1", "2001:db8:0:1::1", true},
		{limit.KeyPrefix{V6: 128}, "2001:db8::1", "2001:db8::2", false},
		{limit.KeyPrefix{V6: 128}, "fe80::1%a", "fe80::1%b", true},
	}
	for _, tt := range tests {
		c := compile(t, one("rateLimit", &filter.RateLimit{Requests: 1, Per: spec.Duration(time.Hour), Prefix: tt.prefix}))
		visit(c, from(tt.a), noon)
		if got, _ := visit(c, from(tt.b), noon); (got.Status == 429) != tt.same {
			t.Errorf("prefix %+v: %s after %s gets %d", tt.prefix, tt.b, tt.a, got.Status)
		}
	}
}

// A request without an address is a client as well.
func TestLimitNoClient(t *testing.T) {
	c := compile(t, one("rateLimit", &filter.RateLimit{Requests: 1}))
	if got, _ := visit(c, request(), noon); got.Status != 200 {
		t.Errorf("%d", got.Status)
	}
}

// A seat is taken until the request ends, whatever became of it, and given back
// once however often its end is told.
func TestConcurrencyLimit(t *testing.T) {
	c := compile(t, one("concurrencyLimit", &filter.ConcurrencyLimit{Requests: 2}), one("respond", &filter.Respond{Status: 204}))
	enter := func() (*exchange.Fixed, *filter.Visit) { return visit(c, from("192.0.2.1"), noon) }
	_, first := enter()
	enter()
	third, v := enter()
	if third.Status != 503 || text(third.Fields) != "Retry-After: 1 | Content-Type: text/plain; charset=utf-8 | X-Request-Id: id1" || v.Why() == "" {
		t.Errorf("the third of two gets %d %s, why %q", third.Status, text(third.Fields), v.Why())
	}
	c.End(v) // who had no seat gives none back
	if again, _ := enter(); again.Status != 503 {
		t.Errorf("a refused request gave a seat back: %d", again.Status)
	}
	c.End(first)
	c.End(first)
	if fourth, _ := enter(); fourth.Status != 204 {
		t.Errorf("after one ended, %d", fourth.Status)
	}
	if fifth, _ := enter(); fifth.Status != 503 {
		t.Errorf("one end gave two seats back: %d", fifth.Status)
	}
	if other, _ := visit(c, from("192.0.2.2"), noon); other.Status != 204 {
		t.Errorf("another client gets %d", other.Status)
	}
}

// However requests come and end, never more than the limit are under way, and at
// the end none is.
func TestConcurrencyProperties(t *testing.T) {
	c := compile(t, one("concurrencyLimit", &filter.ConcurrencyLimit{Requests: 3, By: []limit.KeyPart{{From: "path"}}}))
	rnd := rand.New(rand.NewPCG(1, 2))
	var open [2][]*filter.Visit
	for range 5000 {
		k := rnd.IntN(2)
		if n := len(open[k]); n > 0 && rnd.IntN(2) == 0 {
			i := rnd.IntN(n)
			c.End(open[k][i])
			open[k] = append(open[k][:i], open[k][i+1:]...)
			continue
		}
		got, v := visit(c, keyed("192.0.2.1", "a", fmt.Sprint("/", k)), noon)
		if full := len(open[k]) == 3; full != (got.Status == 503) {
			t.Fatalf("%d are under way and the next gets %d", len(open[k]), got.Status)
		}
		if got.Status == 200 {
			open[k] = append(open[k], v)
		} else {
			c.End(v)
		}
	}
}

// What filters hold outlives a spec as long as they stay as they are; listeners
// of a route share it, and filters alike in one route do not.
func TestKept(t *testing.T) {
	kept := kept.New(noon)
	limit := func(requests int) spec.Choice {
		return one("rateLimit", &filter.RateLimit{Requests: requests, Per: spec.Duration(time.Hour)})
	}
	chains := func(commit bool, choices ...spec.Choice) []filter.Chain {
		turn := kept.Turn()
		place := turn.Place("shop")
		var list []filter.Chain
		for _, choice := range choices {
			c, err := filter.Compile([]spec.Choice{choice}, place)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, c)
		}
		if commit {
			turn.Commit()
		}
		return list
	}
	passes := func(c filter.Chain) bool {
		got, _ := visit(&c, from("192.0.2.1"), noon)
		return got.Status == 200
	}
	first := chains(true, limit(1), limit(1))
	if !passes(first[0]) || !passes(first[1]) || passes(first[0]) {
		t.Error("two filters alike share what they hold, or do not limit")
	}
	if c := chains(true, limit(2), limit(1), limit(1)); passes(c[1]) || !passes(c[0]) || passes(c[2]) {
		t.Error("a filter forgot what it held when another was put before it")
	}
	chains(false, limit(5)) // a spec that was not applied
	if c := chains(true, limit(1)); passes(c[0]) {
		t.Error("a spec that was not applied made a filter forget")
	}
	if c := chains(true, limit(3)); !passes(c[0]) {
		t.Error("a filter that changed kept what another held")
	}
	if c := chains(true, limit(1)); !passes(c[0]) {
		t.Error("what no filter held was not forgotten")
	}
	turn := kept.Turn()
	one, errOne := filter.Compile([]spec.Choice{limit(1)}, turn.Place("shop"))
	two, errTwo := filter.Compile([]spec.Choice{limit(1)}, turn.Place("shop"))
	other, errOther := filter.Compile([]spec.Choice{limit(1)}, turn.Place("other"))
	if errOne != nil || errTwo != nil || errOther != nil {
		t.Fatal(errOne, errTwo, errOther)
	}
	if passes(one) || passes(two) || !passes(other) {
		t.Error("listeners of one route do not share, or routes do")
	}
}

// Limits that mean nothing are refused, with what would be right.
func TestLimitCheck(t *testing.T) {
	tests := []struct {
		name  string
		p     spec.Checker
		wants string
	}{
		{"good", &filter.RateLimit{Requests: 1, Name: "per client", By: []limit.KeyPart{{From: "client"}, {Header: "X-Key"}}}, ""},
		{"none", &filter.RateLimit{}, "requests: 0 requests are none"},
		{"name", &filter.RateLimit{Requests: 1, Name: `a"b`}, `name: "a\"b" holds a character that a header may not`},
		{"name too long", &filter.RateLimit{Requests: 1, Name: strings.Repeat("a", 65)}, "name: the name has 65 bytes; at most 64 are allowed"},
		{"header", &filter.RateLimit{Requests: 1, By: []limit.KeyPart{{Header: "a b"}}}, `by[0].header: "a b" is not the name of a header`},
		{"cookie", &filter.RateLimit{Requests: 1, By: []limit.KeyPart{{Cookie: "a;b"}}}, `by[0].cookie: "a;b" is not the name of a cookie`},
		{"twice", &filter.ConcurrencyLimit{Requests: 1, By: []limit.KeyPart{{From: "path"}, {From: "path"}}}, "by[1]: by path is given twice"},
		{"many", &filter.ConcurrencyLimit{Requests: 1, By: make([]limit.KeyPart, 9)}, "by: there are 9 parts; at most 8 are allowed"},
		{"no seats", &filter.ConcurrencyLimit{}, "requests: 0 requests are none"},
	}
	for _, tt := range tests {
		got := spec.Problems(tt.p.Check())
		if (tt.wants == "") != (len(got) == 0) || tt.wants != "" && !strings.Contains(got.Error(), tt.wants) {
			t.Errorf("%s: Check = %v, want %q", tt.name, got, tt.wants)
		}
	}
}

// FuzzLimitKey proves that whatever a client sends is a key, the same one each
// time, and makes no bad head.
func FuzzLimitKey(f *testing.F) {
	f.Add("k=1&%6b=%", "a=1; k=2", "x\x00y", "/p")
	f.Add("", "", "", "")
	f.Add("&&&=&k", ";;k=\"v\";", strings.Repeat("v", 5000), "*")
	f.Fuzz(func(t *testing.T, query, cookie, value, path string) {
		req := func() *message.Request {
			r := from("192.0.2.1")
			r.Query, r.Path = []byte(query), []byte(path)
			r.Fields = append(r.Fields, message.Field{Name: []byte("Cookie"), Value: []byte(cookie)}, message.Field{Name: []byte("X-Key"), Value: []byte(value)})
			return r
		}
		c := compile(t, one("rateLimit", &filter.RateLimit{Requests: 1, Per: spec.Duration(time.Hour), By: []limit.KeyPart{
			{Query: "k"}, {Cookie: "k"}, {Header: "x-key"}, {From: "path"},
		}}))
		first, _ := visit(c, req(), noon)
		second, _ := visit(c, req(), noon)
		if first.Status != 200 || second.Status != 429 {
			t.Fatalf("two alike get %d and %d", first.Status, second.Status)
		}
		for _, f := range append(first.Fields, second.Fields...) {
			if !http1.ValidName(f.Name) || !http1.ValidValue(f.Value) {
				t.Fatalf("field %q: %q", f.Name, f.Value)
			}
		}
	})
}
