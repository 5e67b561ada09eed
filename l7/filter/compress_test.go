package filter_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"strings"
	"testing"

	"portico/l7/compress"
	"portico/l7/exchange"
	"portico/l7/filter"
	"portico/l7/http1"
	"portico/l7/message"
	"portico/spec"
)

// compressed is what a chain makes of an answer with these lines and a body of
// that length, -1 where it is not known.
func compressed(c *filter.Chain, req *message.Request, status int, length int64, lines ...string) (*message.Response, *exchange.Decision, *filter.Visit) {
	m, d := match, &exchange.Decision{Now: noon}
	m.Visit = &filter.Visit{}
	c.Request(req, m, d)
	resp := &message.Response{Status: status, Fields: fields(lines...), Framing: message.Length, Length: length}
	switch {
	case string(req.Method) == "HEAD":
		resp.Framing = message.NoBody
	case length < 0:
		resp.Framing = message.Chunked
	}
	c.Response(req, resp, m, d)
	return resp, d, m.Visit
}

func reading(encodings string) *message.Request {
	req := request()
	req.Fields = append(req.Fields, fields("Accept-Encoding: "+encodings)...)
	return req
}

// An answer is compressed where client and answer allow it; its head then says so,
// and where it might have been, caches are told what it depends on.
func TestCompress(t *testing.T) {
	const html = "Content-Type: text/html; charset=utf-8"
	tests := []struct {
		name    string
		accept  string
		status  int
		length  int64
		lines   []string
		want    string
		encodes bool
	}{
		{"html", "gzip", 200, 5000, []string{html}, html + " | Vary: Accept-Encoding | Content-Encoding: gzip", true},
		{"preferred", "gzip, br, zstd", 200, 5000, []string{html}, html + " | Vary: Accept-Encoding | Content-Encoding: zstd", true},
		{"unknown length", "br", 200, -1, []string{html}, html + " | Vary: Accept-Encoding | Content-Encoding: br", true},
		{"an error's page too", "gzip", 404, 5000, []string{html}, html + " | Vary: Accept-Encoding | Content-Encoding: gzip", true},
		{"the client reads none", "deflate", 200, 5000, []string{html}, html + " | Vary: Accept-Encoding", false},
		{"small", "gzip", 200, 1023, []string{html}, html, false},
		{"just large enough", "gzip", 200, 1024, []string{html}, html + " | Vary: Accept-Encoding | Content-Encoding: gzip", true},
		{"an image", "gzip", 200, 5000, []string{"Content-Type: image/png"}, "Content-Type: image/png", false},
		{"a structured suffix", "gzip", 200, 5000, []string{"Content-Type: Application/Problem+JSON"}, "Content-Type: Application/Problem+JSON | Vary: Accept-Encoding | Content-Encoding: gzip", true},
		{"no type", "gzip", 200, 5000, []string{"X: y"}, "X: y", false},
		{"encoded already", "gzip", 200, 5000, []string{html, "Content-Encoding: br"}, html + " | Content-Encoding: br", false},
		{"no-transform", "gzip", 200, 5000, []string{html, "Cache-Control: public, No-Transform"}, html + " | Cache-Control: public, No-Transform", false},
		{"a part", "gzip", 206, 5000, []string{html, "Content-Range: bytes 0-4999/9000"}, html + " | Content-Range: bytes 0-4999/9000", false},
		{"not modified", "gzip", 304, 0, []string{html}, html, false},
		{"varies already", "gzip", 200, 5000, []string{html, "Vary: Cookie, accept-encoding"}, html + " | Vary: Cookie, accept-encoding | Content-Encoding: gzip", true},
		{"varies by all", "gzip", 200, 5000, []string{html, "Vary: *"}, html + " | Vary: * | Content-Encoding: gzip", true},
		{"varies otherwise", "gzip", 200, 5000, []string{html, "Vary: Cookie"}, html + " | Vary: Cookie | Vary: Accept-Encoding | Content-Encoding: gzip", true},
		{"a strong tag becomes weak", "gzip", 200, 5000, []string{html, `ETag: "a"`}, html + ` | ETag: W/"a" | Vary: Accept-Encoding | Content-Encoding: gzip`, true},
		{"a weak tag stays", "gzip", 200, 5000, []string{html, `ETag: W/"a"`}, html + ` | ETag: W/"a" | Vary: Accept-Encoding | Content-Encoding: gzip`, true},
		{"a tag of a body left alone stays", "", 200, 5000, []string{html, `ETag: "a"`}, html + ` | ETag: "a" | Vary: Accept-Encoding`, false},
		{
			"what spoke of the bytes goes", "gzip", 200, 5000,
			[]string{"Accept-Ranges: bytes", html, "Content-MD5: x", "Digest: y", "Content-Digest: z", "Repr-Digest: w"},
			html + " | Vary: Accept-Encoding | Content-Encoding: gzip", true,
		},
	}
	c := compile(t, one("compress", &compress.Params{}))
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			resp, d, v := compressed(c, reading(tt.accept), tt.status, tt.length, tt.lines...)
			if got := text(resp.Fields); got != tt.want || (d.Transform != nil) != tt.encodes {
				t.Errorf("%s, a transformer: %v; want %s, %v", got, d.Transform != nil, tt.want, tt.encodes)
			}
			c.End(v)
		})
	}
}

