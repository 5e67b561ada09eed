package exchange_test

import "testing"

var (
	clientStream = [2]bool{true, false}
	targetStream = [2]bool{false, true}
	bothStreams  = [2]bool{true, true}
)

// TestStreams proves that a request passes between streams and connections of
// HTTP/1, whichever side is what, with its body, its trailers and its end.
func TestStreams(t *testing.T) {
	tests := []struct {
		name   string
		stream [2]bool
		script string
	}{
		{"stream to connection", clientStream, `
			client> GET / HTTP/1.1|Host: x|A: b||$
			- dial 10.0.0.1
			dial ok
			target< GET / HTTP/1.1|Host: x|A: b||
			target> HTTP/1.1 200 OK|Content-Length: 5|C: d||hello
			client< 200|C: d|Content-Length: 5||hello$
			- target pooled
			- client closed
			- end ok 200 out=5`},
		{"a tunnel to a connection", clientStream, `
			client> CONNECT x:443 HTTP/1.1|Host: x:443||
			- dial fresh 10.0.0.1
			dial ok
			client< 200||
			client> ping
			target< ping
			target> pong
			client< pong
			client> $
			- target shut
			target eof
			- target closed
			- client closed
			- end ok 200 in=4 out=4`},
		{"connection to stream", targetStream, `
			client> GET / HTTP/1.1|Host: x|A: b||
			- dial 10.0.0.1
			dial ok
			target< GET /|A: b||$
			target> HTTP/1.1 200 OK|Content-Length: 5|C: d||hello$
			client< HTTP/1.1 200 OK|C: d|Content-Length: 5||hello
			- target pooled
			- end ok 200 out=5`},
		{"stream to stream", bothStreams, `
			client> GET / HTTP/1.1|Host: x||$
			- dial 10.0.0.1
			dial ok
			target< GET /||$
			target> HTTP/1.1 204 No Content||$
			client< 204||$
			- target pooled
			- client closed
			- end ok 204`},
		{"a body without length, with trailers, to a connection", clientStream, `
			client> POST / HTTP/1.1|Host: x|Transfer-Encoding: chunked||hel
			- dial 10.0.0.1
			dial ok
			client> lo$x-sum: 1|
			target< POST / HTTP/1.1|Host: x|Transfer-Encoding: chunked||[hello]x-sum: 1||
			target> HTTP/1.1 200 OK|Transfer-Encoding: chunked||5|world|0|x-sum: 2||
			client< 200||world$x-sum: 2|
			- target pooled
			- client closed
			- end ok 200 in=5 out=5`},
		{"a chunked body, with trailers, to a stream", targetStream, `
			client> POST / HTTP/1.1|Host: x|Transfer-Encoding: chunked||5|hello|0|x-sum: 1||
			- dial 10.0.0.1
			dial ok
			target< POST /||hello$x-sum: 1|
			target> HTTP/1.1 200 OK|Transfer-Encoding: chunked||world$x-sum: 2|
			client< HTTP/1.1 200 OK|Transfer-Encoding: chunked||[world]x-sum: 2||
			- target pooled
			- end ok 200 in=5 out=5`},
		{"a body of known length ends with its stream", bothStreams, `
			client> POST / HTTP/1.1|Host: x|Content-Length: 5||hello
			- dial 10.0.0.1
			dial ok
			target< POST /|Content-Length: 5||hello
			client> $x-sum: 1|
			target< $x-sum: 1|
			target> HTTP/1.1 200 OK|Content-Length: 5||world
			client< 200|Content-Length: 5||world
			target> $
			client< $
			- target pooled
			- client closed
			- end ok 200 in=5 out=5`},
		{"a length and trailers to a connection", targetStream, `
			client> GET / HTTP/1.1|Host: x||
			- dial 10.0.0.1
			dial ok
			target< GET /||$
			target> HTTP/1.1 200 OK|Content-Length: 5|Trailer: x-sum||world$x-sum: 2|
			client< HTTP/1.1 200 OK|Trailer: x-sum|Transfer-Encoding: chunked||[world]x-sum: 2||
			- target pooled
			- end ok 200 out=5`},
		{"no body", clientStream, `
			client> HEAD / HTTP/1.1|Host: x||$
			- dial 10.0.0.1
			dial ok
			target< HEAD / HTTP/1.1|Host: x||
			target> HTTP/1.1 200 OK|Content-Length: 5||
			client< 200||$
			- target pooled
			- client closed
			- end ok 200`},
		{"a body of no bytes", clientStream, `
			client> POST / HTTP/1.1|Host: x|Content-Length: 0||
			- dial 10.0.0.1
			dial ok
			target< POST / HTTP/1.1|Host: x|Content-Length: 0||
			client> $
			target> HTTP/1.1 200 OK|Content-Length: 0||
			client< 200|Content-Length: 0||$
			- target pooled
			- client closed
			- end ok 200`},
		{"an answer that ends with its connection", clientStream, `
			client> GET / HTTP/1.1|Host: x||$
			- dial 10.0.0.1
			dial ok
			target< GET / HTTP/1.1|Host: x||
			target> HTTP/1.1 200 OK||*3000(a)
			target eof
			client< 200||*3000(a)$
			- target closed
			- client closed
			- end ok 200 out=3000`},
		{"to a client of HTTP/1.0", targetStream, `
			client> GET / HTTP/1.0|Host: x||
			- dial 10.0.0.1
			dial ok
			target< GET /||$
			target> HTTP/1.1 103 Early Hints|A: b||
			target> HTTP/1.1 200 OK|Transfer-Encoding: chunked||hello$
			client< HTTP/1.1 200 OK|Connection: close||hello
			- target pooled
			- client closed
			- end ok 200 out=5`},
		{"answered here", clientStream, `
			client> GET /fixed HTTP/1.1|Host: x||$
			client< 200|Content-Length: 5||fixed$
			- client closed
			- end handled 200 out=5`},
		{"answered here without a body", clientStream, `
			client> GET /empty HTTP/1.1|Host: x||$
			client< 204||$
			- client closed
			- end handled 204`},
		{"answered here before the body came", clientStream, `
			client> POST /fixed HTTP/1.1|Host: x|Content-Length: 5||hel
			client< 200|Content-Length: 5||fixed$
			- client closed
			- end handled 200 out=5`},
		{"not acceptable", clientStream, `
			client> GET / HTTP/1.1|Host: x|Host: y||$
			client< 400|Content-Type: text/plain; charset=utf-8|Content-Length: 16||400 Bad Request~$
			- client closed
			- end client-bad-request 400 out=16`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { playSides(t, tt.script, tt.stream) })
	}
}

