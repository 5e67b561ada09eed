package exchange_test

import "testing"

// TestTransform proves that a body is changed whole, whatever its framing was and
// however it comes, that its end is told once, and that what has no body has none
// to change. The transformer says each byte twice, one byte late, and a full stop.
func TestTransform(t *testing.T) {
	const get = `
		client> GET /twice HTTP/1.1|Host: x||
		- dial 10.0.0.1
		dial ok
		target< GET /twice HTTP/1.1|Host: x||
	`
	tests := []struct{ name, script string }{
		{"length", get + `
			target> HTTP/1.1 200 OK|Content-Length: 3||abc
			client< HTTP/1.1 200 OK|Transfer-Encoding: chunked||[aabbcc.]|
			- target pooled
			- end ok 200 out=7`},
		{"in pieces, with the last byte held back", get + `
			target> HTTP/1.1 200 OK|Content-Length: 3||ab
			client< HTTP/1.1 200 OK|Transfer-Encoding: chunked||[aa
			target> c
			client< bbcc.]|
			- target pooled
			- end ok 200 out=7`},
		{"chunked with trailers", get + `
			target> HTTP/1.1 200 OK|Transfer-Encoding: chunked||1|a|2;x=y|bc|0|Sum: 1||
			client< HTTP/1.1 200 OK|Transfer-Encoding: chunked||[aabbcc.]Sum: 1||
			- target pooled
			- end ok 200 out=7`},
		{"until close", get + `
			target> HTTP/1.1 200 OK||abc
			client< HTTP/1.1 200 OK|Transfer-Encoding: chunked||[aabb
			target eof
			client< cc.]|
			- target closed
			- end ok 200 out=7`},
		{"nothing", get + `
			target> HTTP/1.1 200 OK|Content-Length: 0||
			client< HTTP/1.1 200 OK|Transfer-Encoding: chunked||[.]|
			- target pooled
			- end ok 200 out=1`},
		{"no body", get + `
			target> HTTP/1.1 304 Not Modified|Content-Length: 3||
			client< HTTP/1.1 304 Not Modified|Content-Length: 3||
			- target pooled
			- end ok 304`},
		{"head", `
			client> HEAD /twice HTTP/1.1|Host: x||
			- dial 10.0.0.1
			dial ok
			target< HEAD /twice HTTP/1.1|Host: x||
			target> HTTP/1.1 200 OK|Content-Length: 3||
			client< HTTP/1.1 200 OK|Content-Length: 3||
			- target pooled
			- end ok 200`},
		{"large, and the client takes it late", get + `
			client stuck
			target> HTTP/1.1 200 OK|Content-Length: 9000||*9000(d)
			client takes
			client< HTTP/1.1 200 OK|Transfer-Encoding: chunked||[*18000(d).]|
			- target pooled
			- end ok 200 out=18001`},
		{"larger than what is changed at once", get + `
			target> HTTP/1.1 200 OK|Content-Length: 40000||*40000(d)
			client< HTTP/1.1 200 OK|Transfer-Encoding: chunked||[*80000(d).]|
			- target pooled
			- end ok 200 out=80001`},
		{"to a client of HTTP/1.0", `
			client> GET /twice HTTP/1.0|Host: x||
			- dial 10.0.0.1
			dial ok
			target< GET /twice HTTP/1.1|Host: x||
			target> HTTP/1.1 200 OK|Content-Length: 3||abc
			client< HTTP/1.1 200 OK|Connection: close||aabbcc.
			- target pooled
			- client closed
			- end ok 200 out=7`},
		{"the next answer is another", get + `
			target> HTTP/1.1 200 OK|Content-Length: 1||a
			client< HTTP/1.1 200 OK|Transfer-Encoding: chunked||[aa.]|
			- target pooled
			- end ok 200 out=3
			client> GET / HTTP/1.1|Host: x||
			- dial 10.0.0.1
			dial pooled
			target< GET / HTTP/1.1|Host: x||
			target> HTTP/1.1 200 OK|Content-Length: 3||abc
			client< HTTP/1.1 200 OK|Content-Length: 3||abc
			- target pooled
			- end ok 200 out=3`},
		{"cut off", get + `
			target> HTTP/1.1 200 OK|Content-Length: 3||ab
			client< HTTP/1.1 200 OK|Transfer-Encoding: chunked||[aa
			target eof
			- target closed
			- client reset
			- end target-closed 200 out=2`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { play(t, tt.script) })
	}
}

// TestTransformStreams proves the same where the sides are streams.
func TestTransformStreams(t *testing.T) {
	tests := []struct {
		name   string
		stream [2]bool
		script string
	}{
		{"to a stream", clientStream, `
			client> GET /twice HTTP/1.1|Host: x||$
			- dial 10.0.0.1
			dial ok
			target< GET /twice HTTP/1.1|Host: x||
			target> HTTP/1.1 200 OK|Content-Length: 3||abc
			client< 200||aabbcc.$
			- target pooled
			- client closed
			- end ok 200 out=7`},
		{"of a stream, with trailers", targetStream, `
			client> GET /twice HTTP/1.1|Host: x||
			- dial 10.0.0.1
			dial ok
			target< GET /twice||$
			target> HTTP/1.1 200 OK|Transfer-Encoding: chunked||abc$x-sum: 2|
			client< HTTP/1.1 200 OK|Transfer-Encoding: chunked||[aabbcc.]x-sum: 2||
			- target pooled
			- end ok 200 out=7`},
		{"of a stream with a length", bothStreams, `
			client> GET /twice HTTP/1.1|Host: x||$
			- dial 10.0.0.1
			dial ok
			target< GET /twice||$
			target> HTTP/1.1 200 OK|Content-Length: 3||abc$
			client< 200||aabbcc.$
			- target pooled
			- client closed
			- end ok 200 out=7`},
		{"of a stream that ends with its head", bothStreams, `
			client> GET /twice HTTP/1.1|Host: x||$
			- dial 10.0.0.1
			dial ok
			target< GET /twice||$
			target> HTTP/1.1 204 No Content||$
			client< 204||$
			- target pooled
			- client closed
			- end ok 204`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { playSides(t, tt.script, tt.stream) })
	}
}
