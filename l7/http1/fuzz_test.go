package http1_test

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"portico/l7/http1"
	"portico/l7/message"
)

// FuzzRequest proves that the meaning of a request, or the reason it is refused
// for, does not depend on how it is split; that net/http, a reader of another
// make, sees the same request and the same body; and that the head written for a
// target still means the same.
func FuzzRequest(f *testing.F) {
	for _, c := range accepted {
		f.Add([]byte(c.in), uint16(len(c.in)/2))
	}
	for _, c := range refused {
		f.Add([]byte(c.in), uint16(len(c.in)/2))
	}
	for _, c := range bodies {
		if c.framing == message.Chunked {
			f.Add([]byte(lines("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked")+c.in), uint16(60))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, at uint16) {
		in := string(data)
		req, n, err := parseRequest(in)
		for _, cuts := range [][]int{{min(int(at), len(in))}, everyByte(in[:min(len(in), 300)])} {
			req2, n2, err2 := parseRequest(in, cuts...)
			if n2 != n || (err == nil) != (err2 == nil) || err != nil && err.Error() != err2.Error() || n > 0 && show(&req) != show(&req2) {
				t.Fatalf("%q:\nwhole %d, %v, %s\nsplit %d, %v, %s", in, n, err, show(&req), n2, err2, show(&req2))
			}
		}
		if n == 0 {
			return
		}
		sameAsStandard(t, in, n, &req)
		wire := http1.AppendRequestHead(nil, &req, http1.RequestOptions{Close: !req.KeepAlive, Expect100: req.Expect100})
		if req.Authority == nil || len(wire) > limits.Head || len(req.Fields)+5 > limits.Fields {
			return // HTTP/1.0 without a host, or what we add to it reaches a limit
		}
		again, m, err := parseRequest(string(wire))
		again.Minor = req.Minor
		if req.Upgrade != nil {
			again.KeepAlive = req.KeepAlive // an upgrade says nothing about what follows
		}
		if err != nil || m != len(wire) || show(&again) != show(&req) {
			t.Fatalf("%q\nwritten as %q: %v\n got %s\nwant %s", in, wire, err, show(&again), show(&req))
		}
	})
}

// sameAsStandard reads what we accepted with net/http too.
func sameAsStandard(t *testing.T, in string, n int, req *message.Request) {
	t.Helper()
	in = strings.TrimPrefix(in, "\r\n") // which it does not tolerate
	std, err := http.ReadRequest(bufio.NewReader(strings.NewReader(in)))
	if err != nil {
		if strings.Contains(err.Error(), "bad trailer key") {
			return // it refuses some names in Trailer, which is a list of announcements
		}
		t.Fatalf("%q: %s, but net/http says %v", in, show(req), err)
	}
	host := string(req.Authority)
	if std.Method != string(req.Method) || std.Host != host || std.RequestURI != string(req.Target) || std.ProtoMinor != req.Minor {
		t.Fatalf("%q: %s, but net/http says %s %s @%s", in, show(req), std.Method, std.RequestURI, std.Host)
	}
	length := map[message.Framing]int64{message.NoBody: 0, message.Length: req.Length, message.Chunked: -1}[req.Framing]
	if std.ContentLength != length {
		t.Fatalf("%q: %s, but net/http says length %d", in, show(req), std.ContentLength)
	}
	var d http1.Decoder
	d.Reset(req.Framing, req.Length, limits)
	rest := in[len(in)-max(len(in)-n, 0):]
	body, _, _, err := decode(&d, rest)
	if err != nil {
		return
	}
	stdBody, err := io.ReadAll(std.Body)
	if err != nil || string(stdBody) != body {
		t.Fatalf("%q: body %q, but net/http says %q, %v", in, body, stdBody, err)
	}
}

