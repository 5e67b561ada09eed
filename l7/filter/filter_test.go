package filter_test

import (
	"fmt"
	"strings"
	"testing"

	"portico/l7/exchange"
	"portico/l7/filter"
	"portico/l7/message"
	"portico/spec"
)

// request is GET http://shop.test:8080/api/x?q=1 with two lines of X-Tier.
func request() *message.Request {
	return &message.Request{
		Method: []byte("GET"), Authority: []byte("shop.test:8080"), Host: []byte("shop.test"),
		Target: []byte("/api/x?q=1"), Path: []byte("/api/x"), Query: []byte("q=1"), HasQuery: true,
		Fields: fields("X-Tier: a", "Accept: */*", "x-tier: b", "Origin: https://app.test"),
	}
}

func fields(lines ...string) []message.Field {
	var fs []message.Field
	for _, l := range lines {
		name, value, _ := strings.Cut(l, ": ")
		fs = append(fs, message.Field{Name: []byte(name), Value: []byte(value)})
	}
	return fs
}

func text(fs []message.Field) string {
	var lines []string
	for _, f := range fs {
		lines = append(lines, string(f.Name)+": "+string(f.Value))
	}
	return strings.Join(lines, " | ")
}

// compile makes a chain of name, params pairs.
func compile(t *testing.T, choices ...spec.Choice) *filter.Chain {
	t.Helper()
	c, err := filter.Compile(choices, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &c
}

func one(name string, params any) spec.Choice { return spec.Choice{Name: name, Params: params} }

var match = filter.Match{Prefix: "/api", ID: []byte("id1"), Visit: new(filter.Visit)}

// answered are the fields of a target's answer with these lines, as a chain makes them.
func answered(c *filter.Chain, req *message.Request, d *exchange.Decision, lines ...string) []message.Field {
	resp := &message.Response{Status: 200, Fields: fields(lines...), Length: -1}
	if d.Fixed == nil {
		c.Request(req, match, d)
	}
	c.Response(req, resp, match, d)
	return resp.Fields
}

// Removing comes first, then setting, then adding; names ignore case.
func TestHeaders(t *testing.T) {
	h := &filter.Headers{
		Set: map[string]string{"X-Tier": "c", "X-New": "n"}, Add: map[string]string{"accept": "text/html"},
		Remove: []string{"X-Gone"},
	}
	req := request()
	req.Fields = append(req.Fields, fields("x-GONE: 1")...)
	var d exchange.Decision
	compile(t, one("requestHeaders", h)).Request(req, match, &d)
	want := "Accept: */* | Origin: https://app.test | X-New: n | X-Tier: c | accept: text/html"
	if got := text(req.Fields); got != want || d.Fixed != nil {
		t.Errorf("requestHeaders: %s, want %s", got, want)
	}
	if got := text(answered(compile(t, one("requestHeaders", h)), req, &d, "X-Gone: 1")); got != "X-Gone: 1" {
		t.Errorf("requestHeaders changed a response: %s", got)
	}
	if got := text(answered(compile(t, one("responseHeaders", h)), req, &d, "X-Gone: 1", "x-tier: a")); got != "X-New: n | X-Tier: c | accept: text/html" {
		t.Errorf("responseHeaders: %s", got)
	}
}

// A redirect keeps what it does not name.
func TestRedirect(t *testing.T) {
	tests := []struct {
		name  string
		https bool
		to    filter.Redirect
		want  string
	}{
		{"scheme takes its own port", false, filter.Redirect{Scheme: "https"}, "302 https://shop.test/api/x?q=1"},
		{"the same scheme keeps the port", true, filter.Redirect{Scheme: "https", Host: "b.test"}, "302 https://b.test:8080/api/x?q=1"},
		{"host", false, filter.Redirect{Host: "b.test", Code: 301}, "301 http://b.test:8080/api/x?q=1"},
		{"port", false, filter.Redirect{Port: 81, Code: 307}, "307 http://shop.test:81/api/x?q=1"},
		{"usual ports are left out", false, filter.Redirect{Scheme: "https", Port: 443}, "302 https://shop.test/api/x?q=1"},
		{"usual port of http", false, filter.Redirect{Port: 80}, "302 http://shop.test/api/x?q=1"},
		{"unusual for the scheme", false, filter.Redirect{Scheme: "https", Port: 80}, "302 https://shop.test:80/api/x?q=1"},
		{"full path", false, filter.Redirect{Path: &filter.Path{Full: "/new"}, Code: 308}, "308 http://shop.test:8080/new?q=1"},
		{"prefix", true, filter.Redirect{Path: &filter.Path{Prefix: "/v2"}, Code: 303}, "303 https://shop.test:8080/v2/x?q=1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := match
			m.HTTPS = tt.https
			var d exchange.Decision
			req := request()
			c := compile(t, one("redirect", &tt.to))
			c.Request(req, m, &d)
			if d.Fixed == nil || fmt.Sprint(d.Fixed.Status)+" "+string(message.Get(d.Fixed.Fields, "location")) != tt.want {
				t.Errorf("redirect: %+v, want %s", d.Fixed, tt.want)
			}
			if got := c.Explain(request(), m, &exchange.Decision{}); len(got) != 1 || got[0] != "redirect: "+strings.Replace(tt.want, " ", " to ", 1) {
				t.Errorf("Explain = %q", got)
			}
		})
	}
}

