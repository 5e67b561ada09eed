package l7_test

import (
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"portico/l7/filter"
	"portico/spec"
)

// A request goes where its host, path, method and headers say.
func TestRouting(t *testing.T) {
	shop, api, beta := newTarget(t, "shop"), newTarget(t, "api"), newTarget(t, "beta")
	b := newBed(t, func(_ *bed, s *spec.Spec) {
		s.TargetGroups = []spec.TargetGroup{group("shop", shop), group("api", api), group("beta", beta)}
		s.Routes = []spec.Route{
			{Name: "shop", Hosts: []string{"shop.test"}, Rules: []spec.Rule{
				{Match: []spec.Match{{Headers: map[string]spec.TextMatch{"x-beta": {Exact: "1"}}}}, TargetGroups: refs("beta")},
				{Match: []spec.Match{{Path: &spec.PathMatch{Prefix: "/api"}, Methods: []string{"GET"}}}, TargetGroups: refs("api")},
				{Match: []spec.Match{{Path: &spec.PathMatch{Exact: "/"}}}, TargetGroups: refs("shop")},
			}},
			{Name: "wild", Hosts: []string{"*.shop.test"}, Rules: []spec.Rule{{TargetGroups: refs("shop")}}},
		}
		s.Listeners[0].Routes = []spec.RouteName{"shop", "wild"}
	})
	tests := []struct {
		name, request string
		headers       []string
		want          string // target, or status
	}{
		{"exact path", "GET / shop.test", nil, "shop"},
		{"host with port and case", "GET / SHOP.test:8080", nil, "shop"},
		{"prefix", "GET /api/x shop.test", nil, "api"},
		{"dots cannot hide a path", "GET /x/../api/%78 shop.test", nil, "api"},
		{"method", "DELETE /api/x shop.test", nil, "404"},
		{"header", "GET /api shop.test", []string{"X-Beta: 1"}, "beta"},
		{"wildcard", "GET /any a.b.shop.test", nil, "shop"},
		{"no rule", "GET /other shop.test", nil, "404"},
		{"no host", "GET / other.test", nil, "404"},
		{"absolute form", "GET http://shop.test/api/x shop.test", nil, "api"},
	}
	c := b.dial()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := c.do(tt.request, tt.headers...)
			got := a.Header.Get("X-Target")
			if got == "" {
				got = fmt.Sprint(a.StatusCode)
			}
			if got != tt.want {
				t.Errorf("%s is answered by %s, want %s", tt.request, got, tt.want)
			}
		})
	}
}

// The Host a target sees is the client's, and a body goes through both ways.
func TestProxied(t *testing.T) {
	b := newBed(t, func(_ *bed, s *spec.Spec) { toOne(s, group("g", newTarget(t, "a"))) })
	c := b.dial()
	c.send("POST /x?y=1 HTTP/1.1\r\nHost: Shop.test:81\r\nContent-Length: 5\r\n\r\nhello")
	got := c.do("GET /next other.test") // pipelined; the first answer is read first
	if s := got.seen(t); s.Host != "Shop.test:81" || s.Path != "/x?y=1" || s.Body != "hello" {
		t.Errorf("the target saw %+v", s)
	}
}

// A request without Host is one to the VIP for a target, and has no other host.
func TestNoHost(t *testing.T) {
	b := newBed(t, func(_ *bed, s *spec.Spec) { toOne(s, group("g", newTarget(t, "a"))) })
	c := b.dial()
	c.send("GET /x HTTP/1.0\r\n\r\n")
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	got := answer{resp, string(text)}.seen(t)
	if want := netip.AddrPortFrom(addr, b.http).String(); got.Host != want || got.Header.Get("X-Forwarded-Host") != "" {
		t.Errorf("the target was asked for host %q, want %q, forwarded %q", got.Host, want, got.Header.Get("X-Forwarded-Host"))
	}
}

// Filters change what target and client see, end to end.
func TestFilters(t *testing.T) {
	b := newBed(t, func(_ *bed, s *spec.Spec) {
		s.TargetGroups = []spec.TargetGroup{group("g", newTarget(t, "a"))}
		prefix := func(p string) []spec.Match { return []spec.Match{{Path: &spec.PathMatch{Prefix: p}}} }
		s.Routes = []spec.Route{{Name: "r", Rules: []spec.Rule{
			{Match: prefix("/edit"), TargetGroups: refs("g"), Filters: []spec.Choice{
				{Name: "requestHeaders", Params: &filter.Headers{Set: map[string]string{"X-Tier": "api"}, Remove: []string{"Cookie"}}},
				{Name: "rewrite", Params: &filter.Rewrite{Host: "inner.test", Path: &filter.Path{Prefix: "/v2"}}},
				{Name: "responseHeaders", Params: &filter.Headers{Set: map[string]string{"X-Target": "hidden"}, Add: map[string]string{"X-Frame-Options": "DENY"}}},
			}},
			{Match: prefix("/old"), Filters: []spec.Choice{{Name: "redirect", Params: &filter.Redirect{Code: 301, Host: "new.test", Path: &filter.Path{Prefix: "/"}}}}},
			{Match: prefix("/closed"), Filters: []spec.Choice{{Name: "respond", Params: &filter.Respond{Status: 410, Body: "gone"}}}},
		}}}
		s.Listeners[0].Routes = []spec.RouteName{"r"}
	})
	c := b.dial()
	a := c.do("GET /edit/x?q=1 shop.test", "X-Tier: client", "Cookie: a=b")
	s := a.seen(t)
	if s.Path != "/v2/x?q=1" || s.Host != "inner.test" || strings.Join(s.Header["X-Tier"], ",") != "api" || s.Header["Cookie"] != nil {
		t.Errorf("the target saw %+v", s)
	}
	if s.Header.Get("X-Forwarded-Host") != "shop.test" {
		t.Errorf("X-Forwarded-Host is %q after a rewrite", s.Header.Get("X-Forwarded-Host"))
	}
	if a.Header.Get("X-Target") != "hidden" || a.Header.Get("X-Frame-Options") != "DENY" {
		t.Errorf("the client saw %v", a.Header)
	}
	if a := c.do("GET /old/y?z shop.test:8080"); a.StatusCode != 301 || a.Header.Get("Location") != "http://new.test:8080/y?z" {
		t.Errorf("redirect: %d %s", a.StatusCode, a.Header.Get("Location"))
	}
	if a := c.do("GET /closed shop.test"); a.StatusCode != 410 || a.text != "gone" || a.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("respond: %d %q", a.StatusCode, a.text)
	}
}

// A listener that redirects keeps host, path and query, and names the port of
// the https listener.
func TestListenerRedirect(t *testing.T) {
	b := newBed(t, func(b *bed, s *spec.Spec) {
		s.Certificates = []spec.Certificate{issue(t, "a", "shop.test")}
		s.Listeners[0].Redirect = &spec.ListenerRedirect{Scheme: "https"}
		s.Listeners = append(s.Listeners, spec.Listener{Name: "https", VIP: "public", Port: b.https, Protocol: spec.ProtocolHTTPS})
	})
	c := b.dial()
	a := c.do("POST /a/b?c=d shop.test:8080")
	if want := fmt.Sprintf("https://shop.test:%d/a/b?c=d", b.https); a.StatusCode != http.StatusPermanentRedirect || a.Header.Get("Location") != want {
		t.Errorf("redirect: %d %s, want %s", a.StatusCode, a.Header.Get("Location"), want)
	}
	c.send("GET / HTTP/1.0\r\n\r\n")
	if got := c.status(); got != "400 Bad Request" {
		t.Errorf("without a host: %s", got)
	}
}
