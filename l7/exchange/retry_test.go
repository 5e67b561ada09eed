package exchange_test

import "testing"

// TestRetry proves that a request is tried again exactly where it may be.
func TestRetry(t *testing.T) {
	tests := []struct{ name, script string }{
		{"another target where connecting fails", `
			client> POST / HTTP/1.1|Host: x|Content-Length: 5||hello
			- dial 10.0.0.1
			dial fails
			- dial 10.0.0.2
			dial fails
			- dial 10.0.0.3
			dial ok
			target< POST / HTTP/1.1|Host: x|Content-Length: 5||hello
			target> HTTP/1.1 200 OK|Content-Length: 0||
			client< HTTP/1.1 200 OK|Content-Length: 0||
			- target pooled
			- end ok 200 in=5 retries=2`},
		{"no more than was allowed", `
			client> GET / HTTP/1.1|Host: x||
			- dial 10.0.0.1
			dial fails
			- dial 10.0.0.2
			dial fails
			- dial 10.0.0.3
			dial fails
			client< ` + badGateway + `
			- end target-connect-failed 502 out=16 retries=2`},
		{"none without a file", `
			client> GET / HTTP/1.1|Host: x||
			- dial 10.0.0.1
			dial lacks a file
			client< ` + overloaded + `
			- end overloaded 503 out=24`},
		{"another where connecting is slow", `
			client> GET / HTTP/1.1|Host: x||
			- dial 10.0.0.1
			wait 3s
			- dial given up
			dial fails
			- dial 10.0.0.2
			wait 3s
			- dial given up
			dial ok
			- target closed
			- dial 10.0.0.3
			wait 3s
			- dial given up
			client< ` + timedOut + `
			- end target-connect-timeout 504 out=20 retries=2
			dial fails`},
		{"a stale pooled connection, idempotent", `
			client> GET / HTTP/1.1|Host: x||
			- dial 10.0.0.1
			dial pooled
			target< GET / HTTP/1.1|Host: x||
			target eof
			- target closed
			- dial fresh 10.0.0.1
			dial ok
			target< GET / HTTP/1.1|Host: x||
			target> HTTP/1.1 200 OK|Content-Length: 2||hi
			client< HTTP/1.1 200 OK|Content-Length: 2||hi
			- target pooled
			- end ok 200 out=2 retries=1`},
		{"a stale pooled connection, only once", `
			client> GET / HTTP/1.1|Host: x||
			- dial 10.0.0.1
			dial pooled
			target< GET / HTTP/1.1|Host: x||
			target reset
			- target closed
			- dial fresh 10.0.0.1
			dial ok
			target< GET / HTTP/1.1|Host: x||
			target reset
			- target closed
			client< ` + badGateway + `
			- end target-closed 502 out=16 retries=1`},
		{"a stale pooled connection, then none at all", `
			client> GET / HTTP/1.1|Host: x||
			- dial 10.0.0.1
			dial pooled
			target< GET / HTTP/1.1|Host: x||
			target eof
			- target closed
			- dial fresh 10.0.0.1
			dial fails
			- dial 10.0.0.2
			dial ok
			target< GET / HTTP/1.1|Host: x||
			target> HTTP/1.1 200 OK|Content-Length: 2||hi
			client< HTTP/1.1 200 OK|Content-Length: 2||hi
			- target pooled
			- end ok 200 out=2 retries=2`},
		{"a stale pooled connection, not idempotent", `
			client> POST / HTTP/1.1|Host: x|Content-Length: 0||
			- dial 10.0.0.1
			dial pooled
			target< POST / HTTP/1.1|Host: x|Content-Length: 0||
			target eof
			- target closed
			client< ` + badGateway + `
			- end target-closed 502 out=16`},
		{"a stale pooled connection, with a body", `
			client> PUT / HTTP/1.1|Host: x|Content-Length: 5||hello
			- dial 10.0.0.1
			dial pooled
			target< PUT / HTTP/1.1|Host: x|Content-Length: 5||hello
			target eof
			- target closed
			client< ` + badGateway + `
			- end target-closed 502 in=5 out=16`},
		{"a fresh connection that dies", asked + `
			target eof
			- target closed
			client< ` + badGateway + `
			- end target-closed 502 out=16`},
		{"after the first byte of an answer", `
			client> GET / HTTP/1.1|Host: x||
			- dial 10.0.0.1
			dial pooled
			target< GET / HTTP/1.1|Host: x||
			target> H
			target eof
			- target closed
			client< ` + badGateway + `
			- end target-closed 502 out=16`},
		{"after an interim response", `
			client> GET / HTTP/1.1|Host: x||
			- dial 10.0.0.1
			dial pooled
			target< GET / HTTP/1.1|Host: x||
			target> HTTP/1.1 103 Early Hints||
			target eof
			- target closed
			client< HTTP/1.1 103 Early Hints||` + badGateway + `
			- end target-closed 502 out=16`},
		{"no target", `
			client> GET /none HTTP/1.1|Host: x||
			client< HTTP/1.1 503 Service Unavailable|Content-Type: text/plain; charset=utf-8|Content-Length: 24||503 Service Unavailable~
			- end no-target 503 out=24`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { play(t, tt.script) })
	}
}

