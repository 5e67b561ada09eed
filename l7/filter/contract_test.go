package filter_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"portico/l7/auth"
	"portico/l7/compress"
	"portico/l7/cors"
	"portico/l7/exchange"
	"portico/l7/filter"
	"portico/l7/http1"
	"portico/l7/limit"
	"portico/l7/message"
	"portico/l7/pages"
	"portico/spec"
)

// samples are parameters that make each filter do the most it can. A new filter
// is tested by one line here; without it the contract fails.
var samples = map[string]any{
	"ip": &filter.IP{Allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}},
	"rateLimit": &filter.RateLimit{Requests: 1, Per: spec.Duration(time.Hour), By: []limit.KeyPart{
		{From: "client"}, {Header: "X-Tier"}, {Cookie: "c"}, {Query: "q"}, {From: "path"}, {From: "host"}, {From: "method"}, {From: "all"},
	}},
	"concurrencyLimit": &filter.ConcurrencyLimit{Requests: 1, By: []limit.KeyPart{{From: "client"}, {Query: "q"}}},
	"bodyLimit":        &filter.BodyLimit{Max: 1},
	"buffer":           &filter.Buffer{Request: 1 << 20, Response: 1 << 20},
	"basicAuth":        &auth.Basic{Users: spec.Secret{Value: []byte("ann:$5$abcdefgh$gruCpC7VkOTspMQTTSAR8mtlO9Upms.fwqE5y16JVM.")}, Header: "X-User", Strip: true},
	"forwardAuth":      &auth.Forward{URL: "http://127.0.0.1:1/verify", Take: []string{"X-User"}, OnFailure: "open"},
	"compress":         &compress.Params{Encodings: []string{"br", "gzip"}, Types: []string{"text/*"}},
	"requestHeaders":   &filter.Headers{Set: map[string]string{"X-Tier": "c"}, Add: map[string]string{"X-Add": "d", "X-Who": "${client.ip} ${query.q} ${header.accept}"}, Remove: []string{"accept"}},
	"responseHeaders":  &filter.Headers{Set: map[string]string{"X-Tier": "${status} ${route}"}, Add: map[string]string{"X-Add": "d"}, Remove: []string{"accept"}},
	"redirect":         &filter.Redirect{Scheme: "https", Host: "b.test", Port: 8443, Path: &filter.Path{Prefix: "/v2"}},
	"rewrite":          &filter.Rewrite{Host: "inner.test", Path: &filter.Path{Prefix: "/v2"}},
	"respond":          &filter.Respond{Status: 503, Body: "closed: ${path}", Headers: map[string]string{"Retry-After": "5", "X-Id": "${request.id}"}},
	"errorPages": &filter.ErrorPages{Targets: true, Pages: []filter.ErrorPage{{
		Statuses: []pages.Status{{Low: 400, High: 499}, {Low: 500, High: 599}},
		HTML:     &filter.PageBody{Text: "<p>${status}: ${path}</p>"}, Text: &filter.PageBody{Text: "sorry"},
	}}},
	"cors": &cors.Params{
		Origins: []cors.Origin{{Name: "https://app.test"}}, Credentials: true, Methods: []string{"PUT"},
		Headers: []string{"X-A"}, Expose: []string{"X-B"},
	},
	"securityHeaders": &filter.SecurityHeaders{Override: true, ContentSecurityPolicy: "default-src 'self'"},
}

// Every filter of the table keeps the contract.
func TestContract(t *testing.T) {
	kinds := filter.Kinds()
	for i, e := range filter.All {
		t.Run(e.Name, func(t *testing.T) {
			if k := kinds[i]; k.Name != e.Name || k.Summary == "" || strings.HasSuffix(k.Summary, ".") || k.Params == nil {
				t.Errorf("kind %+v", k)
			}
			params, ok := samples[e.Name]
			if !ok {
				t.Fatal("there is no sample for this filter")
			}
			checker, ok := params.(spec.Checker)
			if !ok {
				t.Fatal("the parameters are not checked")
			}
			if problems := checker.Check(); len(problems) > 0 {
				t.Fatal(spec.Problems(problems))
			}
			chain := compile(t, one(e.Name, params))
			contractOutput(t, chain)
			contractMemory(t, chain)
			contractExplain(t, chain)
		})
	}
}