// TestStreamInterims proves that interim responses pass each before the next.
func TestStreamInterims(t *testing.T) {
	tests := []struct {
		name   string
		stream [2]bool
		script string
	}{
		{"to a client that is slow", clientStream, `
			client> GET / HTTP/1.1|Host: x||$
			- dial 10.0.0.1
			dial ok
			target< GET / HTTP/1.1|Host: x||
			client stuck
			target> HTTP/1.1 103 Early Hints|A: 1||HTTP/1.1 103 Early Hints|A: 2||HTTP/1.1 200 OK|Content-Length: 0||
			client< 103|A: 1||
			client takes
			client< 103|A: 2||200|Content-Length: 0||$
			- target pooled
			- client closed
			- end ok 200`},
		{"continue from a stream", bothStreams, `
			client> POST / HTTP/1.1|Host: x|Content-Length: 5|Expect: 100-continue||
			- dial 10.0.0.1
			dial ok
			target< POST /|Content-Length: 5||
			target> HTTP/1.1 100 Continue||
			client< 100||
			client> hello$
			target< hello$
			target> HTTP/1.1 200 OK|Content-Length: 0||$
			client< 200|Content-Length: 0||$
			- target pooled
			- client closed
			- end ok 200 in=5`},
		{"continue from here", clientStream, `
			client> POST / HTTP/1.1|Host: x|Content-Length: 5|Expect: 100-continue||
			- dial 10.0.0.1
			dial ok
			target< POST / HTTP/1.1|Host: x|Content-Length: 5|Expect: 100-continue||
			wait 1s
			client< 100||
			client> hello$
			target< hello
			target> HTTP/1.1 200 OK|Content-Length: 0||
			client< 200|Content-Length: 0||$
			- target pooled
			- client closed
			- end ok 200 in=5`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { playSides(t, tt.script, tt.stream) })
	}
}

