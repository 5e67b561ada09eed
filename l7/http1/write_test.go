package http1_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"portico/l7/http1"
	"portico/l7/message"
)

func fields(pairs ...string) []message.Field {
	var f []message.Field
	for i := 0; i < len(pairs); i += 2 {
		f = append(f, message.Field{Name: []byte(pairs[i]), Value: []byte(pairs[i+1])})
	}
	return f
}

// hopByHop are fields that a filter, or another protocol, must not be able to smuggle into a head.
var hopByHop = fields("Connection", "close, X", "Keep-Alive", "5", "proxy-connection", "x", "TRANSFER-ENCODING", "chunked",
	"content-length", "9", "Upgrade", "h2c", "expect", "x")

// The head for a target has one Host, framing of its own, and nothing of another connection.
func TestAppendRequestHead(t *testing.T) {
	request := func(change func(*message.Request)) *message.Request {
		r := &message.Request{Method: []byte("GET"), Path: []byte("/a"), Authority: []byte("a:80"), Host: []byte("a")}
		change(r)
		return r
	}
	for _, c := range []struct {
		name string
		req  *message.Request
		o    http1.RequestOptions
		want string
	}{
		{"least", request(func(*message.Request) {}), http1.RequestOptions{}, lines("GET /a HTTP/1.1", "Host: a:80")},
		{"query", request(func(r *message.Request) { r.Query, r.HasQuery = []byte("b"), true }), http1.RequestOptions{}, lines("GET /a?b HTTP/1.1", "Host: a:80")},
		{"empty query", request(func(r *message.Request) { r.HasQuery = true }), http1.RequestOptions{}, lines("GET /a? HTTP/1.1", "Host: a:80")},
		{"length", request(func(r *message.Request) { r.Framing, r.Length = message.Length, 5 }), http1.RequestOptions{}, lines("GET /a HTTP/1.1", "Host: a:80", "Content-Length: 5")},
		{"length 0", request(func(r *message.Request) { r.Framing = message.Length }), http1.RequestOptions{}, lines("GET /a HTTP/1.1", "Host: a:80", "Content-Length: 0")},
		{"chunked, expect", request(func(r *message.Request) { r.Framing = message.Chunked }), http1.RequestOptions{Expect100: true}, lines("GET /a HTTP/1.1", "Host: a:80", "Transfer-Encoding: chunked", "Expect: 100-continue")},
		{"until close is chunked", request(func(r *message.Request) { r.Framing = message.UntilClose }), http1.RequestOptions{Close: true}, lines("GET /a HTTP/1.1", "Host: a:80", "Transfer-Encoding: chunked", "Connection: close")},
		{"fields", request(func(r *message.Request) { r.Fields = append(fields("A", "1", "host", "evil", "B", ""), hopByHop...) }), http1.RequestOptions{}, lines("GET /a HTTP/1.1", "Host: a:80", "A: 1", "B: ")},
		{"TE", request(func(r *message.Request) { r.Fields = fields("te", "gzip, trailers", "TE", "trailers", "te", "x") }), http1.RequestOptions{}, lines("GET /a HTTP/1.1", "Host: a:80", "TE: trailers", "Connection: te")},
		{"TE and close", request(func(r *message.Request) { r.Fields = fields("te", "trailers") }), http1.RequestOptions{Close: true}, lines("GET /a HTTP/1.1", "Host: a:80", "TE: trailers", "Connection: te, close")},
		{"upgrade", request(func(r *message.Request) { r.Upgrade = []byte("websocket") }), http1.RequestOptions{}, lines("GET /a HTTP/1.1", "Host: a:80", "Upgrade: websocket", "Connection: upgrade")},
		{"upgrade and TE", request(func(r *message.Request) { r.Upgrade, r.Fields = []byte("websocket"), fields("TE", "trailers") }), http1.RequestOptions{}, lines("GET /a HTTP/1.1", "Host: a:80", "TE: trailers", "Upgrade: websocket", "Connection: upgrade, te")},
		{"no authority", request(func(r *message.Request) { r.Authority = nil }), http1.RequestOptions{}, lines("GET /a HTTP/1.1", "Host: ")},
		{"asterisk", request(func(r *message.Request) { r.Method, r.Path = []byte("OPTIONS"), []byte("*") }), http1.RequestOptions{}, lines("OPTIONS * HTTP/1.1", "Host: a:80")},
	} {
		if got := string(http1.AppendRequestHead([]byte("-"), c.req, c.o)); got != "-"+c.want {
			t.Errorf("%s:\n got %q\nwant %q", c.name, got, "-"+c.want)
		}
	}
}