// contractOutput: whatever a filter writes is a valid head, and asterisk-form is survived.
func contractOutput(t *testing.T, chain *filter.Chain) {
	t.Helper()
	for _, path := range []string{"/api/x", "/api", "/", "*", ""} {
		req, d := request(), exchange.Decision{}
		req.Path = []byte(path)
		chain.Request(req, match, &d)
		all := req.Fields
		if d.Fixed != nil {
			all = append(all, d.Fixed.Fields...)
			if d.Fixed.Status < 200 || d.Fixed.Status > 599 {
				t.Errorf("status %d", d.Fixed.Status)
			}
		}
		all = append(all, answered(chain, req, &d, "Server: x", "x-tier: y")...)
		for _, f := range all {
			if !http1.ValidName(f.Name) || !http1.ValidValue(f.Value) {
				t.Errorf("path %q: field %q: %q", path, f.Name, f.Value)
			}
		}
		if match.Visit.Outcome(0) != filter.Unasked && chain.Judges()[0] == "" {
			t.Errorf("path %q: it admits requests, and does not say so", path)
		}
		if path != "" && len(req.Path) == 0 {
			t.Errorf("path %q became empty", path)
		}
	}
}

// contractMemory: once memory has grown, nothing is allocated, and what one
// request left behind does not show in the next.
func contractMemory(t *testing.T, chain *filter.Chain) {
	t.Helper()
	from, req, d := request(), &message.Request{}, &exchange.Decision{}
	room, answer := make([]message.Field, 0, 16), make([]message.Field, 0, 16)
	resp := &message.Response{}
	n := testing.AllocsPerRun(100, func() {
		*req = *from
		req.Fields = append(room, from.Fields...)
		d.Scratch, d.Fixed, d.Pending = d.Scratch[:0], nil, false
		chain.Request(req, match, d)
		*resp = message.Response{Status: 503, Fields: append(answer, from.Fields[0])}
		chain.Response(req, resp, match, d)
		chain.End(match.Visit)
	})
	if n > 0 && !d.Pending { // asking somebody else is dear anyway
		t.Errorf("applying allocates %v times", n)
	}
	var first string
	for i := range 3 {
		r := request()
		d.Scratch, d.Fixed, d.Pending = d.Scratch[:0], nil, false
		chain.Request(r, match, d)
		chain.End(match.Visit)
		got := text(r.Fields) + string(r.Path)
		if d.Fixed != nil {
			got += text(d.Fixed.Fields)
		}
		if i == 0 {
			first = got
		}
		if got != first {
			t.Errorf("run %d: %s, the first was %s", i, got, first)
		}
	}
}

// contractExplain: explain says something, in one line, and changes no request.
func contractExplain(t *testing.T, chain *filter.Chain) {
	t.Helper()
	lines := chain.Explain(request(), match, &exchange.Decision{})
	if len(lines) != 1 || strings.ContainsAny(lines[0], "\n\r") || strings.HasSuffix(lines[0], ": ") {
		t.Errorf("Explain = %q", lines)
	}
}

func BenchmarkChain(b *testing.B) {
	c, err := filter.Compile([]spec.Choice{one("requestHeaders", samples["requestHeaders"]), one("rewrite", samples["rewrite"]), one("responseHeaders", samples["responseHeaders"])}, nil)
	if err != nil {
		b.Fatal(err)
	}
	req, d := request(), &exchange.Decision{}
	base, path := make([]message.Field, 3, 16), req.Path
	out, resp := make([]message.Field, 1, 16), &message.Response{}
	copy(base, req.Fields)
	b.ReportAllocs()
	for b.Loop() {
		req.Fields, req.Path = append(base[:0], request3...), path
		d.Scratch = d.Scratch[:0]
		c.Request(req, match, d)
		*resp = message.Response{Status: 200, Fields: append(out[:0], request3[0])}
		c.Response(req, resp, match, d)
	}
}

var request3 = fields("X-Tier: a", "Accept: */*", "x-tier: b")
