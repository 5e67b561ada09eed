package l7_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"portico/l7/filter"
	"portico/spec"
	"portico/spec/status"
	"portico/target/balance"
)

// shopBed has everything explain speaks of.
func shopBed(t *testing.T) (*bed, netip.AddrPort) {
	t.Helper()
	tgt := newTarget(t, "a")
	b := newBed(t, func(b *bed, s *spec.Spec) {
		s.Certificates = []spec.Certificate{issue(t, "shop", "shop.test")}
		s.TargetGroups = []spec.TargetGroup{group("main", tgt), group("canary", newTarget(t, "c"))}
		s.Routes = []spec.Route{{Name: "shop", Hosts: []string{"shop.test"}, Rules: []spec.Rule{
			{Match: []spec.Match{{Path: &spec.PathMatch{Prefix: "/old"}}}, Filters: []spec.Choice{{Name: "redirect", Params: &filter.Redirect{Path: &filter.Path{Prefix: "/new"}}}}},
			{Match: []spec.Match{{Methods: []string{"POST"}}}, Filters: []spec.Choice{{Name: "respond", Params: &filter.Respond{Status: 403}}}},
			{
				TargetGroups: []spec.GroupRef{{Name: "main", Weight: 9}, {Name: "canary", Weight: 1}},
				Sticky:       &spec.Sticky{Cookie: &spec.StickyCookie{}},
				Filters:      []spec.Choice{{Name: "rewrite", Params: &filter.Rewrite{Path: &filter.Path{Full: "/all"}}}},
			},
		}}}
		s.Listeners[0].Redirect = &spec.ListenerRedirect{Scheme: "https"}
		s.Listeners[0].TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
		s.Listeners = append(s.Listeners, spec.Listener{
			Name: "https", VIP: "public", Port: b.https, Protocol: spec.ProtocolHTTPS, Routes: []spec.RouteName{"shop"},
			TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
		})
	})
	return b, addressOf(tgt).AddrPort
}

func render(a status.Answer) string {
	var out strings.Builder
	fmt.Fprintln(&out, a.Result)
	for _, l := range a.Lines {
		fmt.Fprintf(&out, "%s%1s %s\n", strings.Repeat("  ", l.Depth), l.Mark, l.Text)
	}
	return out.String()
}

// Explain walks the whole tier and ends where the request would.
func TestExplain(t *testing.T) {
	b, tgt := shopBed(t)
	tests := []struct {
		name string
		q    status.Question
		want []string // each a part of what is said
		next bool
	}{
		{"to a target", status.Question{URL: "https://shop.test:%d/x", From: netip.MustParseAddr("203.0.113.7")}, []string{
			`shop rules[2] sends it to target ` + tgt.String() + ` of group "main"`,
			`+ listener "https" on 127.0.0.1:`,
			`"shop.test" is named: certificate of shop.test, valid until`,
			`- route "shop" rules[0]: path "/x" is not under "/old"`,
			`- route "shop" rules[1]: method GET is not POST`,
			`+ route "shop" rules[2]: takes every request`,
			`filter rewrite: path "/x" becomes "/all"`,
			`sticky cookie "PORTICO": there is none`,
			`+ target group "main" gets 90 % of requests: drawn, as --draw 1 would again`,
			`- target group "canary" gets 10 % of requests`,
			`timeouts: connect 3s, response 1m, body 30s, total off; 2 more targets may be tried`,
			`+ ` + tgt.String(),
		}, true},
		{"forged cookie", status.Question{URL: "https://shop.test:%d/x", Header: map[string][]string{"Cookie": {"PORTICO=x"}}}, []string{`sticky cookie "PORTICO": is not signed by any of our keys`}, true},
		{"trusted proxy", status.Question{URL: "https://shop.test:%d/x", From: netip.MustParseAddr("10.0.0.1"), Header: map[string][]string{"X-Forwarded-For": {"203.0.113.7"}}}, []string{"trusted proxy 10.0.0.1 says that the client is 203.0.113.7"}, true},
		{"redirect by a filter", status.Question{URL: "https://shop.test:%d/old/y?z"}, []string{"redirect: 302 to https://shop.test:", "/new/y?z"}, false},
		{"fixed answer", status.Question{URL: "https://shop.test:%d/", Method: "POST"}, []string{"403 by a filter"}, false},
		{"no route", status.Question{URL: "https://other.test:%d/"}, []string{"404: no rule takes the request", `host "other.test" is named by no route`, `no certificate is for "other.test": the first is used`}, false},
		{"host by header", status.Question{URL: "https://other.test:%d/x", Header: map[string][]string{"Host": {"shop.test"}}}, []string{"shop rules[2] sends it"}, true},
		{"not HTTP", status.Question{URL: "https://shop.test:%d/", Method: "G E T"}, []string{"400: http1:"}, false},
		{"smuggled head", status.Question{URL: "https://shop.test:%d/", Header: map[string][]string{"A": {"b\r\n\r\nGET / HTTP/1.1"}}}, []string{"400: "}, false},
		{"other protocol", status.Question{URL: "http://shop.test:%d/"}, []string{`listener "https" speaks https, not http`}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.q.URL, tt.q.Draw = fmt.Sprintf(tt.q.URL, b.https), 1
			tt.q.VIP = netip.AddrPortFrom(addr, b.https)
			a, ok := b.server.Explain(tt.q)
			if !ok || a.Tier != spec.RoleL7 || a.Node != "n1" {
				t.Fatalf("Explain = %+v, %v", a, ok)
			}
			for _, w := range tt.want {
				if !strings.Contains(render(a), w) {
					t.Errorf("Explain does not say %q:\n%s", w, render(a))
				}
			}
			if tt.next != (len(a.Next) == 1) {
				t.Errorf("Next = %v", a.Next)
			}
		})
	}
}

