package l7_test

import (
	"strings"
	"testing"

	"portico/l7/cors"
	"portico/l7/filter"
	"portico/l7/pages"
	"portico/spec"
)

// Errors that Portico makes, and those of targets where that is asked for, have the
// page of their rule and pass its filters; the connection goes on.
func TestErrorPages(t *testing.T) {
	failing := newMute(t, "HTTP/1.1 500 Oops\r\nConnection: close\r\nContent-Type: a/b\r\nETag: x\r\nContent-Length: 11\r\n\r\nstack trace")
	refused := netAddr(t)
	b := newBed(t, func(_ *bed, s *spec.Spec) {
		for name, a := range map[spec.TargetGroupName]spec.AddrPort{"failing": failing, "refused": refused} {
			s.TargetGroups = append(s.TargetGroups, spec.TargetGroup{Name: name, Targets: []spec.Target{{Address: a, Weight: 1}}})
		}
		filters := func(targets bool) []spec.Choice {
			return []spec.Choice{
				{Name: "cors", Params: &cors.Params{Origins: []cors.Origin{{Name: "https://app.test"}}}},
				{Name: "errorPages", Params: &filter.ErrorPages{Targets: targets, Pages: []filter.ErrorPage{{
					Statuses: []pages.Status{{Low: 500, High: 599}},
					HTML:     &filter.PageBody{Text: "<p>${status} ${path} ${request.id}"}, Text: &filter.PageBody{Text: "${status}: sorry"},
				}}}},
			}
		}
		prefix := func(p string) []spec.Match { return []spec.Match{{Path: &spec.PathMatch{Prefix: p}}} }
		s.Routes = []spec.Route{{Name: "r", Rules: []spec.Rule{
			{Match: prefix("/refused"), TargetGroups: refs("refused"), Filters: filters(false)},
			{Match: prefix("/own"), TargetGroups: refs("failing"), Filters: filters(false)},
			{Match: prefix("/"), TargetGroups: refs("failing"), Filters: filters(true)},
		}}}
		s.Listeners[0].Routes = []spec.RouteName{"r"}
	})
	c := b.dial()
	for _, tt := range []struct{ line, want, kind string }{
		{"GET /refused a.test", "502: sorry", "text/plain; charset=utf-8"},
		{"GET /own a.test", "stack trace", "a/b"},
		{"GET /all a.test", "500: sorry", "text/plain; charset=utf-8"},
		{"HEAD /all a.test", "", "text/plain; charset=utf-8"},
		{"GET /all/again a.test", "500: sorry", "text/plain; charset=utf-8"},
	} {
		a := c.do(tt.line, "Origin: https://app.test")
		if a.text != tt.want || a.Header.Get("Content-Type") != tt.kind || a.Header.Get("Access-Control-Allow-Origin") != "https://app.test" {
			t.Errorf("%s: %d %q, %v", tt.line, a.StatusCode, a.text, a.Header)
		}
		if replaced := tt.kind != "a/b"; replaced == (a.Header.Get("ETag") != "") {
			t.Errorf("%s: ETag %q", tt.line, a.Header.Get("ETag"))
		}
	}
	a := c.do("GET /refused/x a.test", "Accept: text/html")
	if id := a.Header.Get("X-Request-Id"); a.text != "<p>502 /refused/x "+id || len(id) != 32 || !strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") {
		t.Errorf("page: %q, %v", a.text, a.Header)
	}
}
