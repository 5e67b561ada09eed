package exchange_test

import "testing"

// TestForward proves that requests and answers pass whole, whatever their
// framing, and that both connections are kept where they can be.
func TestForward(t *testing.T) {
	const get = `
		client> GET /a?b HTTP/1.1|Host: x||
		- dial 10.0.0.1
		dial ok
		target< GET /a?b HTTP/1.1|Host: x||
	`
	tests := []struct{ name, script string }{
		{"length", get + `
			target> HTTP/1.1 200 OK|Content-Length: 5||hello
			client< HTTP/1.1 200 OK|Content-Length: 5||hello
			- target pooled
			- end ok 200 out=5`},
		{"chunked with trailers", get + `
			target> HTTP/1.1 200 OK|Transfer-Encoding: chunked||5|hello|6;x=y| world|0|Sum: 1||
			client< HTTP/1.1 200 OK|Transfer-Encoding: chunked||[hello world]Sum: 1||
			- target pooled
			- end ok 200 out=11`},
		{"until close becomes chunked", get + `
			target> HTTP/1.1 200 OK||hello
			client< HTTP/1.1 200 OK|Transfer-Encoding: chunked||[hello
			target eof
			client< ]|
			- target closed
			- end ok 200 out=5`},
		{"no body", get + `
			target> HTTP/1.1 204 No Content||
			client< HTTP/1.1 204 No Content||
			- target pooled
			- end ok 204`},
		{"not modified", get + `
			target> HTTP/1.1 304 Not Modified|Content-Length: 5||
			client< HTTP/1.1 304 Not Modified|Content-Length: 5||
			- target pooled
			- end ok 304`},
		{"target closes after", get + `
			target> HTTP/1.1 200 OK|Connection: close|Content-Length: 2||hi
			client< HTTP/1.1 200 OK|Content-Length: 2||hi
			- target closed
			- end ok 200 out=2`},
		{"target says too much", get + `
			target> HTTP/1.1 200 OK|Content-Length: 2||hi
			client< HTTP/1.1 200 OK|Content-Length: 2||hi
			- target pooled
			- end ok 200 out=2`},
		{"head", `
			client> HEAD / HTTP/1.1|Host: x||
			- dial 10.0.0.1
			dial ok
			target< HEAD / HTTP/1.1|Host: x||
			target> HTTP/1.1 200 OK|Content-Length: 500||
			client< HTTP/1.1 200 OK|Content-Length: 500||
			- target pooled
			- end ok 200`},
		{"post with length", `
			client> POST / HTTP/1.1|Host: x|Content-Length: 5||hello
			- dial 10.0.0.1
			dial ok
			target< POST / HTTP/1.1|Host: x|Content-Length: 5||hello
			target> HTTP/1.1 201 Created|Content-Length: 0||
			client< HTTP/1.1 201 Created|Content-Length: 0||
			- target pooled
			- end ok 201 in=5`},
		{"post of nothing", `
			client> POST / HTTP/1.1|Host: x|Content-Length: 0||
			- dial 10.0.0.1
			dial ok
			target< POST / HTTP/1.1|Host: x|Content-Length: 0||
			target> HTTP/1.1 200 OK|Content-Length: 0||
			client< HTTP/1.1 200 OK|Content-Length: 0||
			- target pooled
			- end ok 200`},
		{"post in chunks with trailers", `
			client> POST / HTTP/1.1|Host: x|Transfer-Encoding: chunked||5|hello|1| |5|world|0|A: b||
			- dial 10.0.0.1
			dial ok
			target< POST / HTTP/1.1|Host: x|Transfer-Encoding: chunked||[hello world]A: b||
			target> HTTP/1.1 200 OK|Content-Length: 0||
			client< HTTP/1.1 200 OK|Content-Length: 0||
			- target pooled
			- end ok 200 in=11`},
		{"many small chunks", `
			client> POST / HTTP/1.1|Host: x|Transfer-Encoding: chunked||*40(1|a|)0||
			- dial 10.0.0.1
			dial ok
			target< POST / HTTP/1.1|Host: x|Transfer-Encoding: chunked||[*40(a)]|
			target> HTTP/1.1 200 OK|Transfer-Encoding: chunked||*40(2|bc|)0||
			client< HTTP/1.1 200 OK|Transfer-Encoding: chunked||[*40(bc)]|
			- target pooled
			- end ok 200 in=40 out=80`},
		{"large bodies", `
			client> POST / HTTP/1.1|Host: x|Content-Length: 9000||*9000(u)
			- dial 10.0.0.1
			dial ok
			target< POST / HTTP/1.1|Host: x|Content-Length: 9000||*9000(u)
			target> HTTP/1.1 200 OK|Content-Length: 20000||*20000(d)
			client< HTTP/1.1 200 OK|Content-Length: 20000||*20000(d)
			- target pooled
			- end ok 200 in=9000 out=20000`},
		{"the handler's response filter", `
			client> PUT /hook HTTP/1.1|Host: x|Content-Length: 1||z
			- dial 10.0.0.1
			dial ok
			target< PUT /hook HTTP/1.1|Host: x|Content-Length: 1||z
			target> HTTP/1.1 200 OK|Content-Length: 0||
			client< HTTP/1.1 200 OK|Hook: PUT|Content-Length: 0||
			- target pooled
			- end ok 200 in=1`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { play(t, tt.script) })
	}
}