// The head for a client has the framing its version understands, and says whether the connection stays open.
func TestAppendResponseHead(t *testing.T) {
	type opts = http1.ResponseOptions
	open11, open10 := opts{Minor: 1, KeepAlive: true}, opts{KeepAlive: true}
	for _, c := range []struct {
		name string
		resp message.Response
		o    opts
		want string
	}{
		{"length", message.Response{Status: 200, Framing: message.Length, Length: 5}, open11, lines("HTTP/1.1 200 OK", "Content-Length: 5")},
		{"length, close", message.Response{Status: 200, Framing: message.Length, Length: 5}, opts{Minor: 1}, lines("HTTP/1.1 200 OK", "Content-Length: 5", "Connection: close")},
		{"length, 1.0", message.Response{Status: 200, Framing: message.Length, Length: 5}, open10, lines("HTTP/1.1 200 OK", "Content-Length: 5", "Connection: keep-alive")},
		{"length, 1.0, close", message.Response{Status: 200, Framing: message.Length, Length: 5}, opts{}, lines("HTTP/1.1 200 OK", "Content-Length: 5", "Connection: close")},
		{"chunked", message.Response{Status: 200, Framing: message.Chunked, Length: -1}, open11, lines("HTTP/1.1 200 OK", "Transfer-Encoding: chunked")},
		{"chunked, 1.0", message.Response{Status: 200, Framing: message.Chunked, Length: -1}, open10, lines("HTTP/1.1 200 OK", "Connection: close")},
		{"until close", message.Response{Status: 200, Framing: message.UntilClose, Length: -1}, open11, lines("HTTP/1.1 200 OK", "Transfer-Encoding: chunked")},
		{"until close, 1.0", message.Response{Status: 200, Framing: message.UntilClose, Length: -1}, open10, lines("HTTP/1.1 200 OK", "Connection: close")},
		{"no body", message.Response{Status: 404}, open11, lines("HTTP/1.1 404 Not Found", "Content-Length: 0")},
		{"own reason", message.Response{Status: 200, Reason: []byte("Fine")}, open11, lines("HTTP/1.1 200 Fine", "Content-Length: 0")},
		{"unknown status", message.Response{Status: 299}, open11, lines("HTTP/1.1 299 ", "Content-Length: 0")},
		{"HEAD, length", message.Response{Status: 200, Framing: message.NoBody, Length: 5}, opts{Minor: 1, KeepAlive: true, Head: true}, lines("HTTP/1.1 200 OK", "Content-Length: 5")},
		{"HEAD, length not read yet", message.Response{Status: 200, Framing: message.Length, Length: 5}, opts{Minor: 1, KeepAlive: true, Head: true}, lines("HTTP/1.1 200 OK", "Content-Length: 5")},
		{"HEAD, unknown", message.Response{Status: 200, Framing: message.NoBody, Length: -1}, opts{Minor: 1, KeepAlive: true, Head: true}, lines("HTTP/1.1 200 OK")},
		{"HEAD, chunked, 1.0", message.Response{Status: 200, Framing: message.Chunked, Length: -1}, opts{KeepAlive: true, Head: true}, lines("HTTP/1.1 200 OK", "Connection: keep-alive")},
		{"304", message.Response{Status: 304, Framing: message.NoBody, Length: 5}, open11, lines("HTTP/1.1 304 Not Modified", "Content-Length: 5")},
		{"304, unknown", message.Response{Status: 304, Framing: message.NoBody, Length: -1}, open11, lines("HTTP/1.1 304 Not Modified")},
		{"204", message.Response{Status: 204, Framing: message.NoBody, Length: -1}, open11, lines("HTTP/1.1 204 No Content")},
		{"204 with a length", message.Response{Status: 204, Framing: message.Length, Length: 3}, opts{Minor: 1}, lines("HTTP/1.1 204 No Content", "Connection: close")},
		{"100", message.Response{Status: 100, Length: -1}, opts{Minor: 1}, lines("HTTP/1.1 100 Continue")},
		{"103", message.Response{Status: 103, Length: -1, Fields: fields("Link", "</a>")}, open11, lines("HTTP/1.1 103 Early Hints", "Link: </a>")},
		{"101", message.Response{Status: 101, Length: -1, Upgrade: []byte("websocket")}, open11, lines("HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: upgrade")},
		{"fields", message.Response{Status: 200, Fields: append(fields("A", "1", "te", "x", "B", "2"), hopByHop...)}, open11, lines("HTTP/1.1 200 OK", "A: 1", "B: 2", "Content-Length: 0")},
	} {
		if got := string(http1.AppendResponseHead([]byte("-"), &c.resp, c.o)); got != "-"+c.want {
			t.Errorf("%s:\n got %q\nwant %q", c.name, got, "-"+c.want)
		}
	}
}

