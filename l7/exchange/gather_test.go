package exchange_test

import "testing"

// TestGather proves that the body of a request that is gathered reaches a target
// only when it is whole, with its length, is sent again where that may be, and is
// refused when it is larger than it may be, whether it says so or not.
func TestGather(t *testing.T) {
	tests := []struct {
		name   string
		stream [2]bool
		script string
	}{
		{"in pieces", [2]bool{}, `
			client> POST /gather HTTP/1.1|Host: x|Content-Length: 5||he
			wait 2s
			client> llo
			- dial 10.0.0.1
			dial ok
			target< POST /gather HTTP/1.1|Host: x|Content-Length: 5||hello
			target> HTTP/1.1 200 OK|Content-Length: 0||
			client< HTTP/1.1 200 OK|Content-Length: 0||
			- target pooled
			- end ok 200 in=5`},
		{"in chunks, which become a length", [2]bool{}, `
			client> POST /gather HTTP/1.1|Host: x|Transfer-Encoding: chunked||3|hel|2|lo|0||
			- dial 10.0.0.1
			dial ok
			target< POST /gather HTTP/1.1|Host: x|Content-Length: 5||hello
			target> HTTP/1.1 204 No Content||
			client< HTTP/1.1 204 No Content||
			- target pooled
			- end ok 204 in=5`},
		{"with trailers, which keep the chunks", [2]bool{}, `
			client> POST /gather HTTP/1.1|Host: x|Transfer-Encoding: chunked||5|hello|0|Sum: 1||
			- dial 10.0.0.1
			dial ok
			target< POST /gather HTTP/1.1|Host: x|Transfer-Encoding: chunked||[hello]Sum: 1||
			target> HTTP/1.1 204 No Content||
			client< HTTP/1.1 204 No Content||
			- target pooled
			- end ok 204 in=5`},
		{"nothing", [2]bool{}, `
			client> GET /gather HTTP/1.1|Host: x||
			- dial 10.0.0.1
			dial ok
			target< GET /gather HTTP/1.1|Host: x||
			target> HTTP/1.1 204 No Content||
			client< HTTP/1.1 204 No Content||
			- target pooled
			- end ok 204`},
		{"expected to be asked for", [2]bool{}, `
			client> POST /gather HTTP/1.1|Host: x|Content-Length: 5|Expect: 100-continue||
			client< HTTP/1.1 100 Continue||
			client> hello
			- dial 10.0.0.1
			dial ok
			target< POST /gather HTTP/1.1|Host: x|Content-Length: 5||hello
			target> HTTP/1.1 100 Continue||HTTP/1.1 204 No Content||
			client< HTTP/1.1 204 No Content||
			- target pooled
			- end ok 204 in=5`},
		{"another request behind it", [2]bool{}, `
			client> POST /gather HTTP/1.1|Host: x|Content-Length: 5||helloGET /fixed HTTP/1.1|Host: x||
			- dial 10.0.0.1
			dial ok
			target< POST /gather HTTP/1.1|Host: x|Content-Length: 5||hello
			target> HTTP/1.1 204 No Content||
			- target pooled
			- end ok 204 in=5
			client< HTTP/1.1 204 No Content||HTTP/1.1 200 OK|Content-Length: 5||fixed
			- end handled 200 out=5`},
		{"too large by its length", [2]bool{}, `
			client> POST /gather HTTP/1.1|Host: x|Content-Length: 11||
			client< HTTP/1.1 413 Content Too Large|Content-Type: text/plain; charset=utf-8|Content-Length: 22|Connection: close||413 Content Too Large~
			- client shut
			- end client-too-large 413 out=22
			client eof
			- client closed`},
		{"too large in the end", [2]bool{}, `
			client> POST /gather HTTP/1.1|Host: x|Transfer-Encoding: chunked||b|hello world|
			client< HTTP/1.1 413 Content Too Large|Content-Type: text/plain; charset=utf-8|Content-Length: 22|Connection: close||413 Content Too Large~
			- client shut
			- end client-too-large 413 in=11 out=22
			client eof
			- client closed`},
		{"too slow", [2]bool{}, `
			client> POST /gather HTTP/1.1|Host: x|Content-Length: 5||he
			wait 31s
			client< HTTP/1.1 408 Request Timeout|Content-Type: text/plain; charset=utf-8|Content-Length: 20|Connection: close||408 Request Timeout~
			- client shut
			- end client-timeout 408 in=2 out=20
			client eof
			- client closed`},
		{"the client leaves", [2]bool{}, `
			client> POST /gather HTTP/1.1|Host: x|Content-Length: 5||he
			client eof
			- client reset
			- end client-closed 0 in=2`},
		{"a connection that was idle died", [2]bool{}, `
			client> PUT /gather HTTP/1.1|Host: x|Content-Length: 5||hello
			- dial 10.0.0.1
			dial pooled
			target< PUT /gather HTTP/1.1|Host: x|Content-Length: 5||hello
			target eof
			- target closed
			- dial fresh 10.0.0.1
			dial ok
			target< PUT /gather HTTP/1.1|Host: x|Content-Length: 5||hello
			target> HTTP/1.1 204 No Content||
			client< HTTP/1.1 204 No Content||
			- target pooled
			- end ok 204 in=5 retries=1`},
		{"tried again after an answer", [2]bool{}, `
			client> PUT /gather-again HTTP/1.1|Host: x|Content-Length: 5||hello
			- dial 10.0.0.1
			dial ok
			target< PUT /gather-again HTTP/1.1|Host: x|Content-Length: 5||hello
			target> HTTP/1.1 503 Busy|Content-Length: 0||
			- target closed
			- dial 10.0.0.2
			dial ok
			target< PUT /gather-again HTTP/1.1|Host: x|Content-Length: 5||hello
			target> HTTP/1.1 204 No Content||
			client< HTTP/1.1 204 No Content||
			- target pooled
			- end ok 204 in=5 retries=1`},
		{"of a stream to a stream", bothStreams, `
			client> POST /gather HTTP/1.1|Host: x|Transfer-Encoding: chunked||he
			client> llo$
			- dial 10.0.0.1
			dial ok
			target< POST /gather|Content-Length: 5||hello$
			target> HTTP/1.1 204 No Content||$
			client< 204||$
			- target pooled
			- client closed
			- end ok 204 in=5`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { playSides(t, tt.script, tt.stream) })
	}
}

