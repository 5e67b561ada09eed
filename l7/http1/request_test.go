package http1_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"portico/l7/http1"
	"portico/l7/message"
)

var limits = http1.Limits{Head: 4096, Fields: 20}

// parseRequest hands the head over in pieces that end at each of the cuts.
func parseRequest(in string, cuts ...int) (req message.Request, n int, err error) {
	var s http1.Scanner
	for _, end := range append(cuts, len(in)) {
		// Each piece is in a new buffer, as if it had been moved.
		n, err = http1.ParseRequest([]byte(in[:end]), &s, limits, &req)
		if n > 0 || err != nil {
			break
		}
	}
	return req, n, err
}

// show writes all that was read of a request on one line.
func show(req *message.Request) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", req.Method, req.Path)
	if req.HasQuery {
		fmt.Fprintf(&b, " ?%s", req.Query)
	}
	fmt.Fprintf(&b, " @%s(%s)", req.Authority, req.Host)
	switch req.Framing {
	case message.Length:
		fmt.Fprintf(&b, " len=%d", req.Length)
	case message.Chunked:
		b.WriteString(" chunked")
	case message.UntilClose:
		b.WriteString(" until-close")
	case message.NoBody:
	}
	if req.Minor == 0 {
		b.WriteString(" 1.0")
	}
	if !req.KeepAlive {
		b.WriteString(" close")
	}
	if req.Expect100 {
		b.WriteString(" expect")
	}
	if req.Upgrade != nil {
		fmt.Fprintf(&b, " upgrade=%s", req.Upgrade)
	}
	for _, f := range req.Fields {
		fmt.Fprintf(&b, " {%s:%s}", f.Name, f.Value)
	}
	return b.String()
}

func reasonOf(tb testing.TB, err error) string {
	tb.Helper()
	var e *http1.Error
	if !errors.As(err, &e) {
		tb.Fatalf("error is %v, not an *http1.Error", err)
	}
	return fmt.Sprintf("%d %s", e.Status, e.Reason)
}

// lines joins lines with CRLF and ends the head.
func lines(l ...string) string { return strings.Join(l, "\r\n") + "\r\n\r\n" }

