package http1_test

import (
	"testing"

	"portico/l7/http1"
	"portico/l7/message"
)

var (
	browserRequest = []byte(lines("GET /shop/items/42?color=blue&size=m HTTP/1.1",
		"Host: myapp.example.com",
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
		"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
		"Accept-Language: en-US,en;q=0.5",
		"Accept-Encoding: gzip, deflate, br, zstd",
		"Connection: keep-alive",
		"Cookie: session=0123456789abcdef0123456789abcdef; theme=dark",
		"Upgrade-Insecure-Requests: 1",
		"Sec-Fetch-Dest: document",
		"Sec-Fetch-Mode: navigate",
		"Sec-Fetch-Site: same-origin",
		"Priority: u=0, i"))
	typicalResponse = []byte(lines("HTTP/1.1 200 OK",
		"Server: nginx",
		"Date: Sun, 22 Nov 2026 22:32:14 GMT",
		"Content-Type: text/html; charset=utf-8",
		"Content-Length: 1024",
		"Last-Modified: Sun, 22 Nov 2026 20:00:00 GMT",
		"Connection: keep-alive",
		"ETag: \"65f1a2b3-400\"",
		"Cache-Control: max-age=60",
		"Accept-Ranges: bytes"))
	get = []byte("GET")
)

// A typical exchange costs no allocation: two heads read, two heads written, a body passed on.
func TestNoAllocation(t *testing.T) {
	var (
		s    http1.Scanner
		req  message.Request
		resp message.Response
		d    http1.Decoder
		out  []byte
	)
	chunked := []byte("400\r\n" + string(make([]byte, 1024)) + "\r\n0\r\n\r\n")
	upper := []byte(lines("GET /a/../%62 HTTP/1.1", "Host: WWW.Example.COM", "Connection: x, keep-alive", "X: 1", "TE: trailers"))
	bare := []byte("GET / HTTP/1.1\n")
	for name, run := range map[string]func(){
		"request":  func() { mustParse(browserRequest, &s, &req) },
		"response": func() { mustParseResponse(typicalResponse, &s, &resp) },
		"forward": func() {
			mustParse(browserRequest, &s, &req)
			out = http1.AppendRequestHead(out[:0], &req, http1.RequestOptions{})
		},
		"answer": func() {
			mustParseResponse(typicalResponse, &s, &resp)
			out = http1.AppendResponseHead(out[:0], &resp, http1.ResponseOptions{Minor: 1, KeepAlive: true})
		},
		"body": func() {
			d.Reset(message.Chunked, 0, limits)
			for rest := chunked; !d.Done(); {
				data, n, err := d.Next(rest)
				if err != nil {
					t.Fatal(err)
				}
				rest = rest[n:]
				out = http1.AppendChunk(out[:0], data)
			}
			out = http1.AppendLastChunk(out, nil)
		},
		"scratch": func() { mustParse(upper, &s, &req) },
		"split": func() {
			if n, err := http1.ParseRequest(browserRequest[:200], &s, limits, &req); n != 0 || err != nil {
				t.Fatal(n, err)
			}
			mustParse(browserRequest, &s, &req)
		},
		"refused": func() {
			if _, err := http1.ParseRequest(bare, &s, limits, &req); err == nil {
				t.Fatal("accepted")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			run() // memory is made once
			if n := testing.AllocsPerRun(100, run); n != 0 {
				t.Errorf("%v allocations", n)
			}
		})
	}
}

func mustParse(in []byte, s *http1.Scanner, req *message.Request) {
	if n, err := http1.ParseRequest(in, s, limits, req); err != nil || n != len(in) {
		panic(err)
	}
}

func mustParseResponse(in []byte, s *http1.Scanner, resp *message.Response) {
	if n, err := http1.ParseResponse(in, s, limits, get, resp); err != nil || n != len(in) {
		panic(err)
	}
}

func BenchmarkParseRequest(b *testing.B) {
	var s http1.Scanner
	var req message.Request
	b.SetBytes(int64(len(browserRequest)))
	b.ReportAllocs()
	for b.Loop() {
		mustParse(browserRequest, &s, &req)
	}
}

func BenchmarkParseResponse(b *testing.B) {
	var s http1.Scanner
	var resp message.Response
	b.SetBytes(int64(len(typicalResponse)))
	b.ReportAllocs()
	for b.Loop() {
		mustParseResponse(typicalResponse, &s, &resp)
	}
}

func BenchmarkAppendRequestHead(b *testing.B) {
	var s http1.Scanner
	var req message.Request
	mustParse(browserRequest, &s, &req)
	var out []byte
	b.ReportAllocs()
	for b.Loop() {
		out = http1.AppendRequestHead(out[:0], &req, http1.RequestOptions{})
	}
	b.SetBytes(int64(len(out)))
}

func BenchmarkAppendResponseHead(b *testing.B) {
	var s http1.Scanner
	var resp message.Response
	mustParseResponse(typicalResponse, &s, &resp)
	var out []byte
	b.ReportAllocs()
	for b.Loop() {
		out = http1.AppendResponseHead(out[:0], &resp, http1.ResponseOptions{Minor: 1, KeepAlive: true})
	}
	b.SetBytes(int64(len(out)))
}

func BenchmarkDecodeChunked(b *testing.B) {
	var d http1.Decoder
	var in []byte
	for range 16 {
		in = http1.AppendChunk(in, make([]byte, 4096))
	}
	in = http1.AppendLastChunk(in, nil)
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		d.Reset(message.Chunked, 0, limits)
		for rest := in; !d.Done(); {
			_, n, err := d.Next(rest)
			if err != nil {
				b.Fatal(err)
			}
			rest = rest[n:]
		}
	}
}

// A head that comes byte by byte costs a few times what it costs whole, not its length times.
func BenchmarkParseRequestByteByByte(b *testing.B) {
	var s http1.Scanner
	var req message.Request
	b.SetBytes(int64(len(browserRequest)))
	b.ReportAllocs()
	for b.Loop() {
		for i := 1; i < len(browserRequest); i++ {
			if _, err := http1.ParseRequest(browserRequest[:i], &s, limits, &req); err != nil {
				b.Fatal(err)
			}
		}
		mustParse(browserRequest, &s, &req)
	}
}