// TestStreamGone proves what becomes of a request whose stream is reset, or is
// longer or shorter than it said, or is answered early.
func TestStreamGone(t *testing.T) {
	tests := []struct {
		name   string
		stream [2]bool
		script string
	}{
		{"reset by the client", bothStreams, `
			client> POST / HTTP/1.1|Host: x|Content-Length: 5||hel
			- dial 10.0.0.1
			dial ok
			target< POST /|Content-Length: 5||hel
			client reset
			- target closed
			- client reset
			- end client-closed 0 in=3`},
		{"reset by the target before its answer", bothStreams, `
			client> GET / HTTP/1.1|Host: x||$
			- dial 10.0.0.1
			dial ok
			target< GET /||$
			target reset
			client< 502|Content-Type: text/plain; charset=utf-8|Content-Length: 16||502 Bad Gateway~$
			- target closed
			- client closed
			- end target-closed 502 out=16`},
		{"reset by the target within its answer", bothStreams, `
			client> GET / HTTP/1.1|Host: x||$
			- dial 10.0.0.1
			dial ok
			target< GET /||$
			target> HTTP/1.1 200 OK|Content-Length: 5||hel
			client< 200|Content-Length: 5||hel
			target reset
			- target closed
			- client reset
			- end target-closed 200 out=3`},
		{"answered early and then reset", bothStreams, `
			client> POST / HTTP/1.1|Host: x|Content-Length: 5||hel
			- dial 10.0.0.1
			dial ok
			target< POST /|Content-Length: 5||hel
			target> HTTP/1.1 413 Content Too Large|Content-Length: 0||$
			client< 413|Content-Length: 0||$
			target reset
			- target closed
			- client closed
			- end ok 413 in=3`},
		{"answered early, but read to its end", bothStreams, `
			client> POST / HTTP/1.1|Host: x|Content-Length: 5||hel
			- dial 10.0.0.1
			dial ok
			target< POST /|Content-Length: 5||hel
			target> HTTP/1.1 200 OK|Content-Length: 0||$
			client< 200|Content-Length: 0||$
			client> lo$
			target< lo$
			- target pooled
			- client closed
			- end ok 200 in=5`},
		{"shorter than it said", clientStream, `
			client> POST / HTTP/1.1|Host: x|Content-Length: 5||hel$
			- dial 10.0.0.1
			dial ok
			target< POST / HTTP/1.1|Host: x|Content-Length: 5||hel
			client< 400|Content-Type: text/plain; charset=utf-8|Content-Length: 16||400 Bad Request~$
			- target closed
			- client closed
			- end client-bad-request 400 in=3 out=16`},
		{"an answer shorter than it said", targetStream, `
			client> GET / HTTP/1.1|Host: x||
			- dial 10.0.0.1
			dial ok
			target< GET /||$
			target> HTTP/1.1 200 OK|Content-Length: 5||hel$
			client< HTTP/1.1 200 OK|Content-Length: 5||hel
			- target closed
			- client reset
			- end target-closed 200 out=3`},
		{"the driver closes", bothStreams, `
			client> GET / HTTP/1.1|Host: x||$
			- dial 10.0.0.1
			abort
			- dial given up
			- client reset
			- end drained 0
			dial ok
			- target closed`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { playSides(t, tt.script, tt.stream) })
	}
}

// TestStreamRefused proves that a request its target did not look at is sent
// again, whatever its method, as long as all of it is still here.
func TestStreamRefused(t *testing.T) {
	tests := []struct{ name, script string }{
		{"again on another connection", `
			client> POST / HTTP/1.1|Host: x|Content-Length: 0||$
			- dial 10.0.0.1
			dial pooled
			target< POST /|Content-Length: 0||$
			target refuses
			- target closed
			- dial fresh 10.0.0.1
			dial ok
			target< POST /|Content-Length: 0||$
			target> HTTP/1.1 200 OK|Content-Length: 0||$
			client< 200|Content-Length: 0||$
			- target pooled
			- client closed
			- end ok 200 retries=1`},
		{"then on another target, then nowhere", `
			client> POST / HTTP/1.1|Host: x|Content-Length: 0||$
			- dial 10.0.0.1
			dial pooled
			target< POST /|Content-Length: 0||$
			target refuses
			- target closed
			- dial fresh 10.0.0.1
			dial ok
			target< POST /|Content-Length: 0||$
			target refuses
			- target closed
			- dial 10.0.0.2
			dial ok
			target< POST /|Content-Length: 0||$
			target refuses
			- target closed
			- dial 10.0.0.3
			dial fails
			client< 502|Content-Type: text/plain; charset=utf-8|Content-Length: 16||502 Bad Gateway~$
			- client closed
			- end target-connect-failed 502 out=16 retries=3`},
		{"not after some of the body was sent", `
			client> POST / HTTP/1.1|Host: x|Content-Length: 5||hel
			- dial 10.0.0.1
			dial pooled
			target< POST /|Content-Length: 5||hel
			target refuses
			client< 502|Content-Type: text/plain; charset=utf-8|Content-Length: 16||502 Bad Gateway~$
			- target closed
			- client closed
			- end target-closed 502 in=3 out=16`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { playSides(t, tt.script, bothStreams) })
	}
}

