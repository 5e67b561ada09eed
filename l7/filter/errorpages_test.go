package filter_test

import (
	"strings"
	"testing"

	"portico/l7/exchange"
	"portico/l7/filter"
	"portico/l7/message"
	"portico/l7/pages"
	"portico/spec"
)

// page is an HTML page for one status.
func page(status, text string) filter.ErrorPage {
	var s pages.Status
	if err := s.UnmarshalText([]byte(status)); err != nil {
		panic(err)
	}
	return filter.ErrorPage{Statuses: []pages.Status{s}, HTML: &filter.PageBody{Text: text}}
}

func errorPages(targets bool) *filter.ErrorPages {
	p := page("5xx", "<p>${status.text}: ${path}")
	p.JSON, p.Text = &filter.PageBody{Text: `{"error":"${status.text}","id":"${request.id}"}`}, &filter.PageBody{Text: "sorry\n"}
	return &filter.ErrorPages{Targets: targets, Pages: []filter.ErrorPage{p, page("404", "<p>gone")}}
}

// Portico's own errors get the page the client would rather read.
func TestErrorPagesOwn(t *testing.T) {
	for _, tt := range []struct {
		status     int
		accept     string
		body, kind string
	}{
		{503, "text/html", "<p>Service Unavailable: /api/&lt;x&gt;", "text/html; charset=utf-8"},
		{503, "application/json", `{"error":"Service Unavailable","id":"id1"}`, "application/json"},
		{503, "*/*", "sorry\n", "text/plain; charset=utf-8"},
		{404, "application/json", "<p>gone", "text/html; charset=utf-8"},
		{403, "text/html", "original", "text/plain"},
	} {
		req := request()
		req.Path = []byte("/api/<x>")
		req.Fields = fields("Accept: " + tt.accept)
		d := &exchange.Decision{}
		d.Answer = exchange.Fixed{Status: tt.status, Body: []byte("original"), Fields: fields("Content-Type: text/plain", "X-Request-Id: id1")}
		d.Fixed = &d.Answer
		c := compile(t, one("errorPages", errorPages(false)))
		c.Request(req, match, &exchange.Decision{})
		c.Fixed(req, match, d)
		if string(d.Fixed.Body) != tt.body || string(message.Get(d.Fixed.Fields, "content-type")) != tt.kind || d.Transform != nil {
			t.Errorf("%d for %s: %s, %s", tt.status, tt.accept, d.Fixed.Body, text(d.Fixed.Fields))
		}
		if message.Get(d.Fixed.Fields, "x-request-id") == nil {
			t.Errorf("%d: the id is gone", tt.status)
		}
		if vary := message.Get(d.Fixed.Fields, "vary"); (vary != nil) != (tt.status == 503) {
			t.Errorf("%d: Vary is %q", tt.status, vary)
		}
	}
}

// What a target answers is replaced only where that is asked for; its body is read
// to the end, and nothing of it is told.
func TestErrorPagesOfTargets(t *testing.T) {
	for _, targets := range []bool{false, true} {
		c := compile(t, one("errorPages", errorPages(targets)))
		req, d := request(), &exchange.Decision{}
		c.Request(req, match, d)
		resp := &message.Response{Status: 500, Framing: message.Length, Length: 5, Fields: fields("Content-Type: a/b", "Content-Encoding: gzip", "ETag: x", "X-Keep: 1")}
		c.Response(req, resp, match, d)
		if !targets {
			if d.Transform != nil || len(resp.Fields) != 4 {
				t.Errorf("a target's answer is replaced: %s", text(resp.Fields))
			}
			continue
		}
		if got, want := text(resp.Fields), "X-Keep: 1 | Content-Type: text/plain; charset=utf-8 | Vary: Accept"; got != want || d.Transform == nil {
			t.Fatalf("fields %s, want %s", got, want)
		}
		body := d.Transform.Transform(nil, [][]byte{[]byte("stack")}, false)
		if body = d.Transform.Transform(body, [][]byte{[]byte("trace")}, true); string(body) != "sorry\n" {
			t.Errorf("body %q", body)
		}
	}
}

// Calls of gRPC and answers that went well are left alone.
func TestErrorPagesLeaveAlone(t *testing.T) {
	c := compile(t, one("errorPages", errorPages(true)))
	for name, change := range map[string]func(*message.Request, *message.Response){
		"grpc": func(r *message.Request, _ *message.Response) {
			r.Fields = append(r.Fields, fields("Content-Type: application/grpc+proto")...)
		},
		"200": func(_ *message.Request, r *message.Response) { r.Status = 200 },
	} {
		req, resp, d := request(), &message.Response{Status: 500}, &exchange.Decision{}
		change(req, resp)
		c.Request(req, match, d)
		c.Response(req, resp, match, d)
		if d.Transform != nil || len(resp.Fields) > 0 {
			t.Errorf("%s: %s", name, text(resp.Fields))
		}
	}
}

// Pages that no answer has are refused.
func TestCheckErrorPages(t *testing.T) {
	for name, tt := range map[string]struct {
		pages []filter.ErrorPage
		want  string
	}{
		"none":     {nil, "pages: no page is listed; write one such as {statuses: [5xx], text: sorry}"},
		"no body":  {[]filter.ErrorPage{{Statuses: page("404", "").Statuses}}, "pages[0]: the page has no body; use html, json or text"},
		"twice":    {[]filter.ErrorPage{page("404", "a"), page("404", "b")}, "pages[1].statuses[0]: 404 has a page already, pages[0]"},
		"too long": {[]filter.ErrorPage{page("404", strings.Repeat("x", 70_000))}, "pages[0].html: the body has 70000 bytes; at most 65536 are allowed"},
	} {
		if got := spec.Problems((&filter.ErrorPages{Pages: tt.pages}).Check()).Error(); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}