// An IPv6 literal keeps its brackets, and its colons are no port.
func TestRedirectIPv6(t *testing.T) {
	for authority, want := range map[string]string{
		"[2001:db8::1]":      "http://[2001:db8::1]/api/x?q=1",
		"[2001:db8::1]:8080": "http://[2001:db8::1]:8080/api/x?q=1",
		"shop.test:":         "http://shop.test/api/x?q=1",
	} {
		req := request()
		req.Authority = []byte(authority)
		if got := string((&filter.Redirect{}).Append(nil, req, match)); got != want {
			t.Errorf("redirect of %s is %s, want %s", authority, got, want)
		}
	}
}

// A request for no path is sent to the host, not to one whose name ends in *.
func TestRedirectAsterisk(t *testing.T) {
	req := request()
	req.Method, req.Path, req.HasQuery = []byte("OPTIONS"), []byte("*"), false
	if got := string((&filter.Redirect{Scheme: "https"}).Append(nil, req, filter.Match{})); got != "https://shop.test" {
		t.Errorf("redirect of OPTIONS * is %s", got)
	}
}

// Prefixes are replaced by whole segments, as in the Gateway API.
func TestRewritePath(t *testing.T) {
	tests := []struct{ path, prefix, with, want string }{
		{"/foo/bar", "/foo", "/xyz", "/xyz/bar"},
		{"/foo/bar", "/foo", "/xyz/", "/xyz/bar"},
		{"/foo", "/foo", "/xyz", "/xyz"},
		{"/foo/", "/foo", "/xyz", "/xyz/"},
		{"/foo/bar", "/foo", "/", "/bar"},
		{"/foo", "/foo", "/", "/"},
		{"/foo/", "/foo", "/", "/"},
		{"/foo", "", "/xyz", "/xyz/foo"},
		{"/", "", "/xyz", "/xyz/"},
		{"*", "", "/xyz", "/xyz/*"},
	}
	for _, tt := range tests {
		req := request()
		req.Path = []byte(tt.path)
		d := exchange.Decision{Scratch: []byte("kept")}
		compile(t, one("rewrite", &filter.Rewrite{Path: &filter.Path{Prefix: tt.with}})).Request(req, filter.Match{Prefix: tt.prefix}, &d)
		if string(req.Path) != tt.want {
			t.Errorf("%s with %q for %q is %s, want %s", tt.path, tt.with, tt.prefix, req.Path, tt.want)
		}
		if !strings.HasPrefix(string(d.Scratch), "kept") {
			t.Errorf("scratch is %q", d.Scratch)
		}
	}
}

// A rewrite changes host and path, and leaves query and routing host alone.
func TestRewrite(t *testing.T) {
	req := request()
	c := compile(t, one("rewrite", &filter.Rewrite{Host: "inner.test", Path: &filter.Path{Full: "/all"}}))
	lines := c.Explain(request(), match, &exchange.Decision{})
	if want := `rewrite: host "shop.test:8080" becomes "inner.test", path "/api/x" becomes "/all"`; len(lines) != 1 || lines[0] != want {
		t.Errorf("Explain = %q, want %q", lines, want)
	}
	c.Request(req, match, &exchange.Decision{})
	if got := fmt.Sprintf("%s %s %s %s", req.Authority, req.Host, req.Path, req.Query); got != "inner.test shop.test /all q=1" {
		t.Errorf("rewrite: %s", got)
	}
}

// An answer ends the chain, and response filters of the rule apply to it.
func TestRespond(t *testing.T) {
	c := compile(
		t,
		one("responseHeaders", &filter.Headers{Set: map[string]string{"X-Frame-Options": "DENY"}}),
		one("respond", &filter.Respond{Status: 403, Body: "no", Headers: map[string]string{"X-Why": "closed"}}),
		one("requestHeaders", &filter.Headers{Set: map[string]string{"X-Late": "1"}}),
	)
	var d exchange.Decision
	for range 2 { // the same memory serves the next request
		req := request()
		d.Fixed = nil
		c.Request(req, match, &d)
		want := "X-Why: closed | Content-Type: text/plain; charset=utf-8 | X-Frame-Options: DENY"
		if d.Fixed == nil || d.Fixed.Status != 403 || string(d.Fixed.Body) != "no" || text(d.Fixed.Fields) != want {
			t.Errorf("respond: %+v", d.Fixed)
		}
		if message.Get(req.Fields, "x-late") != nil {
			t.Error("a filter after the answer saw the request")
		}
	}
	if lines := c.Explain(request(), match, &exchange.Decision{}); len(lines) != 2 || lines[1] != "respond: answers 403 with 2 bytes" {
		t.Errorf("Explain = %q", lines)
	}
}