// FuzzResponse proves the same for responses.
func FuzzResponse(f *testing.F) {
	for _, in := range []string{
		lines("HTTP/1.1 200 OK", "Content-Length: 5") + "hello",
		lines("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "Trailer: X") + "5\r\nhello\r\n0\r\nX: y\r\n\r\n",
		lines("HTTP/1.0 200 OK", "Connection: keep-alive") + "hello",
		lines("HTTP/1.1 204 No Content"), lines("HTTP/1.1 304 Not Modified", "Content-Length: 9"),
		lines("HTTP/1.1 101 Switching Protocols", "Connection: upgrade", "Upgrade: websocket"),
		lines("HTTP/1.1 200"), lines("HTTP/1.1 200 "), lines("HTTP/1.1 200 OK", "Content-Length: 5", "Transfer-Encoding: chunked"),
		lines("HTTP/1.1 200 OK", "Content-Length: 5", "Content-Length: 5"), "HTTP/1.1 200 OK\nX: y\n\n",
	} {
		f.Add([]byte(in), uint16(len(in)/2), false)
		f.Add([]byte(in), uint16(9), true)
	}
	f.Fuzz(func(t *testing.T, data []byte, at uint16, head bool) {
		in, method := string(data), "GET"
		if head {
			method = "HEAD"
		}
		resp, n, err := parseResponse(in, method)
		for _, cuts := range [][]int{{min(int(at), len(in))}, everyByte(in[:min(len(in), 300)])} {
			resp2, n2, err2 := parseResponse(in, method, cuts...)
			if n2 != n || (err == nil) != (err2 == nil) || err != nil && err.Error() != err2.Error() || n > 0 && showResponse(&resp) != showResponse(&resp2) {
				t.Fatalf("%q:\nwhole %d, %v, %s\nsplit %d, %v, %s", in, n, err, showResponse(&resp), n2, err2, showResponse(&resp2))
			}
		}
		if n == 0 {
			return
		}
		std, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(data)), &http.Request{Method: method})
		if err != nil {
			if strings.Contains(err.Error(), "bad trailer key") {
				return
			}
			t.Fatalf("%q: %s, but net/http says %v", in, showResponse(&resp), err)
		}
		defer func() { _ = std.Body.Close() }()
		if std.StatusCode != resp.Status || std.ProtoMinor != resp.Minor {
			t.Fatalf("%q: %s, but net/http says %s", in, showResponse(&resp), std.Status)
		}
		if resp.Framing == message.NoBody {
			return
		}
		if length := resp.Length; std.ContentLength != length || (len(std.TransferEncoding) > 0) != (resp.Framing == message.Chunked) {
			t.Fatalf("%q: %s, but net/http says length %d, coding %q", in, showResponse(&resp), std.ContentLength, std.TransferEncoding)
		}
	})
}

// FuzzDecoder proves that a body is the same, or refused for the same reason,
// however it is split, and that nothing is yielded that was not in the input.
func FuzzDecoder(f *testing.F) {
	for _, c := range bodies {
		f.Add([]byte(c.in), uint8(c.framing), c.length, uint16(3), uint16(7))
	}
	f.Add([]byte("5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n"), uint8(message.Chunked), int64(0), uint16(6), uint16(22))
	f.Fuzz(func(t *testing.T, data []byte, framing uint8, length int64, i, j uint16) {
		in := string(data)
		a, b := min(int(i), len(in)), min(int(j), len(in))
		var d http1.Decoder
		outcome := func(cuts ...int) string {
			d.Reset(message.Framing(framing%4), length, limits)
			body, rest, trailers, err := decode(&d, in, cuts...)
			if len(body) > len(in) {
				t.Fatalf("%q became %q", in, body)
			}
			if err != nil {
				return body + "|" + err.Error()
			}
			return body + "|" + rest + "|" + trailers
		}
		whole := outcome()
		for _, cuts := range [][]int{{min(a, b), max(a, b)}, everyByte(in)} {
			if got := outcome(cuts...); got != whole {
				t.Fatalf("%q:\nwhole %q\ncut at %v %q", in, whole, cuts, got)
			}
		}
	})
}