// The answer to HEAD has the head that GET would have, as far as it is known.
func TestCompressHead(t *testing.T) {
	c := compile(t, one("compress", &compress.Params{}))
	req := reading("gzip")
	req.Method = []byte("HEAD")
	resp, d, _ := compressed(c, req, 200, 5000, "Content-Type: text/html", `ETag: "a"`)
	if got := text(resp.Fields); got != `Content-Type: text/html | ETag: W/"a" | Vary: Accept-Encoding | Content-Encoding: gzip` || resp.Length != -1 || d.Transform != nil {
		t.Errorf("%s, length %d, a transformer: %v", got, resp.Length, d.Transform != nil)
	}
	if resp, _, _ = compressed(c, req, 200, 10, "Content-Type: text/html"); resp.Length != 10 || len(resp.Fields) != 1 {
		t.Errorf("of a small one: %s, length %d", text(resp.Fields), resp.Length)
	}
}

// A body that is compressed can be read again, and an event of a stream can be
// read as soon as it is sent.
func TestCompressBody(t *testing.T) {
	c := compile(t, one("compress", &compress.Params{Encodings: []string{"gzip"}}))
	_, d, v := compressed(c, reading("gzip"), 200, -1, "Content-Type: text/event-stream")
	out := d.Transform.Transform(nil, [][]byte{[]byte("data: 1\n\n")}, false)
	first, err := gzip.NewReader(bytes.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	if got := make([]byte, 9); true {
		if _, err := io.ReadFull(first, got); err != nil || string(got) != "data: 1\n\n" {
			t.Errorf("of the first event a client reads %q, %v", got, err)
		}
	}
	out = d.Transform.Transform(out, [][]byte{[]byte("data: 2\n\n")}, true)
	c.End(v)
	c.End(v) // gives nothing back twice
	whole, err := gzip.NewReader(bytes.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(whole); err != nil || string(got) != "data: 1\n\ndata: 2\n\n" {
		t.Errorf("the whole is %q, %v", got, err)
	}
}

// When as many answers as may be are being compressed, others go as they are.
func TestCompressBound(t *testing.T) {
	c := compile(t, one("compress", &compress.Params{Concurrent: 1}))
	_, first, v := compressed(c, reading("gzip"), 200, 5000, "Content-Type: text/html", `ETag: "a"`)
	resp, second, other := compressed(c, reading("gzip"), 200, 5000, "Content-Type: text/html", `ETag: "a"`)
	if first.Transform == nil || second.Transform != nil || text(resp.Fields) != `Content-Type: text/html | ETag: "a" | Vary: Accept-Encoding` {
		t.Errorf("the second of one is %s", text(resp.Fields))
	}
	c.End(other)
	c.End(v)
	if _, third, _ := compressed(c, reading("gzip"), 200, 5000, "Content-Type: text/html"); third.Transform == nil {
		t.Error("an answer that ended gave its place to none")
	}
}

// A filter's own answer is left alone, and what a later filter hides of the client
// from the target is still known.
func TestCompressAmongFilters(t *testing.T) {
	c := compile(t, one("compress", &compress.Params{}), one("respond", &filter.Respond{Body: strings.Repeat("a", 5000)}))
	got, _ := visit(c, reading("gzip"), noon)
	if text(got.Fields) != "Content-Type: text/plain; charset=utf-8" {
		t.Errorf("a fixed answer: %s", text(got.Fields))
	}
	c = compile(t, one("compress", &compress.Params{}), one("requestHeaders", &filter.Headers{Remove: []string{"accept-encoding"}}))
	if _, d, _ := compressed(c, reading("gzip"), 200, 5000, "Content-Type: text/html"); d.Transform == nil {
		t.Error("what the client reads was forgotten")
	}
}

// What is no media type, encoding or level is refused.
func TestCompressCheck(t *testing.T) {
	tests := []struct {
		name  string
		p     compress.Params
		wants string
	}{
		{"good", compress.Params{Types: []string{"text/*", "application/*+json", "a/b"}, Encodings: []string{"gzip"}, Level: "small"}, ""},
		{"no slash", compress.Params{Types: []string{"html"}}, `types[0]: "html" is not a media type; use one such as`},
		{"parameters", compress.Params{Types: []string{"text/html;charset=utf-8"}}, "is not a media type"},
		{"two stars", compress.Params{Types: []string{"text/*a*"}}, "is not a media type"},
		{"a star for the kind", compress.Params{Types: []string{"*/json"}}, "is not a media type"},
		{"encoding", compress.Params{Encodings: []string{"deflate"}}, `encodings[0]: "deflate" is not an encoding; use zstd, br or gzip`},
		{"twice", compress.Params{Encodings: []string{"br", "br"}}, "encodings[1]: br is given twice"},
		{"level", compress.Params{Level: "huge"}, `level: "huge" is not a level`},
		{"many", compress.Params{Types: make([]string, 101)}, "types: there are 101 types"},
	}
	for _, tt := range tests {
		got := spec.Problems(tt.p.Check())
		if (tt.wants == "") != (len(got) == 0) || tt.wants != "" && !strings.Contains(got.Error(), tt.wants) {
			t.Errorf("%s: Check = %v, want %q", tt.name, got, tt.wants)
		}
	}
}

func TestCompressExplain(t *testing.T) {
	c := compile(t, one("compress", &compress.Params{}))
	for accept, want := range map[string]string{
		"br":      "compress: answers of 1024 bytes and more in 15 media types leave as br",
		"deflate": "compress: the client does not ask for an encoding that is offered",
	} {
		if got := c.Explain(reading(accept), match, &exchange.Decision{})[0]; got != want {
			t.Errorf("Explain = %q, want %q", got, want)
		}
	}
}

// FuzzCompress proves that whatever a target says in its head, a valid one leaves,
// and says that it is encoded exactly where it is.
func FuzzCompress(f *testing.F) {
	f.Add("text/html", "public", `"a"`, "Cookie", "gzip", 200)
	f.Add("text/", "no-transform,", `"`, "*,,", "*;q=0.1", 206)
	f.Add(";", ",", "", ",", ",", 404)
	c, err := filter.Compile([]spec.Choice{one("compress", &compress.Params{})}, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, kind, control, tag, vary, accept string, status int) {
		lines := map[string]string{"Content-Type": kind, "Cache-Control": control, "ETag": tag, "Vary": vary}
		req, m, d := request(), match, &exchange.Decision{}
		m.Visit = &filter.Visit{}
		req.Fields = append(req.Fields, message.Field{Name: []byte("Accept-Encoding"), Value: []byte(accept)})
		resp := &message.Response{Status: status, Framing: message.Chunked, Length: -1}
		for name, value := range lines {
			if !http1.ValidValue([]byte(value)) {
				t.Skip()
			}
			resp.Fields = append(resp.Fields, message.Field{Name: []byte(name), Value: []byte(value)})
		}
		c.Request(req, m, d)
		c.Response(req, resp, m, d)
		c.End(m.Visit)
		for _, f := range resp.Fields {
			if !http1.ValidName(f.Name) || !http1.ValidValue(f.Value) {
				t.Errorf("field %q: %q", f.Name, f.Value)
			}
		}
		if (message.Get(resp.Fields, "content-encoding") != nil) != (d.Transform != nil) {
			t.Errorf("fields %s, a transformer: %v", text(resp.Fields), d.Transform != nil)
		}
	})
}
