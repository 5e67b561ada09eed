package filter

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"portico/l7/exchange"
	"portico/l7/message"
	"portico/spec"
)

// SecurityHeaders are the parameters of securityHeaders: what browsers are told not
// to do with a page. A target that says so itself is believed. A text of "off"
// leaves the header out.
type SecurityHeaders struct {
	HSTS HSTS `json:"hsts,omitzero"`
	// ContentTypeOptions keeps browsers from guessing what a body is.
	ContentTypeOptions string `json:"contentTypeOptions,omitempty" default:"nosniff" enum:"nosniff|off"`
	// FrameOptions says who may show a page inside another.
	FrameOptions string `json:"frameOptions,omitempty" default:"SAMEORIGIN" enum:"DENY|SAMEORIGIN|off"`
	// ReferrerPolicy says how much of the URL other sites are told.
	ReferrerPolicy string `json:"referrerPolicy,omitempty" default:"strict-origin-when-cross-origin" enum:"no-referrer|no-referrer-when-downgrade|origin|origin-when-cross-origin|same-origin|strict-origin|strict-origin-when-cross-origin|unsafe-url|off"`
	// OpenerPolicy parts a page from those that opened it.
	OpenerPolicy string `json:"openerPolicy,omitempty" default:"off" enum:"same-origin|same-origin-allow-popups|noopener-allow-popups|unsafe-none|off"`
	// ResourcePolicy says which sites may embed what is answered.
	ResourcePolicy string `json:"resourcePolicy,omitempty" default:"off" enum:"same-origin|same-site|cross-origin|off"`
	// ContentSecurityPolicy and PermissionsPolicy depend on the pages; there is no
	// good default.
	ContentSecurityPolicy string `json:"contentSecurityPolicy,omitempty"`
	PermissionsPolicy     string `json:"permissionsPolicy,omitempty"`
	// Override replaces what targets say.
	Override bool `json:"override,omitempty"`
}

// HSTS has browsers use https alone from now on (RFC 6797). It is only sent to
// clients that asked for https.
type HSTS struct {
	// MaxAge is for how long; off sends nothing.
	MaxAge spec.Duration `json:"maxAge,omitempty" default:"8760h"`
	// Subdomains says so of every name below the host.
	Subdomains bool `json:"subdomains,omitempty"`
	// Preload asks to be put into browsers as they are shipped.
	Preload bool `json:"preload,omitempty"`
}

// preloadMin is the least age that the list of browsers takes.
const preloadMin = 365 * 24 * time.Hour

// Check refuses values that no header can have, and lists a browser would not take.
func (p *SecurityHeaders) Check() []spec.Problem {
	problems := checkValue("contentSecurityPolicy", p.ContentSecurityPolicy)
	problems = append(problems, checkValue("permissionsPolicy", p.PermissionsPolicy)...)
	if p.HSTS.Preload && (!p.HSTS.Subdomains || p.HSTS.MaxAge != 0 && p.HSTS.MaxAge.D() < preloadMin) {
		problems = append(problems, spec.Problem{
			Path: "hsts.preload", What: "the list of browsers takes hosts with all names below them, for a year or more", Help: "add subdomains: true and maxAge: 8760h",
		})
	}
	if p.ContentSecurityPolicy != "" && !strings.Contains(p.ContentSecurityPolicy, "-src") && !strings.Contains(p.ContentSecurityPolicy, " ") {
		problems = append(problems, spec.Problem{
			Path: "contentSecurityPolicy", What: fmt.Sprintf("%q is not a policy", p.ContentSecurityPolicy), Help: "write one such as default-src 'self'",
		})
	}
	return problems
}

type securityHeaders struct {
	lines    []secured
	override bool
}

// secured is one header with its name in lower case.
type secured struct {
	line
	lower string
	https bool // for clients that asked for https alone
}

func newSecurityHeaders(params any) Filter {
	p := params.(*SecurityHeaders)
	f := &securityHeaders{override: p.Override}
	f.add("Strict-Transport-Security", p.HSTS.value(), "")
	f.add("X-Content-Type-Options", p.ContentTypeOptions, "nosniff")
	f.add("X-Frame-Options", p.FrameOptions, "SAMEORIGIN")
	f.add("Referrer-Policy", p.ReferrerPolicy, "strict-origin-when-cross-origin")
	f.add("Cross-Origin-Opener-Policy", p.OpenerPolicy, "")
	f.add("Cross-Origin-Resource-Policy", p.ResourcePolicy, "")
	f.add("Content-Security-Policy", p.ContentSecurityPolicy, "")
	f.add("Permissions-Policy", p.PermissionsPolicy, "")
	return f
}

// value is that of the header; empty for none.
func (h *HSTS) value() string {
	age := h.MaxAge.D()
	if age < 0 {
		return ""
	}
	if age == 0 {
		age = preloadMin
	}
	value := "max-age=" + strconv.FormatInt(int64(age/time.Second), 10)
	if h.Subdomains {
		value += "; includeSubDomains"
	}
	if h.Preload {
		value += "; preload"
	}
	return value
}

func (f *securityHeaders) add(name, value, otherwise string) {
	if value == "" {
		value = otherwise
	}
	if value == "" || value == "off" {
		return
	}
	lower := strings.ToLower(name)
	f.lines = append(f.lines, secured{
		line:  line{[]byte(name), text{constant: []byte(value)}},
		lower: lower, https: lower == "strict-transport-security",
	})
}

func (f *securityHeaders) Request(*message.Request, Match, *exchange.Decision) {}

func (f *securityHeaders) Response(_ *message.Request, resp *message.Response, m Match, _ *exchange.Decision) {
	for i := range f.lines {
		l := &f.lines[i]
		switch {
		case l.https && !m.HTTPS:
			continue
		case f.override:
			resp.Fields = message.Del(resp.Fields, l.lower)
		case message.Get(resp.Fields, l.lower) != nil:
			continue
		}
		resp.Fields = append(resp.Fields, message.Field{Name: l.name, Value: l.value.constant})
	}
}

func (f *securityHeaders) Explain(_ *message.Request, m Match) string {
	var parts []string
	for i := range f.lines {
		if l := &f.lines[i]; m.HTTPS || !l.https {
			parts = append(parts, fmt.Sprintf("%s: %s", l.name, l.value.constant))
		}
	}
	if len(parts) == 0 {
		return "adds nothing"
	}
	verb := "adds where the target does not: "
	if f.override {
		verb = "sets "
	}
	return verb + strings.Join(parts, ", ")
}