// A plain name stands for the defaults, and an unknown one is an error.
func TestCompile(t *testing.T) {
	var d exchange.Decision
	compile(t, spec.Choice{Name: "respond"}).Request(request(), match, &d)
	if d.Fixed == nil || d.Fixed.Status != 200 || len(d.Fixed.Body) != 0 {
		t.Errorf("respond by name: %+v", d.Fixed)
	}
	if _, err := filter.Compile([]spec.Choice{{Name: "nope"}}, nil); err == nil || err.Error() != `filter "nope": no such filter` {
		t.Errorf("Compile = %v", err)
	}
}

// What a filter must not do is refused, with the path and what would be right.
func TestCheck(t *testing.T) {
	long := strings.Repeat("x", 70_000)
	tests := []struct {
		name   string
		params spec.Checker
		want   []string
	}{
		{"good headers", &filter.Headers{Set: map[string]string{"X-A": "b c"}}, nil},
		{"nothing", &filter.Headers{}, []string{"changes nothing; use set, add or remove"}},
		{"host", &filter.Headers{Set: map[string]string{"Host": "a"}}, []string{`set.Host: "Host" is not a filter's to change; use rewrite: {host: …}`}},
		{"framing", &filter.Headers{Remove: []string{"content-length"}}, []string{`remove[0]: "content-length" frames the message and is set by Portico alone`}},
		{"hop by hop", &filter.Headers{Add: map[string]string{"Connection": "close"}}, []string{`add.Connection: "Connection" belongs to one connection and is never passed on`}},
		{"no name", &filter.Headers{Remove: []string{"a b", ""}}, []string{`remove[0]: "a b" is not the name of a header`, `remove[1]: "" is not the name of a header`}},
		{"injection", &filter.Headers{Set: map[string]string{"x": "a\r\nb: c"}}, []string{`set.x: "a\r\nb: c" holds a control character`}},
		{"space", &filter.Headers{Set: map[string]string{"x": " a"}}, []string{`set.x: " a" begins or ends with a space`}},
		{"long", &filter.Headers{Set: map[string]string{"x": long}}, []string{`set.x: the value has 70000 bytes; at most 8192 are allowed`}},
		{"twice", &filter.Headers{Set: map[string]string{"X": "1", "x": "2"}}, []string{`set.x: headers "X" and "x" are the same`}},
		{"set and removed", &filter.Headers{Set: map[string]string{"x": "1"}, Remove: []string{"X"}}, []string{`set.x: header "x" is also in remove`}},
		{"redirect to itself", &filter.Redirect{}, []string{"redirects to the same URL; use scheme, host, port or path"}},
		{"bad redirect", &filter.Redirect{Scheme: "ftp", Host: "a:1", Code: 200}, []string{
			`host: "a:1" holds a port; use port for it`, "code: 200 is not a redirect; use 301, 302, 303, 307 or 308", `scheme: "ftp" is not a scheme; use http or https`,
		}},
		{"good redirect", &filter.Redirect{Host: "[::1]", Path: &filter.Path{Prefix: "/a%20b"}}, nil},
		{"host with a slash", &filter.Redirect{Host: "a/b"}, []string{`host: "a/b" is not a host; use a name such as www.example.com`}},
		{"relative path", &filter.Rewrite{Path: &filter.Path{Full: "a"}}, []string{`path.full: "a" is not a path; begin it with a slash`}},
		{"query in a path", &filter.Rewrite{Path: &filter.Path{Prefix: "/a?b"}}, []string{`path.prefix: "/a?b" holds a character that no path may; write it percent-encoded; a query is kept as it is`}},
		{"dots in a path", &filter.Rewrite{Path: &filter.Path{Prefix: "/a/../b"}}, []string{`path.prefix: "/a/../b" holds a "." or ".." segment`}},
		{"long path", &filter.Rewrite{Path: &filter.Path{Full: "/" + long}}, []string{"path.full: the path has 70001 bytes; at most 4096 are allowed"}},
		{"two paths", &filter.Rewrite{Path: &filter.Path{Full: "/a", Prefix: "/b"}}, []string{"path: full, prefix and regex exclude each other; use one of them"}},
		{"rewrite nothing", &filter.Rewrite{}, []string{"changes nothing; use host or path"}},
		{"host with a port", &filter.Rewrite{Host: "a.test:8080"}, nil},
		{"interim", &filter.Respond{Status: 101}, []string{"status: 101 is not a final status; use 200 to 599"}},
		{"body of 204", &filter.Respond{Status: 204, Body: "x"}, []string{"body: an answer with status 204 has no body"}},
		{"long body", &filter.Respond{Body: long}, []string{"body: the body has 70000 bytes; at most 65536 are allowed"}},
		{"content type twice", &filter.Respond{Headers: map[string]string{"content-type": "a/b"}}, []string{"headers.content-type: Content-Type has its own key; use contentType"}},
		{"length", &filter.Respond{Headers: map[string]string{"Content-Length": "1"}}, []string{`headers.Content-Length: "Content-Length" frames the message and is set by Portico alone`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, p := range tt.params.Check() {
				got = append(got, p.String())
			}
			if strings.Join(got, "\n") != strings.Join(tt.want, "\n") {
				t.Errorf("Check:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
}
