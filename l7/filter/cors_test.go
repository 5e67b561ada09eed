package filter_test

import (
	"strings"
	"testing"
	"time"

	"portico/l7/cors"
	"portico/l7/exchange"
	"portico/l7/filter"
	"portico/l7/message"
	"portico/spec"
)

func open() *cors.Params { return &cors.Params{Origins: []cors.Origin{{Name: "*"}}} }

func strict() *cors.Params {
	return &cors.Params{
		Origins: []cors.Origin{{Name: "https://app.test"}, {Name: "https://*.shop.test"}}, Credentials: true,
		Methods: []string{"PUT"}, Headers: []string{"X-A", "X-B"}, Expose: []string{"X-C"}, MaxAge: spec.Duration(time.Hour),
	}
}

// asks is what a browser asks before a request.
func asks(origin, method, headers string) *message.Request {
	r := request()
	r.Method = []byte("OPTIONS")
	r.Fields = fields("Origin: "+origin, "Access-Control-Request-Method: "+method)
	if headers != "" {
		r.Fields = append(r.Fields, fields("Access-Control-Request-Headers: "+headers)...)
	}
	return r
}

// A browser's question is answered here, and says what the page may do.
func TestCORSPreflight(t *testing.T) {
	const vary = "Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers | "
	for _, tt := range []struct {
		name   string
		params *cors.Params
		req    *message.Request
		want   string
	}{
		{"listed", strict(), asks("https://app.test", "PUT", "x-a"), "204 " + vary + "Access-Control-Allow-Methods: GET, HEAD, POST, PUT | Access-Control-Allow-Headers: X-A, X-B | " +
			"Access-Control-Max-Age: 3600 | Access-Control-Allow-Origin: https://app.test | Access-Control-Allow-Credentials: true | Access-Control-Expose-Headers: X-C"},
		{"not listed", strict(), asks("https://evil.test", "PUT", ""), "403 " + vary + "Content-Type: text/plain; charset=utf-8 | X-Request-Id: id1"},
		{"everybody", open(), asks("https://any.test", "GET", ""), "204 " + vary + "Access-Control-Allow-Methods: GET, HEAD, POST | Access-Control-Max-Age: 0 | Access-Control-Allow-Origin: *"},
		{
			"whatever is asked for", &cors.Params{Origins: strict().Origins, Methods: []string{"*"}, Headers: []string{"*"}}, asks("https://a.shop.test", "PURGE", "x-y, x-z"),
			"204 " + vary + "Access-Control-Allow-Methods: PURGE | Access-Control-Allow-Headers: x-y, x-z | Access-Control-Max-Age: 0 | Access-Control-Allow-Origin: https://a.shop.test",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var d exchange.Decision
			compile(t, one("cors", tt.params)).Request(tt.req, match, &d)
			if d.Fixed == nil {
				t.Fatal("no answer")
			}
			if got := strings.Join([]string{map[int]string{204: "204", 403: "403"}[d.Fixed.Status], text(d.Fixed.Fields)}, " "); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// What is no question of a browser goes to the target.
func TestCORSPassesOn(t *testing.T) {
	plain, noOrigin, two := asks("https://app.test", "PUT", ""), asks("https://app.test", "PUT", ""), asks("https://app.test", "PUT", "")
	plain.Fields = plain.Fields[:1]
	noOrigin.Fields = noOrigin.Fields[1:]
	two.Fields = append(two.Fields, fields("Origin: https://evil.test")...)
	get := asks("https://app.test", "PUT", "")
	get.Method = []byte("GET")
	for name, req := range map[string]*message.Request{"no method": plain, "no origin": noOrigin, "two origins": two, "no OPTIONS": get} {
		var d exchange.Decision
		if compile(t, one("cors", strict())).Request(req, match, &d); d.Fixed != nil {
			t.Errorf("%s: answered %d", name, d.Fixed.Status)
		}
	}
}

// Answers say which page may read them, to caches too, and nobody else says so.
func TestCORSResponse(t *testing.T) {
	for _, tt := range []struct {
		name, origin string
		params       *cors.Params
		target       []string
		want         string
	}{
		{"listed", "https://app.test", strict(), []string{"X: 1"}, "X: 1 | Vary: Origin | Access-Control-Allow-Origin: https://app.test | Access-Control-Allow-Credentials: true | Access-Control-Expose-Headers: X-C"},
		{"not listed", "https://evil.test", strict(), []string{"Access-Control-Allow-Origin: *"}, "Vary: Origin"},
		{"no page", "", strict(), nil, "Vary: Origin"},
		{"everybody", "https://any.test", open(), nil, "Access-Control-Allow-Origin: *"},
		{"everybody, to a cache", "", open(), nil, "Access-Control-Allow-Origin: *"},
		{"said already", "https://evil.test", strict(), []string{"Vary: Accept-Encoding, ORIGIN"}, "Vary: Accept-Encoding, ORIGIN"},
		{"depends on all", "https://evil.test", strict(), []string{"Vary: *"}, "Vary: *"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req := request()
			req.Fields = nil
			if tt.origin != "" {
				req.Fields = fields("Origin: " + tt.origin)
			}
			var d exchange.Decision
			c := compile(t, one("cors", tt.params))
			if got := text(answered(c, req, &d, tt.target...)); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// Explain says what a page may do.
func TestCORSExplain(t *testing.T) {
	for origin, want := range map[string]string{
		"https://app.test":  `cors: pages of "https://app.test" may read the answer`,
		"https://evil.test": `cors: pages of "https://evil.test" may not read the answer`,
	} {
		req := request()
		req.Fields = fields("Origin: " + origin)
		if lines := compile(t, one("cors", strict())).Explain(req, match, &exchange.Decision{}); lines[0] != want {
			t.Errorf("Explain = %q, want %q", lines, want)
		}
	}
}

// What would let every page act as a user, or no browser sends, is refused.
func TestCheckCORS(t *testing.T) {
	for name, tt := range map[string]struct {
		params *cors.Params
		want   string
	}{
		"good":                {strict(), ""},
		"nobody":              {&cors.Params{}, "origins: no origin is listed; write one such as https://app.example.com"},
		"everybody as a user": {&cors.Params{Origins: open().Origins, Credentials: true}, "origins[0]: every page there is could act as the user; list the origins, or leave credentials out"},
		"no origin":           {&cors.Params{Origins: []cors.Origin{{Name: "app.test"}}}, `origins[0]: "app.test" is not an origin; write one such as https://app.example.com`},
		"no method":           {&cors.Params{Origins: open().Origins, Methods: []string{"A B"}}, `methods[0]: "A B" is not the name of a method`},
		"small method":        {&cors.Params{Origins: open().Origins, Methods: []string{"put", "purge"}}, `warning: methods[0]: browsers ask for "PUT", and compare it with its case; write "PUT"`},
		"no header":           {&cors.Params{Origins: open().Origins, Expose: []string{"a:b"}}, `expose[0]: "a:b" is not the name of a header`},
		"star and more":       {&cors.Params{Origins: open().Origins, Headers: []string{"X-A", "*"}}, "headers[1]: * is every one; write it alone"},
	} {
		if got := spec.Problems(tt.params.Check()).Error(); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

// FuzzCORS proves that no origin which is not listed is ever named in an answer.
func FuzzCORS(f *testing.F) {
	for _, seed := range []string{"https://app.test", "https://a.shop.test", "https://app.test.evil", "null", "https://.shop.test", "https://a/.shop.test"} {
		f.Add(seed)
	}
	c, err := filter.Compile([]spec.Choice{one("cors", strict())}, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, origin string) {
		req := request()
		req.Fields = []message.Field{{Name: []byte("Origin"), Value: []byte(origin)}}
		var d exchange.Decision
		got := message.Get(answered(&c, req, &d), "access-control-allow-origin")
		label, below := strings.CutSuffix(strings.TrimPrefix(origin, "https://"), ".shop.test")
		listed := origin == "https://app.test" || strings.HasPrefix(origin, "https://") && below && label != "" && !strings.ContainsAny(label, ":/@?#\\")
		if got != nil && !listed {
			t.Fatalf("origin %q is told that it may read", origin)
		}
	})
}