// Explain draws the group as requests do: by weight, the same for the same number,
// and tells the number where none was given.
func TestExplainDraws(t *testing.T) {
	b, main := shopBed(t)
	ask := func(draw uint32) (string, bool) {
		q := status.Question{URL: fmt.Sprintf("https://shop.test:%d/x", b.https), Draw: draw}
		a, ok := b.server.Explain(q)
		if !ok || len(a.Next) != 1 {
			t.Fatalf("Explain = %+v, %v", a, ok)
		}
		return render(a), a.Next[0] == main
	}
	const asked = 400
	mains := 0
	for draw := range uint32(asked) {
		if _, is := ask(draw + 1); is {
			mains++
		}
	}
	if mains < asked*8/10 || mains > asked*97/100 {
		t.Errorf("%d of %d went to a group of weight 9 of 10", mains, asked)
	}
	said, is := ask(0)
	at := strings.Index(said, "--draw ")
	var again uint32
	if _, err := fmt.Sscanf(said[at:], "--draw %d", &again); err != nil || again == 0 {
		t.Fatalf("no number to ask again with: %v\n%s", err, said)
	}
	if _, same := ask(again); same != is {
		t.Errorf("asked again with %d, it goes elsewhere:\n%s", again, said)
	}
}

// Explain tells of targets that are of another site, of what is hashed, and of
// each rule and target for programs.
func TestExplainCandidates(t *testing.T) {
	b, _ := shopBed(t)
	s := b.base()
	here, there := newTarget(t, "a"), netip.MustParseAddrPort("192.0.2.1:80")
	g := group("g", here)
	g.Balance = &spec.Choice{Name: "maglev", Params: &balance.Hash{Key: spec.HashKey{Header: "X-User"}}}
	live := g
	g.Targets = append(g.Targets, spec.Target{Address: spec.AddrPort{AddrPort: there}, Name: "far", Site: "west", Weight: 1})
	s.TargetGroups = []spec.TargetGroup{g}
	s.Routes = []spec.Route{{Name: "r", Rules: []spec.Rule{
		{Match: []spec.Match{{Methods: []string{"PUT"}}, {Path: &spec.PathMatch{Exact: "/y"}}}, TargetGroups: refs("g")},
		{TargetGroups: refs("g")},
	}}}
	s.Listeners[0].Routes = []spec.RouteName{"r"}
	if err := b.groups.Apply([]spec.TargetGroup{live}); err != nil {
		t.Fatal(err)
	}
	if err := b.server.Apply(s); err != nil {
		t.Fatal(err)
	}
	a, _ := b.server.Explain(status.Question{URL: fmt.Sprintf("http://shop.test:%d/x", b.http), Header: map[string][]string{"X-User": {"bob"}}})
	for _, w := range []string{
		`- route "r" rules[0] match[0]: method GET is not PUT`,
		`- route "r" rules[0] match[1]: path "/x" is not "/y"`,
		`target group "g" hashes header x-user "bob"`,
		`: holds the key's slot `,
		`- far: of site "west", this node is of site "east"`,
	} {
		if !strings.Contains(render(a), w) {
			t.Errorf("Explain does not say %q:\n%s", w, render(a))
		}
	}
	var tried []status.Tried
	var candidates []status.Candidate
	for _, l := range a.Lines {
		if l.Tried != nil {
			tried = append(tried, *l.Tried)
		}
		if l.Candidate != nil {
			candidates = append(candidates, *l.Candidate)
		}
	}
	if len(tried) != 3 || tried[0] != (status.Tried{Route: "r", Predicate: "method", Want: "PUT", Saw: "GET"}) || !tried[2].Holds || tried[2].Match != -1 {
		t.Errorf("tried %+v", tried)
	}
	if len(candidates) != 2 || !candidates[0].Chosen || candidates[0].Rank == nil || candidates[1].Chosen || candidates[1].Address.AddrPort != there {
		t.Errorf("candidates %+v", candidates)
	}
}