// What is appended for a target is read back with the same meaning.
func TestRequestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		req := message.Request{
			Method:    []byte(rapid.SampledFrom([]string{"GET", "POST", "PUT", "X-Own"}).Draw(t, "method")),
			Path:      []byte(rapid.StringMatching("/[a-z0-9/]{0,20}").Draw(t, "path")),
			Query:     []byte(rapid.StringMatching("[!-\"$-~]{0,20}").Draw(t, "query")),
			Authority: []byte(rapid.StringMatching("[a-z]{1,9}(:[1-9][0-9]{0,3})?").Draw(t, "authority")),
			Fields:    rapid.SliceOfN(field(), 0, 15).Draw(t, "fields"),
			Framing:   message.Framing(rapid.IntRange(0, 2).Draw(t, "framing")),
			Minor:     1,
			KeepAlive: rapid.Bool().Draw(t, "keep alive"),
		}
		host, _, _ := strings.Cut(string(req.Authority), ":")
		req.Host = []byte(host)
		req.HasQuery = len(req.Query) > 0 || rapid.Bool().Draw(t, "has query")
		if req.Framing == message.Length {
			req.Length = rapid.Int64Min(0).Draw(t, "length")
		}
		if req.Framing == message.NoBody && rapid.Bool().Draw(t, "upgrades") {
			req.Upgrade, req.KeepAlive = []byte("websocket"), true
		}
		wire := http1.AppendRequestHead(nil, &req, http1.RequestOptions{Close: !req.KeepAlive})
		got, n, err := parseRequest(string(wire))
		if err != nil || n != len(wire) || show(&got) != show(&req) {
			t.Fatalf("%q: %v\n got %s\nwant %s", wire, err, show(&got), show(&req))
		}
	})
}

// What is appended for a client is read back with the same meaning.
func TestResponseRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		resp := message.Response{
			Status:  rapid.IntRange(200, 599).Draw(t, "status"),
			Fields:  rapid.SliceOfN(field(), 0, 15).Draw(t, "fields"),
			Framing: message.Framing(rapid.IntRange(1, 3).Draw(t, "framing")),
			Length:  rapid.Int64Min(0).Draw(t, "length"),
		}
		if resp.Framing != message.Length {
			resp.Length = -1
		}
		o := http1.ResponseOptions{
			Minor:     rapid.IntRange(0, 1).Draw(t, "minor"),
			KeepAlive: rapid.Bool().Draw(t, "keep alive"),
			Head:      rapid.Bool().Draw(t, "head"),
		}
		framing, keepAlive := o.Framing(&resp)
		method := "GET"
		if o.Head {
			method = "HEAD"
		}
		wire := http1.AppendResponseHead(nil, &resp, o)
		got, _, err := parseResponse(string(wire), method)
		if err != nil || got.Framing != framing || got.KeepAlive != keepAlive ||
			framing == message.Length && got.Length != resp.Length || fmt.Sprint(got.Fields) != fmt.Sprint(resp.Fields) {
			t.Fatalf("%q: %v\n got %s, framing %d, keep alive %v", wire, err, showResponse(&got), framing, keepAlive)
		}
		if o.Minor == 0 && framing == message.Chunked {
			t.Fatal("chunked for HTTP/1.0")
		}
	})
}

// Every status this package or its callers answer with has a phrase.
func TestStatusText(t *testing.T) {
	for _, status := range []int{100, 101, 200, 204, 301, 302, 307, 308, 400, 403, 404, 408, 413, 414, 417, 421, 429, 431, 500, 501, 502, 503, 504, 505} {
		if http1.StatusText(status) == "" {
			t.Errorf("no text for %d", status)
		}
	}
	if got := http1.StatusText(299); got != "" {
		t.Errorf("StatusText(299) = %q", got)
	}
}

// Names and values that would break a head are told apart from those that would not.
func TestValid(t *testing.T) {
	for c := range 256 {
		b := []byte{byte(c)}
		token := strings.ContainsRune("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", rune(c)) && c < 128
		if http1.ValidName(b) != token {
			t.Errorf("ValidName(%q) = %v", b, !token)
		}
		value := c >= ' ' && c != 0x7f || c == '\t'
		for i := range 20 { // at each place of a word
			v := []byte(strings.Repeat("\xff", 20))
			v[i] = byte(c)
			if http1.ValidValue(v) != value {
				t.Errorf("ValidValue(%q) = %v", v, !value)
			}
		}
	}
	if http1.ValidName(nil) || !http1.ValidValue(nil) {
		t.Error("an empty name is none; an empty value is one")
	}
}
