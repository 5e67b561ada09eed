package filter_test

import (
	"strings"
	"testing"

	"portico/l7/exchange"
	"portico/l7/filter"
	"portico/l7/http1"
	"portico/l7/message"
	"portico/spec"
)

// Variables are filled in, in headers both ways and in answers, and a header can be
// given another name.
func TestHeaderVariables(t *testing.T) {
	c := compile(
		t,
		one("requestHeaders", &filter.Headers{
			Set: map[string]string{"X-Tier": "${header.X-Tier}-${method}", "X-Moved": "${header.accept}"}, Remove: []string{"Accept"},
		}),
		one("responseHeaders", &filter.Headers{Add: map[string]string{"X-Seen": "${status} ${path} of ${group} for ${header.x-moved}"}}),
	)
	req, d := request(), exchange.Decision{Group: "web"}
	c.Request(req, match, &d)
	if got, want := text(req.Fields), "Origin: https://app.test | X-Moved: */* | X-Tier: a-GET"; got != want {
		t.Errorf("request: %s, want %s", got, want)
	}
	resp := &message.Response{Status: 404}
	c.Response(req, resp, match, &d)
	if got, want := text(resp.Fields), "X-Seen: 404 /api/x of web for */*"; got != want {
		t.Errorf("response: %s, want %s", got, want)
	}
	lines := c.Explain(request(), match, &exchange.Decision{})
	for i, want := range []string{
		`requestHeaders: removes accept, sets X-Moved to "*/*", sets X-Tier to "a-GET"`,
		`responseHeaders: adds X-Seen with "${status} ${path} of ${group} for ${header.x-moved}"`,
	} {
		if lines[i] != want {
			t.Errorf("Explain = %q, want %q", lines[i], want)
		}
	}
}

// Bodies of answers are escaped by their content type.
func TestRespondVariables(t *testing.T) {
	for _, tt := range []struct{ kind, want string }{
		{"", `<b>"`},
		{"text/html; charset=utf-8", "&lt;b&gt;&#34;"},
		{"application/problem+json", `\u003Cb>\"`},
		{"image/svg+xml", "&lt;b&gt;&#34;"},
	} {
		req, d := request(), exchange.Decision{}
		req.Query = []byte("q=%3Cb%3E%22")
		c := compile(t, one("respond", &filter.Respond{Status: 404, Body: "${query.q}", ContentType: tt.kind, Headers: map[string]string{"X-Q": "${query.q} ${status}"}}))
		c.Request(req, match, &d)
		if got := string(d.Fixed.Body); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.kind, got, tt.want)
		}
		if got := string(message.Get(d.Fixed.Fields, "x-q")); got != `<b>" 404` {
			t.Errorf("header: %s", got)
		}
	}
}

// A body may come from a file, which was read with the spec.
func TestRespondFile(t *testing.T) {
	d := exchange.Decision{}
	file := spec.File{Path: "/x/page.html", Bytes: []byte("<h1>${host}</h1>")}
	r := &filter.Respond{ContentType: "text/html", File: file}
	if problems := r.Check(); problems != nil {
		t.Fatal(problems)
	}
	compile(t, one("respond", r)).Request(request(), match, &d)
	if d.Fixed == nil || string(d.Fixed.Body) != "<h1>shop.test</h1>" {
		t.Errorf("respond: %+v", d.Fixed)
	}
}

// FuzzVariables proves that nothing a client sends makes a header of ours more than
// one line, or an answer's head anything but valid.
func FuzzVariables(f *testing.F) {
	f.Add("q=%0d%0aSet-Cookie:a=b", "x", "a=b")
	f.Add("q=%00&q", "\x80\xff", "q=\"")
	c, err := filter.Compile([]spec.Choice{
		one("requestHeaders", &filter.Headers{Set: map[string]string{"X-A": "${query.q}|${cookie.q}|${header.x}|${query}"}}),
		one("responseHeaders", &filter.Headers{Set: map[string]string{"X-A": "${query.q}|${cookie.q}|${header.x}|${query}"}}),
	}, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, query, value, cookie string) {
		req := request()
		req.Query = []byte(query)
		req.Fields = append(req.Fields, message.Field{Name: []byte("x"), Value: []byte(value)}, message.Field{Name: []byte("Cookie"), Value: []byte(cookie)})
		d, resp := exchange.Decision{}, &message.Response{Status: 200}
		c.Request(req, match, &d)
		c.Response(req, resp, match, &d)
		for _, fields := range [][]message.Field{req.Fields, resp.Fields} {
			if got := message.Get(fields, "x-a"); got == nil || !http1.ValidValue(got) {
				t.Fatalf("?%s, x: %s, cookie: %s make %q", query, value, cookie, got)
			}
		}
	})
}

// What variables cannot be is refused, wherever they stand.
func TestCheckVariables(t *testing.T) {
	for _, tt := range []struct {
		name   string
		params spec.Checker
		want   string
	}{
		{"header", &filter.Headers{Set: map[string]string{"x": "${clientip}"}}, `set.x: unknown variable "clientip"; did you mean "client.ip"?`},
		{"body", &filter.Respond{Body: "${status"}, `body: "${status" is not closed; write "}" after the name, or $${ for the characters ${ alone`},
		{"script", &filter.Respond{Body: "f('${path}')", ContentType: "text/javascript"}, "body: a variable in a script or a style sheet could become part of it; leave variables out, or write $${ for the characters ${ alone"},
		{"script of its own", &filter.Respond{Body: "f(`$${path}`)", ContentType: "text/javascript"}, ""},
		{"content type", &filter.Respond{Body: "x", ContentType: "${path}"}, `contentType: "${path}" has a variable, which a content type may not`},
		{"body and file", &filter.Respond{Body: "x", File: spec.File{Path: "/x", Bytes: []byte("y")}}, "file: body and file exclude each other; use one of them"},
		{"page", &filter.ErrorPages{Pages: []filter.ErrorPage{page("404", "${pth}")}}, `pages[0].html: unknown variable "pth"; did you mean "path"?`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := spec.Problems(tt.params.Check()).Error(); got != tt.want {
				t.Errorf("Check: %s, want %s", got, tt.want)
			}
		})
	}
	long := &filter.Respond{File: spec.File{Path: "/x", Bytes: []byte(strings.Repeat("x", 70_000))}}
	if got := spec.Problems(long.Check()).Error(); got != "file: the body has 70000 bytes; at most 65536 are allowed" {
		t.Errorf("Check: %s", got)
	}
}