var accepted = []struct{ name, in, want string }{
	{"least", lines("GET / HTTP/1.1", "Host: a"), "GET / @a(a)"},
	{"empty line before", "\r\n" + lines("GET / HTTP/1.1", "Host: a"), "GET / @a(a)"},
	{"own method", lines("X-Y!1 / HTTP/1.1", "Host: a"), "X-Y!1 / @a(a)"},
	{"methods keep their case", lines("get / HTTP/1.1", "Host: a"), "get / @a(a)"},
	{"no space after colon", lines("GET / HTTP/1.1", "Host:a"), "GET / @a(a)"},
	{"tabs around value", lines("GET / HTTP/1.1", "Host:\t a \t"), "GET / @a(a)"},
	{"empty value", lines("GET / HTTP/1.1", "Host: a", "X:"), "GET / @a(a) {X:}"},
	{"bytes above ASCII in value", lines("GET / HTTP/1.1", "Host: a", "X: caf\xc3\xa9 \xff and more of it"), "GET / @a(a) {X:caf\xc3\xa9 \xff and more of it}"},
	{"tab in value", lines("GET / HTTP/1.1", "Host: a", "X: long enough for a word\tand more"), "GET / @a(a) {X:long enough for a word\tand more}"},
	{"odd but right name", lines("GET / HTTP/1.1", "Host: a", "!#$%&'*+-.^_`|~09aZ: 1"), "GET / @a(a) {!#$%&'*+-.^_`|~09aZ:1}"},
	{"order and repeats kept", lines("GET / HTTP/1.1", "B: 1", "Host: a", "A: 2", "B: 3"), "GET / @a(a) {B:1} {A:2} {B:3}"},

	{"query", lines("GET /a?b=c?d HTTP/1.1", "Host: a"), "GET /a ?b=c?d @a(a)"},
	{"empty query", lines("GET /a? HTTP/1.1", "Host: a"), "GET /a ? @a(a)"},
	{"escapes in query stay", lines("GET /?%zz%00 HTTP/1.1", "Host: a"), "GET / ?%zz%00 @a(a)"},
	{"double slash", lines("GET //a//b HTTP/1.1", "Host: a"), "GET //a//b @a(a)"},
	{"absolute form", lines("GET http://B.c:80/d?e HTTP/1.1", "Host: b.C:80"), "GET /d ?e @B.c:80(b.c)"},
	{"absolute form, no path", lines("GET http://b HTTP/1.1", "Host: b"), "GET / @b(b)"},
	{"absolute form, query alone", lines("GET HTTPS://b?q/ HTTP/1.1", "Host: b"), "GET / ?q/ @b(b)"},
	{"absolute form, 1.0", lines("GET http://b/ HTTP/1.0"), "GET / @b(b) 1.0 close"},
	{"asterisk form", lines("OPTIONS * HTTP/1.1", "Host: a"), "OPTIONS * @a(a)"},
	{"colon in origin form", lines("GET /http://b/ HTTP/1.1", "Host: a"), "GET /http://b/ @a(a)"},

	{"1.0 without host", lines("GET / HTTP/1.0"), "GET / @() 1.0 close"},
	{"1.0 with host", lines("GET / HTTP/1.0", "Host: a"), "GET / @a(a) 1.0 close"},
	{"1.0 kept alive", lines("GET / HTTP/1.0", "Connection: Keep-Alive"), "GET / @() 1.0"},
	{"host in upper case, with port", lines("GET / HTTP/1.1", "Host: WWW.Example.COM:8080"), "GET / @WWW.Example.COM:8080(www.example.com)"},
	{"host with last dot", lines("GET / HTTP/1.1", "Host: a.b.:1"), "GET / @a.b.:1(a.b)"},
	{"host with empty port", lines("GET / HTTP/1.1", "Host: a:"), "GET / @a:(a)"},
	{"host IPv4", lines("GET / HTTP/1.1", "Host: 192.0.2.1:65535"), "GET / @192.0.2.1:65535(192.0.2.1)"},
	{"host IPv6", lines("GET / HTTP/1.1", "Host: [2001:DB8::1]:80"), "GET / @[2001:DB8::1]:80([2001:db8::1])"},
	{"host IPv6 with IPv4", lines("GET / HTTP/1.1", "Host: [::ffff:192.0.2.1]"), "GET / @[::ffff:192.0.2.1]([::ffff:192.0.2.1])"},
	{"host with underscore", lines("GET / HTTP/1.1", "Host: my_app~1"), "GET / @my_app~1(my_app~1)"},

	{"length", lines("POST / HTTP/1.1", "Host: a", "Content-Length: 007"), "POST / @a(a) len=7"},
	{"length zero", lines("POST / HTTP/1.1", "Host: a", "content-LENGTH: 0"), "POST / @a(a) len=0"},
	{"longest length", lines("POST / HTTP/1.1", "Host: a", "Content-Length: 9223372036854775807"), "POST / @a(a) len=9223372036854775807"},
	{"chunked", lines("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: Chunked"), "POST / @a(a) chunked"},
	{"length in GET", lines("GET / HTTP/1.1", "Host: a", "Content-Length: 1"), "GET / @a(a) len=1"},
	{"trailer field kept", lines("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", "Trailer: X"), "POST / @a(a) chunked {Trailer:X}"},

	{"close", lines("GET / HTTP/1.1", "Host: a", "Connection: foo, CLOSE"), "GET / @a(a) close"},
	{"close wins", lines("GET / HTTP/1.0", "Connection: keep-alive", "Connection: close"), "GET / @() 1.0 close"},
	{"hop by hop gone", lines("GET / HTTP/1.1", "Host: a", "Connection: keep-alive, x-one , ,X-Two", "X-One: 1", "Keep-Alive: 5", "x-two: 2", "X-Three: 3", "Proxy-Connection: close"), "GET / @a(a) {X-Three:3}"},
	{"named in the first of two", lines("GET / HTTP/1.1", "Host: a", "Connection: x-one", "X-One: 1", "Connection: keep-alive"), "GET / @a(a)"},
	{"named framing has its meaning", lines("POST / HTTP/1.1", "Host: a", "Connection: content-length, host", "Content-Length: 3"), "POST / @a(a) len=3"},
	{"TE trailers", lines("GET / HTTP/1.1", "Host: a", "TE: gzip;q=0.5, Trailers", "Connection: TE"), "GET / @a(a) {TE:trailers}"},
	{"TE without trailers", lines("GET / HTTP/1.1", "Host: a", "TE: gzip"), "GET / @a(a)"},
	{"expect", lines("PUT / HTTP/1.1", "Host: a", "Content-Length: 1", "Expect: 100-Continue"), "PUT / @a(a) len=1 expect"},
	{"expect without body", lines("GET / HTTP/1.1", "Host: a", "Expect: 100-continue"), "GET / @a(a)"},
	{"expect in 1.0", lines("PUT / HTTP/1.0", "Content-Length: 1", "Expect: the moon"), "PUT / @() len=1 1.0 close"},

	{"upgrade", lines("GET / HTTP/1.1", "Host: a", "Connection: Upgrade", "Upgrade: websocket"), "GET / @a(a) upgrade=websocket"},
	{"upgrade with version", lines("GET / HTTP/1.1", "Host: a", "Connection: keep-alive, Upgrade", "Upgrade: foo/2"), "GET / @a(a) upgrade=foo/2"},
	{"upgrade not in connection", lines("GET / HTTP/1.1", "Host: a", "Upgrade: websocket"), "GET / @a(a)"},
	{"upgrade in 1.0", lines("GET / HTTP/1.0", "Connection: upgrade", "Upgrade: websocket"), "GET / @() 1.0 close"},
	{"upgrade with body", lines("POST / HTTP/1.1", "Host: a", "Connection: upgrade", "Upgrade: websocket", "Content-Length: 2"), "POST / @a(a) len=2"},
	{"upgrade to h2c", lines("GET / HTTP/1.1", "Host: a", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"), "GET / @a(a)"},
	{"upgrade to one of two", lines("GET / HTTP/1.1", "Host: a", "Connection: upgrade", "Upgrade: websocket, h2c"), "GET / @a(a)"},
	{"upgrade repeated", lines("GET / HTTP/1.1", "Host: a", "Connection: upgrade", "Upgrade: websocket", "Upgrade: websocket"), "GET / @a(a)"},
}

// Every accepted head means what it should, wherever it is split and whatever follows it.
func TestParseRequest(t *testing.T) {
	for _, c := range accepted {
		t.Run(c.name, func(t *testing.T) {
			var req message.Request
			n, err := http1.ParseRequest([]byte(c.in+"rest\n\r\n"), new(http1.Scanner), limits, &req)
			if err != nil || n != len(c.in) || show(&req) != c.want {
				t.Fatalf("whole: %d, %v\n got %s\nwant %s", n, err, show(&req), c.want)
			}
			for i := range len(c.in) {
				req, n, err := parseRequest(c.in, i)
				if err != nil || n != len(c.in) || show(&req) != c.want {
					t.Fatalf("split at %d: %d, %v\n got %s\nwant %s", i, n, err, show(&req), c.want)
				}
			}
			if req, n, err := parseRequest(c.in, everyByte(c.in)...); err != nil || n != len(c.in) || show(&req) != c.want {
				t.Errorf("byte by byte: %d, %v\n got %s\nwant %s", n, err, show(&req), c.want)
			}
		})
	}
}

func everyByte(in string) []int {
	cuts := make([]int, len(in))
	for i := range len(in) {
		cuts[i] = i
	}
	return cuts
}

var refused = []struct{ name, in, want string }{
	{"TLS", "\x16\x03\x01\x02\x00\x01\x00", "400 method"},
	{"space first", " GET / HTTP/1.1\r\n", "400 method"},
	{"no method", lines(" / HTTP/1.1"), "400 method"},
	{"method with colon", lines("GE:T / HTTP/1.1"), "400 method"},
	{"one word", lines("GET"), "400 method"},
	{"0.9", "GET /\r\n", "400 request line"},
	{"no target", lines("GET HTTP/1.1"), "400 request line"},
	{"no target, two spaces", lines("GET  HTTP/1.1"), "400 request line"},
	{"two spaces before target", lines("GET  / HTTP/1.1"), "400 character in request target"},
	{"two spaces before version", lines("GET /  HTTP/1.1"), "400 character in request target"},
	{"space at the end", lines("GET / HTTP/1.1 "), "400 request line"},
	{"tab as separator", lines("GET\t/ HTTP/1.1"), "400 method"},
	{"version in lower case", lines("GET / http/1.1"), "400 request line"},
	{"version with two digits", lines("GET / HTTP/1.10"), "400 request line"},
	{"version with a sign", lines("GET / HTTP/+1.1"), "400 request line"},
	{"version 1.2", lines("GET / HTTP/1.2"), "505 HTTP version"},
	{"version 0.9", lines("GET / HTTP/0.9"), "505 HTTP version"},
	{"h2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505 HTTP version"},
	{"two empty lines before", "\r\n\r\n" + lines("GET / HTTP/1.1", "Host: a"), "400 empty lines before request line"},
	{"LF before", "\n" + lines("GET / HTTP/1.1", "Host: a"), "400 bare LF"},
	{"CR before", "\r" + lines("GET / HTTP/1.1", "Host: a"), "400 method"},

	{"bare LF in request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", "400 bare LF"},
	{"bare LF in fields", "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", "400 bare LF"},
	{"bare LF at the end", "GET / HTTP/1.1\r\nHost: a\r\n\n", "400 bare LF"},
	{"bare CR in request line", "GET /\rHTTP/1.1 HTTP/1.1\r\nHost: a\r\n\r\n", "400 character in request target"},
	{"bare CR in value", "GET / HTTP/1.1\r\nHost: a\r\nX: b\rY: c\r\n\r\n", "400 control character in field value"},
	{"bare CR before name", "GET / HTTP/1.1\r\nHost: a\r\n\rX: b\r\n\r\n", "400 field name"},
	{"two CR", "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", "400 control character in field value"},
	{"CR alone as the last line", "GET / HTTP/1.1\r\nHost: a\r\n\r\r\n\r\n", "400 field name"},

	{"fold", lines("GET / HTTP/1.1", "Host: a", "X: b", " c"), "400 obs-fold"},
	{"fold with tab", lines("GET / HTTP/1.1", "Host: a", "X: b", "\tc: d"), "400 obs-fold"},
	{"fold after request line", lines("GET / HTTP/1.1", " Host: a"), "400 obs-fold"},
	{"space before colon", lines("GET / HTTP/1.1", "Host: a", "Content-Length : 5"), "400 whitespace before colon"},
	{"tab before colon", lines("GET / HTTP/1.1", "Host\t: a"), "400 whitespace before colon"},
	{"no colon", lines("GET / HTTP/1.1", "Host"), "400 field name"},
	{"no name", lines("GET / HTTP/1.1", ": a"), "400 field name"},
	{"NUL in name", lines("GET / HTTP/1.1", "Ho\x00st: a"), "400 field name"},
	{"byte above ASCII in name", lines("GET / HTTP/1.1", "H\xf6st: a"), "400 field name"},
	{"NUL in value", lines("GET / HTTP/1.1", "Host: a", "X: \x00"), "400 control character in field value"},
	{"DEL in long value", lines("GET / HTTP/1.1", "Host: a", "X: 0123456789ab\x7fdef0123"), "400 control character in field value"},
	{"ESC in long value with tabs", lines("GET / HTTP/1.1", "Host: a", "X: 01234\t6789ab\x1bdef0123"), "400 control character in field value"},

	{"space in target", lines("GET /a b HTTP/1.1", "Host: a"), "400 character in request target"},
	{"NUL in target", lines("GET /a\x00b HTTP/1.1", "Host: a"), "400 character in request target"},
	{"DEL in long target", lines("GET /a0123456789\x7fb HTTP/1.1", "Host: a"), "400 character in request target"},
	{"byte above ASCII in target", lines("GET /a0123456789\xe9b HTTP/1.1", "Host: a"), "400 character in request target"},
	{"fragment", lines("GET /a#b HTTP/1.1", "Host: a"), "400 fragment in request target"},
	{"relative target", lines("GET a HTTP/1.1", "Host: a"), "400 request target"},
	{"authority for GET", lines("GET a:80 HTTP/1.1", "Host: a:80"), "400 request target"},
	{"asterisk for GET", lines("GET * HTTP/1.1", "Host: a"), "400 request target"},
	{"asterisk and more", lines("OPTIONS *a HTTP/1.1", "Host: a"), "400 request target"},
	{"scheme", lines("GET ftp://a/ HTTP/1.1", "Host: a"), "400 scheme of request target"},
	{"userinfo", lines("GET http://u@a/ HTTP/1.1", "Host: a"), "400 userinfo in request target"},
	{"absolute without host", lines("GET http:///x HTTP/1.1", "Host: a"), "400 host differs from request target"},
	{"absolute with bad host", lines("GET http://a,b/x HTTP/1.1", "Host: a,b"), "400 host"},
	{"absolute, host differs", lines("GET http://a/ HTTP/1.1", "Host: b"), "400 host differs from request target"},
	{"absolute, host missing", lines("GET http://a/ HTTP/1.1"), "400 no host"},
	{"connect without a port", lines("CONNECT a HTTP/1.1", "Host: a"), "400 request target"},
	{"connect to an empty port", lines("CONNECT a: HTTP/1.1", "Host: a:"), "400 request target"},
	{"connect to another host", lines("CONNECT a:443 HTTP/1.1", "Host: b:443"), "400 host differs from request target"},
	{"connect with a body", lines("CONNECT a:443 HTTP/1.1", "Host: a:443", "Content-Length: 1"), "400 CONNECT with a body"},
	{"connect with chunks", lines("CONNECT a:443 HTTP/1.1", "Host: a:443", "Transfer-Encoding: chunked"), "400 CONNECT with a body"},
	{"connect to a path", lines("CONNECT /a HTTP/1.1", "Host: a"), "400 request target"},
	{"escape cut off", lines("GET /a%4 HTTP/1.1", "Host: a"), "400 percent-encoding in path"},
	{"escape that is none", lines("GET /a%4g HTTP/1.1", "Host: a"), "400 percent-encoding in path"},
	{"escaped NUL", lines("GET /a%00.txt HTTP/1.1", "Host: a"), "400 NUL in path"},

	{"no host", lines("GET / HTTP/1.1"), "400 no host"},
	{"two hosts", lines("GET / HTTP/1.1", "Host: a", "hOST: a"), "400 repeated host"},
	{"two hosts in 1.0", lines("GET / HTTP/1.0", "Host: a", "Host: b"), "400 repeated host"},
	{"empty host", lines("GET / HTTP/1.1", "Host:"), "400 host"},
	{"host with path", lines("GET / HTTP/1.1", "Host: a/b"), "400 host"},
	{"host with userinfo", lines("GET / HTTP/1.1", "Host: u@a"), "400 host"},
	{"host list", lines("GET / HTTP/1.1", "Host: a, b"), "400 host"},
	{"host escaped", lines("GET / HTTP/1.1", "Host: %61"), "400 host"},
	{"host above ASCII", lines("GET / HTTP/1.1", "Host: \xc3\xa9.example"), "400 host"},
	{"host starts with dot", lines("GET / HTTP/1.1", "Host: .a"), "400 host"},
	{"host with two dots", lines("GET / HTTP/1.1", "Host: a..b"), "400 host"},
	{"host of a dot", lines("GET / HTTP/1.1", "Host: ."), "400 host"},
	{"host too long", lines("GET / HTTP/1.1", "Host: "+strings.Repeat("a", 256)), "400 host"},
	{"port alone", lines("GET / HTTP/1.1", "Host: :80"), "400 host"},
	{"port too large", lines("GET / HTTP/1.1", "Host: a:65536"), "400 host"},
	{"port too long", lines("GET / HTTP/1.1", "Host: a:000080"), "400 host"},
	{"port that is none", lines("GET / HTTP/1.1", "Host: a:8o"), "400 host"},
	{"two ports", lines("GET / HTTP/1.1", "Host: a:80:80"), "400 host"},
	{"IPv6 not closed", lines("GET / HTTP/1.1", "Host: [::1"), "400 host"},
	{"IPv6 with zone", lines("GET / HTTP/1.1", "Host: [fe80::1%25eth0]"), "400 host"},
	{"IPv6 and more", lines("GET / HTTP/1.1", "Host: [::1]a"), "400 host"},
	{"IPv6 that is none", lines("GET / HTTP/1.1", "Host: [::1::]"), "400 host"},
	{"IPv4 in brackets", lines("GET / HTTP/1.1", "Host: [192.0.2.1]"), "400 host"},
	{"bare IPv6", lines("GET / HTTP/1.1", "Host: ::1"), "400 host"},

	{"length twice", lines("POST / HTTP/1.1", "Host: a", "Content-Length: 5", "Content-Length: 6"), "400 repeated content-length"},
	{"length twice, equal", lines("POST / HTTP/1.1", "Host: a", "Content-Length: 5", "Content-Length: 5"), "400 repeated content-length"},
	{"length list, equal", lines("POST / HTTP/1.1", "Host: a", "Content-Length: 5, 5"), "400 content-length"},
	{"length with sign", lines("POST / HTTP/1.1", "Host: a", "Content-Length: +5"), "400 content-length"},
	{"length negative", lines("POST / HTTP/1.1", "Host: a", "Content-Length: -5"), "400 content-length"},
	{"length in hex", lines("POST / HTTP/1.1", "Host: a", "Content-Length: 0x5"), "400 content-length"},
	{"length with underscore", lines("POST / HTTP/1.1", "Host: a", "Content-Length: 1_0"), "400 content-length"},
	{"length with space", lines("POST / HTTP/1.1", "Host: a", "Content-Length: 1 0"), "400 content-length"},
	{"length empty", lines("POST / HTTP/1.1", "Host: a", "Content-Length:"), "400 content-length"},
	{"length too large", lines("POST / HTTP/1.1", "Host: a", "Content-Length: 9223372036854775808"), "400 content-length"},
	{"length far too large", lines("POST / HTTP/1.1", "Host: a", "Content-Length: 18446744073709551621"), "400 content-length"},
	{"length and coding", lines("POST / HTTP/1.1", "Host: a", "Content-Length: 5", "Transfer-Encoding: chunked"), "400 content-length and transfer-encoding"},
	{"coding and length 0", lines("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", "Content-Length: 0"), "400 content-length and transfer-encoding"},
	{"coding in 1.0", lines("POST / HTTP/1.0", "Transfer-Encoding: chunked"), "400 transfer-encoding in HTTP/1.0"},
	{"coding on two lines", lines("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), "400 repeated transfer-encoding"},
	{"coding identity on two lines", lines("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", "Transfer-Encoding: identity"), "400 repeated transfer-encoding"},
	{"chunked twice", lines("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked, chunked"), "400 transfer-encoding"},
	{"chunked not last", lines("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked, gzip"), "400 transfer-encoding"},
	{"chunked with parameter", lines("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked;a=b"), "400 transfer-encoding"},
	{"coding empty", lines("POST / HTTP/1.1", "Host: a", "Transfer-Encoding:"), "400 transfer-encoding"},
	{"coding with empty element", lines("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: , chunked"), "400 transfer-encoding"},
	{"coding quoted", lines("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: \"chunked\""), "400 transfer-encoding"},
	{"coding with vertical tab", lines("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: \vchunked"), "400 control character in field value"},
	{"coding unknown", lines("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: xchunked"), "501 unknown transfer coding"},
	{"coding identity", lines("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: identity"), "501 unknown transfer coding"},
	{"coding gzip", lines("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: gzip;q=1, chunked"), "501 unknown transfer coding"},

	{"expectation", lines("PUT / HTTP/1.1", "Host: a", "Content-Length: 1", "Expect: 200-ok"), "417 expectation"},
	{"connection option", lines("GET / HTTP/1.1", "Host: a", "Connection: keep alive"), "400 connection options"},
	{"too many options", lines("GET / HTTP/1.1", "Host: a", "Connection: x"+strings.Repeat(",x", 32)), "400 connection options"},
	{"too many options we know", lines("GET / HTTP/1.1", "Host: a", "Connection: close"+strings.Repeat(",close", 32)), "400 connection options"},
	{"too many empty options", lines("GET / HTTP/1.1", "Host: a", "Connection: "+strings.Repeat(",", 32)), "400 connection options"},
	{"too many connection lines", lines("GET / HTTP/1.1", "Host: a", "Connection: a", "Connection: b", "Connection: c", "Connection: d", "Connection: e"), "400 connection options"},
	{"request line too long", "GET /" + strings.Repeat("a", 4096) + " HTTP/1.1\r\n", "414 request line too long"},
	{"no line end", strings.Repeat("a", 4096), "414 request line too long"},
	{"head too large", lines("GET / HTTP/1.1", "Host: a", "X: "+strings.Repeat("a", 4096)), "431 head too large"},
	{"head too large by one", lines("GET / HTTP/1.1", "Host: a", "X: "+strings.Repeat("a", 4097-len(lines("GET / HTTP/1.1", "Host: a", "X: ")))), "431 head too large"},
	{"too many fields", lines("GET / HTTP/1.1", "Host: a"+strings.Repeat("\r\nX: 1", 20)), "431 too many fields"},
}

// Every refused head is refused for the same reason wherever it is split, and
// before its last byte is waited for.
func TestParseRequestRefuses(t *testing.T) {
	for _, c := range refused {
		t.Run(c.name, func(t *testing.T) {
			var req message.Request
			n, err := http1.ParseRequest([]byte(c.in), new(http1.Scanner), limits, &req)
			if err == nil || n != 0 {
				t.Fatalf("accepted: %d, %s", n, show(&req))
			}
			if got := reasonOf(t, err); got != c.want {
				t.Fatalf("refused with %q, want %q", got, c.want)
			}
			for i := range len(c.in) {
				if _, _, err := parseRequest(c.in, i); err == nil || reasonOf(t, err) != c.want {
					t.Fatalf("split at %d: %v, want %q", i, err, c.want)
				}
			}
			if _, _, err := parseRequest(c.in, everyByte(c.in)...); err == nil || reasonOf(t, err) != c.want {
				t.Errorf("byte by byte: %v, want %q", err, c.want)
			}
		})
	}
}

// A head of exactly the limits is taken.
func TestParseRequestLimits(t *testing.T) {
	empty := lines("GET / HTTP/1.1", "Host: a", "X: ")
	for _, in := range []string{
		lines("GET / HTTP/1.1", "Host: a", "X: "+strings.Repeat("a", limits.Head-len(empty))),
		lines("GET / HTTP/1.1", "Host: a"+strings.Repeat("\r\nX: 1", limits.Fields-1)),
		lines("GET / HTTP/1.1", "Host: a", "Connection: x"+strings.Repeat(",x", 31)),
	} {
		if _, n, err := parseRequest(in); err != nil || n != len(in) {
			t.Errorf("%.40q… of %d bytes: %d, %v", in, len(in), n, err)
		}
	}
}

// Pipelined requests come one by one; the same Request and Scanner serve them all,
// and nothing of one request is left in the next.
func TestParseRequestPipelined(t *testing.T) {
	var all string
	for _, c := range accepted {
		all += c.in
	}
	var s http1.Scanner
	var req message.Request
	buf := []byte(all)
	for _, c := range accepted {
		n, err := http1.ParseRequest(buf, &s, limits, &req)
		if err != nil || show(&req) != c.want {
			t.Fatalf("%s: %v\n got %s\nwant %s", c.name, err, show(&req), c.want)
		}
		buf = buf[n:]
	}
	if len(buf) > 0 {
		t.Errorf("%q left", buf)
	}
}

// What a driver set about the connection survives the parsing of each request.
func TestParseRequestKeepsConnection(t *testing.T) {
	req := message.Request{TLS: true}
	if _, err := http1.ParseRequest([]byte(lines("GET / HTTP/1.1", "Host: a")), new(http1.Scanner), limits, &req); err != nil {
		t.Fatal(err)
	}
	if !req.TLS {
		t.Error("TLS was cleared")
	}
}