// TestStreamWebSocket proves that a WebSocket opens between any two kinds of
// sides, with the proof where only one of them knows of such.
func TestStreamWebSocket(t *testing.T) {
	const (
		asks   = "client> GET /ws HTTP/1.1|Host: x|Connection: upgrade|Upgrade: websocket"
		grants = "target> HTTP/1.1 101 Switching Protocols|Connection: upgrade|Upgrade: websocket|Sec-WebSocket-Accept: "
	)
	tests := []struct {
		name   string
		stream [2]bool
		script string
	}{
		{"stream to connection", clientStream, asks + `||
			- dial 10.0.0.1
			dial ok
			target< GET /ws HTTP/1.1|Host: x|Sec-WebSocket-Key: ` + firstKey + `|Upgrade: websocket|Connection: upgrade||
			` + grants + firstAccept + `||
			client< 101||
			client> ping
			target< ping
			target> pong
			client< pong
			client> $
			- target shut
			target eof
			- target closed
			- client closed
			- end ok 101 in=4 out=4`},
		{"a wrong proof", clientStream, asks + `||
			- dial 10.0.0.1
			dial ok
			target< GET /ws HTTP/1.1|Host: x|Sec-WebSocket-Key: ` + firstKey + `|Upgrade: websocket|Connection: upgrade||
			` + grants + `AAAA||
			client< 502|Content-Type: text/plain; charset=utf-8|Content-Length: 16||502 Bad Gateway~$
			- target closed
			- client closed
			- end target-bad-response 502 out=16`},
		{"no switch", clientStream, asks + `||
			- dial 10.0.0.1
			dial ok
			target< GET /ws HTTP/1.1|Host: x|Sec-WebSocket-Key: ` + firstKey + `|Upgrade: websocket|Connection: upgrade||
			target> HTTP/1.1 200 OK|Content-Length: 2||no
			client< 502|Content-Type: text/plain; charset=utf-8|Content-Length: 16||502 Bad Gateway~$
			- target closed
			- client closed
			- end target-bad-response 502 out=16`},
		{"refused", bothStreams, asks + `||
			- dial 10.0.0.1
			dial ok
			target< GET /ws|:protocol: websocket||
			target> HTTP/1.1 403 Forbidden|Content-Length: 0||$
			client< 403|Content-Length: 0||$
			- target pooled
			- client closed
			- end ok 403`},
		{"connection to stream", targetStream, asks + `|Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==||
			- dial 10.0.0.1
			dial ok
			target< GET /ws|Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==|:protocol: websocket||
			target> HTTP/1.1 200 OK|Transfer-Encoding: chunked||
			client< HTTP/1.1 101 Switching Protocols|Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=|Upgrade: websocket|Connection: upgrade||
			client> ping
			target< ping
			target> pong$
			client< pong
			- client shut
			client eof
			- target closed
			- client closed
			- end ok 101 in=4 out=4`},
		{"stream to stream", bothStreams, asks + `||
			- dial 10.0.0.1
			dial ok
			target< GET /ws|:protocol: websocket||
			target> HTTP/1.1 200 OK|Transfer-Encoding: chunked||
			client< 101||
			client> ping
			target< ping
			target reset
			- target closed
			- client reset
			- end target-closed 101 in=4`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { playSides(t, tt.script, tt.stream) })
	}
}

// The key that the first draws of a machine without a seed make, and its proof.
const (
	firstKey    = "9GW5oWqeeG5PRQmAGF3EBg=="
	firstAccept = "iZQ6P8Ta7UBt3N04Oql5mx4hxC8="
)