// A listener that redirects says where to; a question for someone else is not answered.
func TestExplainElsewhere(t *testing.T) {
	b, _ := shopBed(t)
	a, ok := b.server.Explain(status.Question{URL: fmt.Sprintf("http://shop.test:%d/a", b.http)})
	if want := fmt.Sprintf("redirect: 308 to https://shop.test:%d/a", b.https); !ok || a.Result != want {
		t.Errorf("Explain = %q, want %q", a.Result, want)
	}
	for _, q := range []status.Question{
		{URL: "http://shop.test:1/"},
		{URL: "::"},
		{URL: fmt.Sprintf("http://shop.test:%d/", b.http), VIP: netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), b.http)},
		{URL: fmt.Sprintf("http://shop.test:%d/", b.http), Seat: netip.MustParseAddrPort("192.0.2.1:80")},
	} {
		if a, ok := b.server.Explain(q); ok {
			t.Errorf("Explain(%+v) = %+v", q, a)
		}
	}
}

// What explain says of a session is what happens to it.
func TestExplainSession(t *testing.T) {
	b, _ := shopBed(t)
	rule := b.base()
	rule.TargetGroups = []spec.TargetGroup{group("g", newTarget(t, "a"), newTarget(t, "b"), newTarget(t, "c"))}
	rule.Routes = []spec.Route{{Name: "r", Rules: []spec.Rule{stickyTo(refs("g")...)}}}
	rule.Listeners[0].Routes = []spec.RouteName{"r"}
	if err := b.apply(rule); err != nil {
		t.Fatal(err)
	}
	first := b.dial().do("GET / shop.test")
	a, ok := b.server.Explain(status.Question{URL: fmt.Sprintf("http://shop.test:%d/", b.http), Header: map[string][]string{"Cookie": {cookieOf(first)}}})
	if !ok || !strings.Contains(render(a), `sticky cookie "PORTICO": is valid`) || !strings.Contains(render(a), "it was chosen before") {
		t.Errorf("Explain:\n%s", render(a))
	}
	line := b.log.all(t, 1)[0]
	if !strings.Contains(line, a.Next[0].String()) {
		t.Errorf("Explain names %s, the log says %s", a.Next, line)
	}
}

// Check finds what the tier would refuse, with the path.
func TestCheck(t *testing.T) {
	b := newBed(t, func(*bed, *spec.Spec) {})
	s := b.base()
	s.Certificates = []spec.Certificate{{Hosts: []string{"a.test"}}}
	s.Secrets.Sticky = []spec.Secret{{Value: []byte("short")}}
	s.Routes = []spec.Route{{Name: "r", Rules: []spec.Rule{{Filters: []spec.Choice{{Name: "nope"}}}}}}
	var got []string
	for _, p := range b.server.Check(s) {
		got = append(got, p.Path)
	}
	if want := "certificates[0].files routes[0].rules[0].filters secrets.sticky[0]"; strings.Join(got, " ") != want {
		t.Errorf("Check = %v, want %s", got, want)
	}
	s = b.base()
	s.Listeners[0].Routes = []spec.RouteName{"missing"}
	if err := b.server.Apply(s); err == nil || err.Error() != `listener "http": route "missing": no such route` {
		t.Errorf("Apply = %v", err)
	}
	s = b.base()
	s.Listeners = append(s.Listeners, s.Listeners[0])
	if err := b.server.Apply(s); err == nil || !strings.Contains(err.Error(), "two listeners want this address") {
		t.Errorf("Apply = %v", err)
	}
}