// TestDeafPooled proves that any method goes out again when nothing of it did.
func TestDeafPooled(t *testing.T) {
	p := newPlayer(t, func(int) int { return 0 })
	p.act()
	steps := []string{
		"client> POST / HTTP/1.1|Host: x|Content-Length: 5||",
		"- dial 10.0.0.1",
	}
	for _, s := range steps {
		if err := p.step(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	p.dials--
	p.deaf, p.open[1] = true, true
	p.m.Connected(true, p.now)
	p.act()
	for _, s := range []string{
		"- target closed",
		"- dial fresh 10.0.0.1",
		"dial ok",
		"client> hello",
		"target< POST / HTTP/1.1|Host: x|Content-Length: 5||hello",
		"target> HTTP/1.1 200 OK|Content-Length: 0||",
		"client< HTTP/1.1 200 OK|Content-Length: 0||",
		"- target pooled",
		"- end ok 200 in=5 retries=1",
	} {
		if err := p.step(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

const (
	askedAgain = `
		client> GET /again HTTP/1.1|Host: x||
		- dial 10.0.0.1
		dial ok
		target< GET /again HTTP/1.1|Host: x||
	`
	servedAgain = `
		- dial 10.0.0.2
		dial ok
		target< GET /again HTTP/1.1|Host: x||
		target> HTTP/1.1 200 OK|Content-Length: 2||hi
		client< HTTP/1.1 200 OK|Content-Length: 2||hi
		- target pooled
		- end ok 200 out=2 retries=1
	`
	busy = `HTTP/1.1 503 Busy|Content-Length: 4||busy`
)

// TestRetryOn proves which failures of a target are tried on another one where the
// handler says so.
func TestRetryOn(t *testing.T) {
	tests := []struct{ name, script string }{
		{"a status", askedAgain + `target> ` + busy + `
			- target closed` + servedAgain},
		{"a status that is not named", askedAgain + `
			target> HTTP/1.1 500 Oops|Content-Length: 0||
			client< HTTP/1.1 500 Oops|Content-Length: 0||
			- target pooled
			- end ok 500`},
		{"a status, everywhere: the last answer is the answer", askedAgain + `target> ` + busy + `
			- target closed
			- dial 10.0.0.2
			dial ok
			target< GET /again HTTP/1.1|Host: x||
			target> ` + busy + `
			- target closed
			- dial 10.0.0.3
			dial ok
			target< GET /again HTTP/1.1|Host: x||
			target> ` + busy + `
			client< ` + busy + `
			- target pooled
			- end ok 503 out=4 retries=2`},
		{"a reset", askedAgain + `target reset
			- target closed` + servedAgain},
		{"half a head", askedAgain + `target> HTTP/1.1 20
			target eof
			- target closed` + servedAgain},
		{"a try that takes too long", askedAgain + `wait 4s
			- target closed` + servedAgain},
		{"a try that takes too long in connecting", `
			client> GET /again HTTP/1.1|Host: x||
			- dial 10.0.0.1
			wait 3s
			- dial given up
			dial fails` + servedAgain},
		{"a try that connects late has less time for the answer", `
			client> GET /again HTTP/1.1|Host: x||
			- dial 10.0.0.1
			wait 2s
			dial ok
			target< GET /again HTTP/1.1|Host: x||
			wait 2s
			- target closed` + servedAgain},
		{"an answer that began in time may take longer", askedAgain + `wait 3s
			target> HTTP/1.1 200 OK|Content-Length: 2||
			client< HTTP/1.1 200 OK|Content-Length: 2||
			wait 20s
			target> hi
			client< hi
			- target pooled
			- end ok 200 out=2`},
		{"a status, when the next target cannot be reached", askedAgain + `target> ` + busy + `
			- target closed
			- dial 10.0.0.2
			dial fails
			- dial 10.0.0.3
			dial fails
			client< ` + badGateway + `
			- end target-connect-failed 502 out=16 retries=2`},
		{"a stale pooled connection, then a reset", `
			client> GET /again HTTP/1.1|Host: x||
			- dial 10.0.0.1
			dial pooled
			target< GET /again HTTP/1.1|Host: x||
			target reset
			- target closed
			- dial fresh 10.0.0.1
			dial ok
			target< GET /again HTTP/1.1|Host: x||
			target reset
			- target closed
			- dial 10.0.0.2
			dial ok
			target< GET /again HTTP/1.1|Host: x||
			target> HTTP/1.1 200 OK|Content-Length: 2||hi
			client< HTTP/1.1 200 OK|Content-Length: 2||hi
			- target pooled
			- end ok 200 out=2 retries=2`},
		{"a body that waited for its target's word", `
			client> PUT /again HTTP/1.1|Host: x|Content-Length: 5|Expect: 100-continue||
			- dial 10.0.0.1
			dial ok
			target< PUT /again HTTP/1.1|Host: x|Content-Length: 5|Expect: 100-continue||
			target> ` + busy + `
			- target closed
			- dial 10.0.0.2
			dial ok
			target< PUT /again HTTP/1.1|Host: x|Content-Length: 5|Expect: 100-continue||
			target> HTTP/1.1 100 Continue||
			client< HTTP/1.1 100 Continue||
			client> hello
			target< hello
			target> HTTP/1.1 200 OK|Content-Length: 0||
			client< HTTP/1.1 200 OK|Content-Length: 0||
			- target pooled
			- end ok 200 in=5 retries=1`},
		{"a method that may not, where it was allowed", `
			client> POST /unsafe HTTP/1.1|Host: x|Content-Length: 0||
			- dial 10.0.0.1
			dial ok
			target< POST /unsafe HTTP/1.1|Host: x|Content-Length: 0||
			target> ` + busy + `
			- target closed
			- dial 10.0.0.2
			dial ok
			target< POST /unsafe HTTP/1.1|Host: x|Content-Length: 0||
			target> HTTP/1.1 200 OK|Content-Length: 0||
			client< HTTP/1.1 200 OK|Content-Length: 0||
			- target pooled
			- end ok 200 retries=1`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { play(t, tt.script) })
	}
}

// TestNoRetry proves that nothing is sent twice that must not be, whatever the
// handler says is to be tried again.
func TestNoRetry(t *testing.T) {
	tests := []struct{ name, script string }{
		{"a method that may not", `
			client> POST /again HTTP/1.1|Host: x|Content-Length: 0||
			- dial 10.0.0.1
			dial ok
			target< POST /again HTTP/1.1|Host: x|Content-Length: 0||
			target> ` + busy + `
			client< ` + busy + `
			- target pooled
			- end ok 503 out=4`},
		{"a method that may not, reset", `
			client> POST /again HTTP/1.1|Host: x|Content-Length: 0||
			- dial 10.0.0.1
			dial ok
			target< POST /again HTTP/1.1|Host: x|Content-Length: 0||
			target reset
			- target closed
			client< ` + badGateway + `
			- end target-closed 502 out=16`},
		{"a body of which some is gone", `
			client> PUT /again HTTP/1.1|Host: x|Content-Length: 5||he
			- dial 10.0.0.1
			dial ok
			target< PUT /again HTTP/1.1|Host: x|Content-Length: 5||he
			client> llo
			target< llo
			target> ` + busy + `
			client< ` + busy + `
			- target pooled
			- end ok 503 in=5 out=4`},
		{"a body that is gone, even where any method may", `
			client> POST /unsafe HTTP/1.1|Host: x|Content-Length: 5||hello
			- dial 10.0.0.1
			dial ok
			target< POST /unsafe HTTP/1.1|Host: x|Content-Length: 5||hello
			target reset
			- target closed
			client< ` + badGateway + `
			- end target-closed 502 in=5 out=16`},
		{"an answer that began", askedAgain + `
			target> HTTP/1.1 200 OK|Content-Length: 5||he
			client< HTTP/1.1 200 OK|Content-Length: 5||he
			target reset
			- target closed
			- client reset
			- end target-closed 200 out=2`},
		{"an interim response that the client saw", askedAgain + `
			target> HTTP/1.1 103 Early Hints||
			client< HTTP/1.1 103 Early Hints||
			target reset
			- target closed
			client< ` + badGateway + `
			- end target-closed 502 out=16`},
		{"a client that ended its side is still answered", askedAgain + `
			client eof
			target reset
			- target closed
			- dial 10.0.0.2
			dial ok
			target< GET /again HTTP/1.1|Host: x||
			target> HTTP/1.1 200 OK|Content-Length: 0||
			client< HTTP/1.1 200 OK|Content-Length: 0|Connection: close||
			- target pooled
			- end ok 200 retries=1
			- client closed`},
		{"an answer that is not HTTP", askedAgain + `
			target> garbage||
			- target closed
			client< ` + badGateway + `
			- end target-bad-response 502 out=16`},
		{"a try is not cut short while the client sends its body", `
			client> PUT /again HTTP/1.1|Host: x|Content-Length: 5||he
			- dial 10.0.0.1
			dial ok
			target< PUT /again HTTP/1.1|Host: x|Content-Length: 5||he
			wait 10s
			client> llo
			target< llo
			target> HTTP/1.1 200 OK|Content-Length: 0||
			client< HTTP/1.1 200 OK|Content-Length: 0||
			- target pooled
			- end ok 200 in=5`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { play(t, tt.script) })
	}
}
