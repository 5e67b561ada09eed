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
