package exchange_test

import "testing"

const (
	badGateway = `HTTP/1.1 502 Bad Gateway|Content-Type: text/plain; charset=utf-8|Content-Length: 16||502 Bad Gateway~`
	overloaded = `HTTP/1.1 503 Service Unavailable|Content-Type: text/plain; charset=utf-8|Content-Length: 24||503 Service Unavailable~`
	timedOut   = `HTTP/1.1 504 Gateway Timeout|Content-Type: text/plain; charset=utf-8|Content-Length: 20||504 Gateway Timeout~`
)

// What most stories below begin with.
const (
	asked = `
		client> GET / HTTP/1.1|Host: x||
		- dial 10.0.0.1
		dial ok
		target< GET / HTTP/1.1|Host: x||
	`
	uploading = `
		client> POST / HTTP/1.1|Host: x|Content-Length: 10||hello
		- dial 10.0.0.1
		dial ok
		target< POST / HTTP/1.1|Host: x|Content-Length: 10||hello
	`
	answering = asked + `
		target> HTTP/1.1 200 OK|Content-Length: 10||hello
		client< HTTP/1.1 200 OK|Content-Length: 10||hello
	`
)

// TestClientGone proves what happens when the client goes away, in each phase.
func TestClientGone(t *testing.T) {
	tests := []struct{ name, script string }{
		{"at once", `
			client eof
			- client closed`},
		{"at once, reset", `
			client reset
			- client closed`},
		{"within a head", `
			client> GET / HT
			client eof
			- end client-closed 0
			- client reset`},
		{"while connecting", `
			client> GET / HTTP/1.1|Host: x||
			- dial 10.0.0.1
			client reset
			- dial given up
			- end client-closed 0
			- client reset
			dial fails`},
		{"while connecting, which works all the same", `
			client> GET / HTTP/1.1|Host: x||
			- dial 10.0.0.1
			client reset
			- dial given up
			- end client-closed 0
			- client reset
			dial ok
			- target closed`},
		{"within its body", uploading + `
			client eof
			- target closed
			- end client-closed 0 in=5
			- client reset`},
		{"within its chunked body", `
			client> POST / HTTP/1.1|Host: x|Transfer-Encoding: chunked||5|hello|
			- dial 10.0.0.1
			dial ok
			target< POST / HTTP/1.1|Host: x|Transfer-Encoding: chunked||[hello
			client eof
			- target closed
			- end client-closed 0 in=5
			- client reset`},
		{"its side ended, still waiting for the answer", asked + `
			client eof
			target> HTTP/1.1 200 OK|Content-Length: 2||hi
			client< HTTP/1.1 200 OK|Content-Length: 2|Connection: close||hi
			- target pooled
			- end ok 200 out=2
			- client closed`},
		{"reset before the answer", asked + `
			client reset
			- target closed
			- end client-closed 0
			- client reset`},
		{"within the answer", answering + `
			client reset
			- target closed
			- end client-closed 200 out=5
			- client reset`},
		{"after the answer", answering + `
			target> world
			client< world
			- target pooled
			- end ok 200 out=10
			client reset
			- client closed`},
		{"garbage", `
			client> \x16\x03\x01 what||
			client< HTTP/1.1 400 Bad Request|Content-Type: text/plain; charset=utf-8|Content-Length: 16|Connection: close||400 Bad Request~
			- end client-bad-request 400 out=16
			- client shut
			client> more
			wait 2s
			- client closed`},
		{"a head too large", `
			client> GET / HTTP/1.1|Host: x|A: *5000(a)||
			client< HTTP/1.1 431 Request Header Fields Too Large|Content-Type: text/plain; charset=utf-8|Content-Length: 36|Connection: close||431 Request Header Fields Too Large~
			- end client-too-large 431 out=36
			- client shut
			client eof
			- client closed`},
		{"bad chunks", `
			client> POST / HTTP/1.1|Host: x|Transfer-Encoding: chunked||5|hello|
			- dial 10.0.0.1
			dial ok
			target< POST / HTTP/1.1|Host: x|Transfer-Encoding: chunked||[hello
			client> what?|
			client< HTTP/1.1 400 Bad Request|Content-Type: text/plain; charset=utf-8|Content-Length: 16|Connection: close||400 Bad Request~
			- target closed
			- end client-bad-request 400 in=5 out=16
			- client shut
			client eof
			- client closed`},
		{"too large a body, said before", `
			client> POST /limit HTTP/1.1|Host: x|Content-Length: 6||hello!
			client< HTTP/1.1 413 Content Too Large|Content-Type: text/plain; charset=utf-8|Content-Length: 22|Connection: close||413 Content Too Large~
			- end client-too-large 413 out=22
			- client shut
			client eof
			- client closed`},
		{"as large a body as may be", `
			client> POST /limit HTTP/1.1|Host: x|Content-Length: 5||hello
			- dial 10.0.0.1
			dial ok
			target< POST /limit HTTP/1.1|Host: x|Content-Length: 5||hello
			target> HTTP/1.1 200 OK|Content-Length: 0||
			client< HTTP/1.1 200 OK|Content-Length: 0||
			- target pooled
			- end ok 200 in=5`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { play(t, tt.script) })
	}
}

