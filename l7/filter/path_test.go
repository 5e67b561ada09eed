package filter_test

import (
	"strings"
	"testing"

	"portico/l7/exchange"
	"portico/l7/filter"
	"portico/l7/message"
	"portico/spec"
)

// A regular expression makes a new path of the parts of the old one.
func TestPathRegex(t *testing.T) {
	for _, tt := range []struct{ match, replace, path, want string }{
		{"/old/(.*)", "/new/$1", "/old/a/b", "/new/a/b"},
		{"/old/(.*)", "/new/$1", "/other", "/other"},
		{"/(?P<user>[^/]+)/orders/([0-9]+)", "/orders/${2}x$2/of/${user}", "/ann/orders/17", "/orders/17x17/of/ann"},
		{"/a(/b)?(/c)?", "/x$1$2", "/a/c", "/x/c"},
		{"/(.*)", "$1", "/a/b", "/a/b"},
		{"/(.*)", "$1", "/", "/"},
		{"(/.*)", "$1/$$", "/a", "/a/$"},
		{"/a", "/$0", "/a", "//a"},
		{"/(a)b", "/$1b", "/ab", "/ab"},
		{"/files/a(.*)", "/data/.$1", "/files/a./etc", "refused"},
		{"/files/(.*)", "/data/.$1", "/files/x", "/data/.x"},
		{"/a(.*)", "/.$1", "/a.%2fetc", "refused"},
	} {
		p := &filter.Path{Regex: &filter.PathRegex{Match: tt.match, Replace: tt.replace}}
		r := &filter.Rewrite{Path: p}
		if problems := r.Check(); problems != nil {
			t.Errorf("%s: %v", tt.match, problems)
			continue
		}
		req, d := request(), exchange.Decision{}
		req.Path = []byte(tt.path)
		compile(t, one("rewrite", r)).Request(req, match, &d)
		got := string(req.Path)
		if d.Fixed != nil && d.Fixed.Status == 400 && match.Visit.Outcome(0) == filter.Unasked {
			got = "refused"
		}
		if got != tt.want {
			t.Errorf("rewrite of %s by %s to %s is %s, want %s", tt.path, tt.match, tt.replace, got, tt.want)
		}
		req, d = request(), exchange.Decision{}
		req.Path = []byte(tt.path)
		c := compile(t, one("redirect", &filter.Redirect{Path: p, Query: "drop"}))
		c.Request(req, match, &d)
		got = strings.TrimPrefix(string(message.Get(d.Fixed.Fields, "location")), "http://shop.test:8080")
		if d.Fixed.Status == 400 {
			got = "refused"
		}
		if got != tt.want {
			t.Errorf("redirect of %s by %s to %s is %s, want %s", tt.path, tt.match, tt.replace, got, tt.want)
		}
		if lines := c.Explain(req, match, &exchange.Decision{}); strings.Contains(lines[0], "refuses with 400") != (tt.want == "refused") {
			t.Errorf("Explain = %q", lines)
		}
	}
}

// A redirect keeps the query, or drops it.
func TestRedirectQuery(t *testing.T) {
	for query, want := range map[string]string{"": "/new?q=1", "keep": "/new?q=1", "drop": "/new"} {
		var d exchange.Decision
		compile(t, one("redirect", &filter.Redirect{Path: &filter.Path{Full: "/new"}, Query: query})).Request(request(), match, &d)
		if got := string(message.Get(d.Fixed.Fields, "location")); got != "http://shop.test:8080"+want {
			t.Errorf("query %q: %s, want %s", query, got, want)
		}
	}
	if problems := (&filter.Redirect{Query: "drop"}).Check(); problems != nil {
		t.Errorf("dropping the query alone: %v", problems)
	}
}

// What makes no path is refused, with what would.
func TestCheckPathRegex(t *testing.T) {
	for _, tt := range []struct{ match, replace, want string }{
		{"(", "/", `path.regex.match: "(" is not a regular expression: missing closing ) in "("; the syntax is RE2`},
		{"/(a)", "/$2", `path.regex.replace: the expression has no group "2"; it has 1`},
		{"/(a)", "/${b}", `path.regex.replace: the expression has no group "b"; it has 1`},
		{"/(a)", "/$x", `path.regex.replace: a $ in "/$x" names no group; write $1, ${12}, ${name}, or $$ for a dollar`},
		{"/(a)", "/$", `path.regex.replace: a $ in "/$" names no group; write $1, ${12}, ${name}, or $$ for a dollar`},
		{"/(a)", "/${1", `path.regex.replace: a $ in "/${1" names no group; write $1, ${12}, ${name}, or $$ for a dollar`},
		{"/(a)", "x$1", `path.regex.replace: "x$1" is not a path; begin it with a slash`},
		{"/(a)", "/../$1", `path.regex.replace: "/../x" holds a "." or ".." segment`},
		{"/(a)", "", `path.regex.replace: "" is not a path; begin it with a slash`},
		{"/(a)", "/a b", `path.regex.replace: "/a b" holds a character that no path may; write it percent-encoded; a query is kept as it is`},
	} {
		r := &filter.Rewrite{Path: &filter.Path{Regex: &filter.PathRegex{Match: tt.match, Replace: tt.replace}}}
		if got := spec.Problems(r.Check()).Error(); got != tt.want {
			t.Errorf("%s to %s: %s, want %s", tt.match, tt.replace, got, tt.want)
		}
	}
}

// A regular expression costs one allocation, for where its groups are; see
// package repath.
func TestPathRegexAllocates(t *testing.T) {
	c := compile(t, one("rewrite", &filter.Rewrite{Path: &filter.Path{Regex: &filter.PathRegex{Match: "/api/(.*)", Replace: "/v2/$1"}}}))
	req, d := request(), &exchange.Decision{}
	path := req.Path
	n := testing.AllocsPerRun(100, func() {
		req.Path, d.Scratch = path, d.Scratch[:0]
		c.Request(req, match, d)
	})
	if n > 1 {
		t.Errorf("rewriting allocates %v times", n)
	}
}