// TestKeepAlive proves when a client's connection carries another request.
func TestKeepAlive(t *testing.T) {
	tests := []struct{ name, script string }{
		{"two requests, one target connection after the other", `
			client> GET /1 HTTP/1.1|Host: x||
			- dial 10.0.0.1
			dial ok
			target< GET /1 HTTP/1.1|Host: x||
			target> HTTP/1.1 200 OK|Content-Length: 1||1
			client< HTTP/1.1 200 OK|Content-Length: 1||1
			- target pooled
			- end ok 200 out=1
			client> GET /2 HTTP/1.1|Host: x||
			- dial 10.0.0.1
			dial pooled
			target< GET /2 HTTP/1.1|Host: x||
			target> HTTP/1.1 200 OK|Content-Length: 1||2
			client< HTTP/1.1 200 OK|Content-Length: 1||2
			- target pooled
			- end ok 200 out=1
			client eof
			- client closed`},
		{"pipelined: the next is read when the answer was sent", `
			client> GET /1 HTTP/1.1|Host: x||POST /2 HTTP/1.1|Host: x|Content-Length: 3||abcGET /fixed HTTP/1.1|Host: x||
			- dial 10.0.0.1
			dial ok
			target< GET /1 HTTP/1.1|Host: x||
			target> HTTP/1.1 200 OK|Content-Length: 1||1
			client< HTTP/1.1 200 OK|Content-Length: 1||1
			- target pooled
			- end ok 200 out=1
			- dial 10.0.0.1
			dial pooled
			target< POST /2 HTTP/1.1|Host: x|Content-Length: 3||abc
			target> HTTP/1.1 200 OK|Content-Length: 1||2
			client< HTTP/1.1 200 OK|Content-Length: 1||2HTTP/1.1 200 OK|Content-Length: 5||fixed
			- target pooled
			- end ok 200 in=3 out=1
			- end handled 200 out=5`},
		{"the client asks for the end", `
			client> GET /fixed HTTP/1.1|Host: x|Connection: close||
			client< HTTP/1.1 200 OK|Content-Length: 5|Connection: close||fixed
			- end handled 200 out=5
			- client closed`},
		{"the handler asks for the end", `
			client> GET /last HTTP/1.1|Host: x||
			client< HTTP/1.1 200 OK|Content-Length: 0|Connection: close||
			- end handled 200
			- client shut
			client eof
			- client closed`},
		{"1.0", `
			client> GET / HTTP/1.0|Host: x||
			- dial 10.0.0.1
			dial ok
			target< GET / HTTP/1.1|Host: x||
			target> HTTP/1.1 200 OK|Transfer-Encoding: chunked||5|hello|0|A: b||
			client< HTTP/1.1 200 OK|Connection: close||hello
			- target pooled
			- end ok 200 out=5
			- client closed`},
		{"1.0 with keep-alive", `
			client> GET / HTTP/1.0|Host: x|Connection: keep-alive||
			- dial 10.0.0.1
			dial ok
			target< GET / HTTP/1.1|Host: x||
			target> HTTP/1.1 200 OK|Content-Length: 2||hi
			client< HTTP/1.1 200 OK|Content-Length: 2|Connection: keep-alive||hi
			- target pooled
			- end ok 200 out=2
			client> GET /empty HTTP/1.0|Host: x|Connection: keep-alive||
			client< HTTP/1.1 204 No Content|Connection: keep-alive||
			- end handled 204`},
		{"1.0 with keep-alive and a body of unknown length", `
			client> GET / HTTP/1.0|Host: x|Connection: keep-alive||
			- dial 10.0.0.1
			dial ok
			target< GET / HTTP/1.1|Host: x||
			target> HTTP/1.1 200 OK||hi
			target eof
			client< HTTP/1.1 200 OK|Connection: close||hi
			- target closed
			- end ok 200 out=2
			- client shut
			wait 2s
			- client closed`},
		{"a small body nobody wants is read", `
			client> POST /fixed HTTP/1.1|Host: x|Content-Length: 5||helloGET /empty HTTP/1.1|Host: x||
			client< HTTP/1.1 200 OK|Content-Length: 5||fixedHTTP/1.1 204 No Content||
			- end handled 200 in=5 out=5
			- end handled 204`},
		{"a large body nobody wants ends the connection", `
			client> POST /fixed HTTP/1.1|Host: x|Content-Length: 100000||hello
			client< HTTP/1.1 200 OK|Content-Length: 5|Connection: close||fixed
			- end handled 200 out=5
			- client shut
			client> more
			client eof
			- client closed`},
		{"head of what the handler answers", `
			client> HEAD /fixed HTTP/1.1|Host: x||
			client< HTTP/1.1 200 OK|Content-Length: 5||
			- end handled 200`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { play(t, tt.script) })
	}
}