// TestTargetGone proves what happens when the target goes away or talks
// nonsense, in each phase: before the answer 502, within it a cut connection.
func TestTargetGone(t *testing.T) {
	tests := []struct{ name, script string }{
		{"instead of an answer", asked + `
			target eof
			- target closed
			client< ` + badGateway + `
			- end target-closed 502 out=16`},
		{"instead of an answer, reset", asked + `
			target reset
			- target closed
			client< ` + badGateway + `
			- end target-closed 502 out=16`},
		{"within the head", asked + `
			target> HTTP/1.1 200 OK|Content-Le
			target eof
			- target closed
			client< ` + badGateway + `
			- end target-closed 502 out=16`},
		{"within the body", answering + `
			target eof
			- target closed
			- end target-closed 200 out=5
			- client reset`},
		{"within a chunked body", asked + `
			target> HTTP/1.1 200 OK|Transfer-Encoding: chunked||5|hello|
			client< HTTP/1.1 200 OK|Transfer-Encoding: chunked||[hello
			target eof
			- target closed
			- end target-closed 200 out=5
			- client reset`},
		{"reset within a body that lasts until the end", asked + `
			target> HTTP/1.1 200 OK||hello
			client< HTTP/1.1 200 OK|Transfer-Encoding: chunked||[hello
			target reset
			- target closed
			- end target-closed 200 out=5
			- client reset`},
		{"bad chunks", asked + `
			target> HTTP/1.1 200 OK|Transfer-Encoding: chunked||5|hello|
			client< HTTP/1.1 200 OK|Transfer-Encoding: chunked||[hello
			target> what?|
			- target closed
			- end target-bad-response 200 out=5
			- client reset`},
		{"garbage", asked + `
			target> SSH-2.0-OpenSSH_9.2||
			- target closed
			client< ` + badGateway + `
			- end target-bad-response 502 out=16`},
		{"within the upload", uploading + `
			target reset
			- target closed
			client< HTTP/1.1 502 Bad Gateway|Content-Type: text/plain; charset=utf-8|Content-Length: 16|Connection: close||502 Bad Gateway~
			- end target-closed 502 in=5 out=16
			- client shut
			client> world
			client eof
			- client closed`},
		{"answers early, keeps on reading", uploading + `
			target> HTTP/1.1 200 OK|Content-Length: 2||ok
			client< HTTP/1.1 200 OK|Content-Length: 2||ok
			client> world
			target< world
			- target pooled
			- end ok 200 in=10 out=2`},
		{"answers early and says it closes", uploading + `
			target> HTTP/1.1 413 Content Too Large|Connection: close|Content-Length: 2||no
			client< HTTP/1.1 413 Content Too Large|Content-Length: 2|Connection: close||no
			- target closed
			- end ok 413 in=5 out=2
			- client shut
			client> world
			client eof
			- client closed`},
		{"answers early and closes without a word", uploading + `
			target> HTTP/1.1 200 OK|Content-Length: 2||ok
			target eof
			client< HTTP/1.1 200 OK|Content-Length: 2||ok
			- target closed
			- end ok 200 in=5 out=2
			- client shut
			client> world
			client eof
			- client closed`},
		{"takes no more, but answers", uploading + `
			target deaf
			client> w
			target> HTTP/1.1 413 Content Too Large|Content-Length: 2||no
			client< HTTP/1.1 413 Content Too Large|Content-Length: 2|Connection: close||no
			- target closed
			- end ok 413 in=6 out=2
			- client shut
			client eof
			- client closed`},
		{"both ways at once", uploading + `
			target> HTTP/1.1 200 OK|Content-Length: 4||ab
			client< HTTP/1.1 200 OK|Content-Length: 4||ab
			client> world
			target< world
			target> cd
			client< cd
			- target pooled
			- end ok 200 in=10 out=4`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { play(t, tt.script) })
	}
}
