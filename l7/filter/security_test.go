package filter_test

import (
	"testing"
	"time"

	"portico/l7/exchange"
	"portico/l7/filter"
	"portico/l7/message"
	"portico/spec"
)

// Every header has a value that suits most sites, and can be set or left out.
func TestSecurityHeaders(t *testing.T) {
	for _, tt := range []struct {
		name   string
		params filter.SecurityHeaders
		https  bool
		target []string
		want   string
	}{
		{"as they are", filter.SecurityHeaders{}, true, nil, "Strict-Transport-Security: max-age=31536000 | X-Content-Type-Options: nosniff | X-Frame-Options: SAMEORIGIN | Referrer-Policy: strict-origin-when-cross-origin"},
		{"without https", filter.SecurityHeaders{}, false, nil, "X-Content-Type-Options: nosniff | X-Frame-Options: SAMEORIGIN | Referrer-Policy: strict-origin-when-cross-origin"},
		{"a target's own", filter.SecurityHeaders{}, false, []string{"x-frame-options: DENY"}, "x-frame-options: DENY | X-Content-Type-Options: nosniff | Referrer-Policy: strict-origin-when-cross-origin"},
		{"not a target's own", filter.SecurityHeaders{Override: true}, false, []string{"x-frame-options: ALLOW"}, "X-Content-Type-Options: nosniff | X-Frame-Options: SAMEORIGIN | Referrer-Policy: strict-origin-when-cross-origin"},
		{"none", filter.SecurityHeaders{HSTS: filter.HSTS{MaxAge: spec.Off}, ContentTypeOptions: "off", FrameOptions: "off", ReferrerPolicy: "off"}, true, nil, ""},
		{"all", filter.SecurityHeaders{
			HSTS: filter.HSTS{MaxAge: spec.Duration(2 * 365 * 24 * time.Hour), Subdomains: true, Preload: true}, FrameOptions: "DENY", ReferrerPolicy: "no-referrer",
			OpenerPolicy: "same-origin", ResourcePolicy: "same-site", ContentSecurityPolicy: "default-src 'self'", PermissionsPolicy: "camera=()",
		}, true, nil, "Strict-Transport-Security: max-age=63072000; includeSubDomains; preload | X-Content-Type-Options: nosniff | X-Frame-Options: DENY | " +
			"Referrer-Policy: no-referrer | Cross-Origin-Opener-Policy: same-origin | Cross-Origin-Resource-Policy: same-site | Content-Security-Policy: default-src 'self' | Permissions-Policy: camera=()"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if problems := tt.params.Check(); problems != nil {
				t.Fatal(problems)
			}
			c := compile(t, one("securityHeaders", &tt.params))
			m := match
			m.HTTPS = tt.https
			req, resp := request(), &message.Response{Status: 200, Fields: fields(tt.target...)}
			c.Request(req, m, &exchange.Decision{})
			c.Response(req, resp, m, &exchange.Decision{})
			if got := text(resp.Fields); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// What browsers would not take is refused.
func TestCheckSecurityHeaders(t *testing.T) {
	for name, tt := range map[string]struct {
		params filter.SecurityHeaders
		want   string
	}{
		"preload of one host": {filter.SecurityHeaders{HSTS: filter.HSTS{Preload: true}}, "hsts.preload: the list of browsers takes hosts with all names below them, for a year or more; add subdomains: true and maxAge: 8760h"},
		"no policy":           {filter.SecurityHeaders{ContentSecurityPolicy: "self"}, `contentSecurityPolicy: "self" is not a policy; write one such as default-src 'self'`},
		"injection":           {filter.SecurityHeaders{PermissionsPolicy: "a\nb"}, `permissionsPolicy: "a\nb" holds a control character`},
	} {
		if got := spec.Problems(tt.params.Check()).Error(); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}
