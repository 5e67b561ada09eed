package exchange_test

import "testing"

// TestTimeouts proves what each bound does in each phase.
func TestTimeouts(t *testing.T) {
	tests := []struct{ name, script string }{
		{"no first byte: closed without a word", `
			wait 9s
			wait 1s
			- client closed`},
		{"a slow head", `
			client> GET / HT
			wait 9s
			client> T
			wait 1s
			client< HTTP/1.1 408 Request Timeout|Content-Type: text/plain; charset=utf-8|Content-Length: 20|Connection: close||408 Request Timeout~
			- end client-timeout 408 out=20
			- client shut
			client eof
			- client closed`},
		{"idle between requests: closed without a word", `
			client> GET /fixed HTTP/1.1|Host: x||
			client< HTTP/1.1 200 OK|Content-Length: 5||fixed
			- end handled 200 out=5
			wait 59s
			wait 1s
			- client closed`},
		{"a slow body", uploading + `
			wait 29s
			client> w
			target< w
			wait 29s
			wait 1s
			- target closed
			client< HTTP/1.1 408 Request Timeout|Content-Type: text/plain; charset=utf-8|Content-Length: 20|Connection: close||408 Request Timeout~
			- end client-timeout 408 in=6 out=20
			- client shut
			client eof
			- client closed`},
		{"a target that does not take the body", uploading + `
			target stuck
			client> w
			target< w
			client> o
			wait 30s
			- target closed
			client< HTTP/1.1 504 Gateway Timeout|Content-Type: text/plain; charset=utf-8|Content-Length: 20|Connection: close||504 Gateway Timeout~
			- end target-timeout 504 in=6 out=20
			- client shut
			client eof
			- client closed`},
		{"a target that answered early, and takes the body bit by bit", uploading + `
			target> HTTP/1.1 200 OK|Content-Length: 2||ok
			client< HTTP/1.1 200 OK|Content-Length: 2||ok
			wait 20s
			target stuck
			client> w
			target< w
			wait 20s
			target takes
			client> orld
			target< orld
			- target pooled
			- end ok 200 in=10 out=2`},
		{"no answer", asked + `
			wait 19s
			wait 1s
			- target closed
			client< ` + timedOut + `
			- end target-timeout 504 out=20`},
		{"an answer after a slow upload has its whole time", uploading + `
			wait 25s
			client> world
			target< world
			wait 19s
			target> HTTP/1.1 200 OK|Content-Length: 0||
			client< HTTP/1.1 200 OK|Content-Length: 0||
			- target pooled
			- end ok 200 in=10`},
		{"half a head of an answer", asked + `
			target> HTTP/1.1 200
			wait 20s
			- target closed
			client< ` + timedOut + `
			- end target-timeout 504 out=20`},
		{"a slow answer", answering + `
			wait 29s
			target> w
			client< w
			wait 30s
			- target closed
			- end target-timeout 200 out=6
			- client reset`},
		{"a client that does not take its answer", asked + `
			client stuck
			target> HTTP/1.1 200 OK|Content-Length: 10||
			client< HTTP/1.1 200 OK|Content-Length: 10||
			target> hello
			wait 30s
			- target closed
			- end client-timeout 200
			- client reset`},
		{"a client that does not take the last of its answer", `
			client> GET /fixed HTTP/1.1|Host: x||
			client< HTTP/1.1 200 OK|Content-Length: 5||fixed
			- end handled 200 out=5
			client stuck
			client> GET /fixed HTTP/1.1|Host: x||
			client< HTTP/1.1 200 OK|Content-Length: 5||fixed
			wait 30s
			- end handled 200 out=5
			- client reset`},
		{"the whole request", `
			client> GET /total HTTP/1.1|Host: x||
			- dial 10.0.0.1
			dial ok
			target< GET /total HTTP/1.1|Host: x||
			wait 5s
			- target closed
			client< ` + timedOut + `
			- end total-timeout 504 out=20`},
		{"the whole request, answering", `
			client> GET /total HTTP/1.1|Host: x||
			- dial 10.0.0.1
			dial ok
			target< GET /total HTTP/1.1|Host: x||
			wait 4s
			target> HTTP/1.1 200 OK|Content-Length: 10||hello
			client< HTTP/1.1 200 OK|Content-Length: 10||hello
			wait 1s
			- target closed
			- end total-timeout 200 out=5
			- client reset`},
		{"the whole request, connecting", `
			client> GET /total HTTP/1.1|Host: x||
			- dial 10.0.0.1
			wait 3s
			- dial given up
			dial fails
			- dial 10.0.0.2
			wait 2s
			- dial given up
			client< ` + timedOut + `
			- end total-timeout 504 out=20 retries=1
			dial fails`},
		{"a body nobody wants that does not come", `
			client> POST /fixed HTTP/1.1|Host: x|Content-Length: 5||he
			client< HTTP/1.1 200 OK|Content-Length: 5||fixed
			wait 30s
			- end handled 200 in=2 out=5
			- client shut
			wait 2s
			- client closed`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { play(t, tt.script) })
	}
}