// TestHold proves that an answer that is held reaches the client only when it is
// whole, with its length, that one which breaks off becomes a 502, and that a
// larger one goes on as it comes.
func TestHold(t *testing.T) {
	const get = `
		client> GET /hold HTTP/1.1|Host: x||
		- dial 10.0.0.1
		dial ok
		target< GET /hold HTTP/1.1|Host: x||
	`
	tests := []struct{ name, script string }{
		{"in pieces", get + `
			target> HTTP/1.1 200 OK|Content-Length: 5||he
			client<
			target> llo
			client< HTTP/1.1 200 OK|Content-Length: 5||hello
			- target pooled
			- end ok 200 out=5`},
		{"in chunks, which become a length", get + `
			target> HTTP/1.1 200 OK|Transfer-Encoding: chunked||3|hel|2|lo|0||
			client< HTTP/1.1 200 OK|Content-Length: 5||hello
			- target pooled
			- end ok 200 out=5`},
		{"with trailers, which keep the chunks", get + `
			target> HTTP/1.1 200 OK|Transfer-Encoding: chunked||3|hel|2|lo|0|Sum: 1||
			client< HTTP/1.1 200 OK|Transfer-Encoding: chunked||[hello]Sum: 1||
			- target pooled
			- end ok 200 out=5`},
		{"until close", get + `
			target> HTTP/1.1 200 OK||hello
			client<
			target eof
			client< HTTP/1.1 200 OK|Content-Length: 5||hello
			- target closed
			- end ok 200 out=5`},
		{"breaks off", get + `
			target> HTTP/1.1 200 OK|Content-Length: 5||he
			target eof
			- target closed
			client< HTTP/1.1 502 Bad Gateway|Content-Type: text/plain; charset=utf-8|Content-Length: 16||502 Bad Gateway~
			- end target-closed 502 out=16`},
		{"is no body", get + `
			target> HTTP/1.1 200 OK|Transfer-Encoding: chunked||2|he|no
			- target closed
			client< HTTP/1.1 502 Bad Gateway|Content-Type: text/plain; charset=utf-8|Content-Length: 16||502 Bad Gateway~
			- end target-bad-response 502 out=16`},
		{"stops", get + `
			target> HTTP/1.1 200 OK|Content-Length: 5||he
			wait 31s
			- target closed
			client< HTTP/1.1 504 Gateway Timeout|Content-Type: text/plain; charset=utf-8|Content-Length: 20||504 Gateway Timeout~
			- end target-timeout 504 out=20`},
		{"larger than it may be", get + `
			target> HTTP/1.1 200 OK|Transfer-Encoding: chunked||b|hello world|
			client< HTTP/1.1 200 OK|Transfer-Encoding: chunked||[hello world
			target> 1|!|0||
			client< !]|
			- target pooled
			- end ok 200 out=12`},
		{"larger by its length", get + `
			target> HTTP/1.1 200 OK|Content-Length: 11||he
			client< HTTP/1.1 200 OK|Content-Length: 11||he
			target> llo world
			client< llo world
			- target pooled
			- end ok 200 out=11`},
		{"no body", get + `
			target> HTTP/1.1 304 Not Modified|Content-Length: 3||
			client< HTTP/1.1 304 Not Modified|Content-Length: 3||
			- target pooled
			- end ok 304`},
		{"empty", get + `
			target> HTTP/1.1 200 OK|Content-Length: 0||
			client< HTTP/1.1 200 OK|Content-Length: 0||
			- target pooled
			- end ok 200`},
		{"changed on the way", `
			client> GET /hold-twice HTTP/1.1|Host: x||
			- dial 10.0.0.1
			dial ok
			target< GET /hold-twice HTTP/1.1|Host: x||
			target> HTTP/1.1 200 OK|Content-Length: 3||abc
			client< HTTP/1.1 200 OK|Content-Length: 7||aabbcc.
			- target pooled
			- end ok 200 out=7`},
		{"a slow client keeps no target", get + `
			client stuck
			target> HTTP/1.1 200 OK|Content-Length: 5||hello
			- target pooled
			client takes
			client< HTTP/1.1 200 OK|Content-Length: 5||hello
			- end ok 200 out=5`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { play(t, tt.script) })
	}
}

// TestEmptyBodyAgain proves that a request whose body turned out to be empty is
// whole for another connection too: its end is not waited for again.
func TestEmptyBodyAgain(t *testing.T) {
	playSides(t, `
		client> PUT / HTTP/1.1|Host: x|Transfer-Encoding: chunked||$
		- dial 10.0.0.1
		dial pooled
		target< PUT / HTTP/1.1|Host: x|Transfer-Encoding: chunked||[]|
		target eof
		- target closed
		- dial fresh 10.0.0.1
		dial ok
		target< PUT / HTTP/1.1|Host: x|Transfer-Encoding: chunked||[]|
		target> HTTP/1.1 204 No Content||
		client< 204||$
		- target pooled
		- client closed
		- end ok 204 retries=1`, clientStream)
}
