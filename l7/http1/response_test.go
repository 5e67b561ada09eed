package http1_test

import (
	"fmt"
	"strings"
	"testing"

	"portico/l7/http1"
	"portico/l7/message"
)

func parseResponse(in, method string, cuts ...int) (resp message.Response, n int, err error) {
	var s http1.Scanner
	for _, end := range append(cuts, len(in)) {
		n, err = http1.ParseResponse([]byte(in[:end]), &s, limits, []byte(method), &resp)
		if n > 0 || err != nil {
			break
		}
	}
	return resp, n, err
}

func showResponse(resp *message.Response) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %q", resp.Status, resp.Reason)
	b.WriteString([]string{" none", " length", " chunked", " until-close"}[resp.Framing])
	if resp.Length >= 0 {
		fmt.Fprintf(&b, " len=%d", resp.Length)
	}
	if resp.Minor == 0 {
		b.WriteString(" 1.0")
	}
	if !resp.KeepAlive {
		b.WriteString(" close")
	}
	if resp.Upgrade != nil {
		fmt.Fprintf(&b, " upgrade=%s", resp.Upgrade)
	}
	for _, f := range resp.Fields {
		fmt.Fprintf(&b, " {%s:%s}", f.Name, f.Value)
	}
	return b.String()
}

// Every accepted response has the framing of RFC 9112, section 6.3, wherever it is split.
func TestParseResponse(t *testing.T) {
	for _, c := range []struct{ name, method, in, want string }{
		{"length", "GET", lines("HTTP/1.1 200 OK", "Content-Length: 5", "Server: x"), `200 "OK" length len=5 {Server:x}`},
		{"length zero", "GET", lines("HTTP/1.1 200 OK", "Content-Length: 0"), `200 "OK" length len=0`},
		{"chunked", "GET", lines("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "Trailer: X"), `200 "OK" chunked {Trailer:X}`},
		{"until close", "GET", lines("HTTP/1.1 200 OK"), `200 "OK" until-close close`},
		{"until close, kept alive", "GET", lines("HTTP/1.1 200 OK", "Connection: keep-alive"), `200 "OK" until-close close`},
		{"1.0", "GET", lines("HTTP/1.0 200 OK", "Content-Length: 5"), `200 "OK" length len=5 1.0 close`},
		{"1.0 kept alive", "GET", lines("HTTP/1.0 200 OK", "Content-Length: 5", "Connection: keep-alive"), `200 "OK" length len=5 1.0`},
		{"close", "GET", lines("HTTP/1.1 200 OK", "Content-Length: 5", "Connection: close"), `200 "OK" length len=5 close`},
		{"hop by hop gone", "GET", lines("HTTP/1.1 200 OK", "X: 1", "Content-Length: 5", "Keep-Alive: timeout=5", "Connection: Keep-Alive, X"), `200 "OK" length len=5`},
		{"HEAD", "HEAD", lines("HTTP/1.1 200 OK", "Content-Length: 5"), `200 "OK" none len=5`},
		{"HEAD chunked", "HEAD", lines("HTTP/1.1 200 OK", "Transfer-Encoding: chunked"), `200 "OK" none`},
		{"HEAD without length", "HEAD", lines("HTTP/1.1 200 OK"), `200 "OK" none`},
		{"204", "GET", lines("HTTP/1.1 204 No Content"), `204 "No Content" none`},
		{"204 with length", "GET", lines("HTTP/1.1 204 No Content", "Content-Length: 5"), `204 "No Content" none`},
		{"304 with length", "GET", lines("HTTP/1.1 304 Not Modified", "Content-Length: 5", "ETag: \"x\""), `304 "Not Modified" none len=5 {ETag:"x"}`},
		{"100", "POST", lines("HTTP/1.1 100 Continue"), `100 "Continue" none`},
		{"103", "GET", lines("HTTP/1.1 103 Early Hints", "Link: </a>"), `103 "Early Hints" none {Link:</a>}`},
		{"101", "GET", lines("HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Accept: x"), `101 "Switching Protocols" none upgrade=websocket {Sec-WebSocket-Accept:x}`},
		{"CONNECT", "CONNECT", lines("HTTP/1.1 200 OK", "Content-Length: 5"), `200 "OK" none len=5`},
		{"CONNECT refused", "CONNECT", lines("HTTP/1.1 403 No", "Content-Length: 5"), `403 "No" length len=5`},
		{"empty reason", "GET", lines("HTTP/1.1 200 ", "Content-Length: 0"), `200 "" length len=0`},
		{"no reason", "GET", lines("HTTP/1.1 200", "Content-Length: 0"), `200 "" length len=0`},
		{"reason with spaces and more", "GET", lines("HTTP/1.1 299  a\tb \xe9", "Content-Length: 0"), `299 " a\tb \xe9" length len=0`},
		{"odd status", "GET", lines("HTTP/1.1 999 Denied", "Content-Length: 0"), `999 "Denied" length len=0`},
		{"Host and Expect mean nothing", "GET", lines("HTTP/1.1 200 OK", "Content-Length: 0", "Host: x y", "Expect: z"), `200 "OK" length len=0 {Host:x y} {Expect:z}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			for i := range len(c.in) {
				resp, n, err := parseResponse(c.in, c.method, i)
				if err != nil || n != len(c.in) || showResponse(&resp) != c.want {
					t.Fatalf("split at %d: %d, %v\n got %s\nwant %s", i, n, err, showResponse(&resp), c.want)
				}
			}
			resp, n, err := parseResponse(c.in, c.method, everyByte(c.in)...)
			if err != nil || n != len(c.in) || showResponse(&resp) != c.want {
				t.Errorf("byte by byte: %d, %v\n got %s\nwant %s", n, err, showResponse(&resp), c.want)
			}
		})
	}
}

// Garbage from a target is always 502, with its reason.
func TestParseResponseRefuses(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"not HTTP", "SSH-2.0-OpenSSH_9.2\r\n", "502 status line"},
		{"empty line before", "\r\n" + lines("HTTP/1.1 200 OK"), "502 status line"},
		{"lower case", lines("hTTP/1.1 200 OK"), "502 status line"},
		{"no status", lines("HTTP/1.1"), "502 status line"},
		{"short status", lines("HTTP/1.1 20"), "502 status line"},
		{"long status", lines("HTTP/1.1 2000"), "502 status line"},
		{"status that is none", lines("HTTP/1.1 2o0 OK"), "502 status line"},
		{"two spaces", lines("HTTP/1.1  200 OK"), "502 status line"},
		{"status too low", lines("HTTP/1.1 099 OK"), "502 status code"},
		{"version", lines("HTTP/2.0 200 OK"), "502 HTTP version"},
		{"odd version", lines("HTTP/1,1 200 OK"), "502 status line"},
		{"control in reason", lines("HTTP/1.1 200 O\x00K"), "502 status line"},
		{"CR in reason", lines("HTTP/1.1 200 O\rK"), "502 status line"},
		{"bare LF", "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n", "502 bare LF"},
		{"fold", lines("HTTP/1.1 200 OK", "X: a", " b"), "502 obs-fold"},
		{"space before colon", lines("HTTP/1.1 200 OK", "X : a"), "502 whitespace before colon"},
		{"lengths", lines("HTTP/1.1 200 OK", "Content-Length: 5", "Content-Length: 5"), "502 repeated content-length"},
		{"length list", lines("HTTP/1.1 200 OK", "Content-Length: 5,5"), "502 content-length"},
		{"length and coding", lines("HTTP/1.1 200 OK", "Content-Length: 5", "Transfer-Encoding: chunked"), "502 content-length and transfer-encoding"},
		{"coding in 1.0", lines("HTTP/1.0 200 OK", "Transfer-Encoding: chunked"), "502 transfer-encoding in HTTP/1.0"},
		{"coding gzip", lines("HTTP/1.1 200 OK", "Transfer-Encoding: gzip"), "502 unknown transfer coding"},
		{"coding chunked, gzip", lines("HTTP/1.1 200 OK", "Transfer-Encoding: chunked, gzip"), "502 transfer-encoding"},
		{"framing counts in 304 too", lines("HTTP/1.1 304 OK", "Content-Length: x"), "502 content-length"},
		{"101 without upgrade", lines("HTTP/1.1 101 Switching Protocols", "Connection: upgrade"), "502 101 without upgrade"},
		{"101 without connection", lines("HTTP/1.1 101 Switching Protocols", "Upgrade: websocket"), "502 101 without upgrade"},
		{"line too long", "HTTP/1.1 200 " + strings.Repeat("a", 4096), "502 head too large"},
		{"head too large", lines("HTTP/1.1 200 OK", "X: "+strings.Repeat("a", 4096)), "502 head too large"},
		{"too many fields", lines("HTTP/1.1 200 OK" + strings.Repeat("\r\nX: 1", 21)), "502 too many fields"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for i := range len(c.in) {
				if _, n, err := parseResponse(c.in, "GET", i); n != 0 || err == nil || reasonOf(t, err) != c.want {
					t.Fatalf("split at %d: %d, %v, want %q", i, n, err, c.want)
				}
			}
			if _, n, err := parseResponse(c.in, "GET", everyByte(c.in)...); n != 0 || err == nil || reasonOf(t, err) != c.want {
				t.Fatalf("byte by byte: %d, %v, want %q", n, err, c.want)
			}
		})
	}
}