// TestLeave proves that a connection ends with its next answer, whenever that is,
// and that a drain may follow.
func TestLeave(t *testing.T) {
	tests := []struct{ name, script string }{
		{"idle", `
			client> GET /fixed HTTP/1.1|Host: x||
			client< HTTP/1.1 200 OK|Content-Length: 5||fixed
			- end handled 200 out=5
			leave
			wait 59s
			client> GET /fixed HTTP/1.1|Host: x||
			client< HTTP/1.1 200 OK|Content-Length: 5|Connection: close||fixed
			- end handled 200 out=5
			- client shut
			client eof
			- client closed`},
		{"an answer that said keep-alive", answering + `
			leave
			target> world
			client< world
			- target pooled
			- end ok 200 out=10
			wait 30s
			client> GET /fixed HTTP/1.1|Host: x||
			client< HTTP/1.1 200 OK|Content-Length: 5|Connection: close||fixed
			- end handled 200 out=5
			- client shut
			client eof
			- client closed`},
		{"then drained", `
			client> GET /fixed HTTP/1.1|Host: x||
			client< HTTP/1.1 200 OK|Content-Length: 5||fixed
			- end handled 200 out=5
			leave
			wait 10s
			drain
			wait 500ms
			- client closed`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { play(t, tt.script) })
	}
}

// TestDrain proves that a drain loses no request and leaves no connection.
func TestDrain(t *testing.T) {
	tests := []struct{ name, script string }{
		{"idle", `
			drain
			wait 499ms
			wait 1ms
			- client closed`},
		{"a request on its way is answered", `
			drain
			wait 400ms
			client> GET /fixed HTTP/1.1|Host: x||
			client< HTTP/1.1 200 OK|Content-Length: 5|Connection: close||fixed
			- end handled 200 out=5
			- client shut
			client eof
			- client closed`},
		{"a request going on", asked + `
			drain
			wait 10s
			target> HTTP/1.1 200 OK|Content-Length: 2||hi
			client< HTTP/1.1 200 OK|Content-Length: 2|Connection: close||hi
			- target pooled
			- end ok 200 out=2
			- client shut
			wait 2s
			- client closed`},
		{"an answer that said keep-alive", answering + `
			drain
			target> world
			client< world
			- target pooled
			- end ok 200 out=10
			wait 400ms
			client> GET /fixed HTTP/1.1|Host: x||
			client< HTTP/1.1 200 OK|Content-Length: 5|Connection: close||fixed
			- end handled 200 out=5
			- client shut
			client eof
			- client closed`},
		{"aborted while a request goes on", asked + `
			abort
			- target closed
			- end drained 0
			- client reset`},
		{"aborted while connecting", `
			client> GET / HTTP/1.1|Host: x||
			- dial 10.0.0.1
			abort
			- dial given up
			- end drained 0
			- client reset
			dial ok
			- target closed`},
		{"aborted while idle", `
			abort
			- client reset`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { play(t, tt.script) })
	}
}
