package exchange_test

import "testing"

// TestInterim proves that 1xx responses go to clients that know of them, and
// that a request with Expect is never stuck.
func TestInterim(t *testing.T) {
	const expect = `
		client> POST / HTTP/1.1|Host: x|Content-Length: 5|Expect: 100-continue||
		- dial 10.0.0.1
		dial ok
		target< POST / HTTP/1.1|Host: x|Content-Length: 5|Expect: 100-continue||
	`
	tests := []struct{ name, script string }{
		{"early hints", `
			client> GET / HTTP/1.1|Host: x||
			- dial 10.0.0.1
			dial ok
			target< GET / HTTP/1.1|Host: x||
			target> HTTP/1.1 103 Early Hints|Link: </a>||HTTP/1.1 102 Processing||HTTP/1.1 200 OK|Content-Length: 2||hi
			client< HTTP/1.1 103 Early Hints|Link: </a>||HTTP/1.1 102 Processing||HTTP/1.1 200 OK|Content-Length: 2||hi
			- target pooled
			- end ok 200 out=2`},
		{"not for 1.0", `
			client> GET / HTTP/1.0|Host: x||
			- dial 10.0.0.1
			dial ok
			target< GET / HTTP/1.1|Host: x||
			target> HTTP/1.1 103 Early Hints||HTTP/1.1 200 OK|Content-Length: 2||hi
			client< HTTP/1.1 200 OK|Content-Length: 2|Connection: close||hi
			- target pooled
			- end ok 200 out=2
			- client closed`},
		{"too many", `
			client> GET / HTTP/1.0|Host: x||
			- dial 10.0.0.1
			dial ok
			target< GET / HTTP/1.1|Host: x||
			target> *40(HTTP/1.1 103 Early Hints||)
			client< HTTP/1.1 502 Bad Gateway|Content-Type: text/plain; charset=utf-8|Content-Length: 16|Connection: close||502 Bad Gateway~
			- target closed
			- end target-bad-response 502 out=16
			- client closed`},
		{"the target says continue", expect + `
			target> HTTP/1.1 100 Continue||
			client< HTTP/1.1 100 Continue||
			client> hello
			target< hello
			target> HTTP/1.1 200 OK|Content-Length: 0||
			client< HTTP/1.1 200 OK|Content-Length: 0||
			- target pooled
			- end ok 200 in=5`},
		{"the target refuses", expect + `
			target> HTTP/1.1 403 Forbidden|Content-Length: 2||no
			client< HTTP/1.1 403 Forbidden|Content-Length: 2|Connection: close||no
			- target closed
			- end ok 403 out=2
			- client shut
			client> hello
			client eof
			- client closed`},
		{"the target says nothing, then continue", expect + `
			wait 999ms
			wait 1ms
			client< HTTP/1.1 100 Continue||
			target> HTTP/1.1 100 Continue||
			client> hello
			target< hello
			target> HTTP/1.1 200 OK|Content-Length: 0||
			client< HTTP/1.1 200 OK|Content-Length: 0||
			- target pooled
			- end ok 200 in=5`},
		{"the client does not wait", `
			client> POST / HTTP/1.1|Host: x|Content-Length: 5|Expect: 100-continue||hello
			- dial 10.0.0.1
			dial ok
			target< POST / HTTP/1.1|Host: x|Content-Length: 5|Expect: 100-continue||hello
			target> HTTP/1.1 100 Continue||HTTP/1.1 200 OK|Content-Length: 0||
			client< HTTP/1.1 100 Continue||HTTP/1.1 200 OK|Content-Length: 0||
			- target pooled
			- end ok 200 in=5`},
		{"nothing to wait for", `
			client> GET / HTTP/1.1|Host: x|Expect: 100-continue||
			- dial 10.0.0.1
			dial ok
			target< GET / HTTP/1.1|Host: x||
			target> HTTP/1.1 200 OK|Content-Length: 0||
			client< HTTP/1.1 200 OK|Content-Length: 0||
			- target pooled
			- end ok 200`},
		{"an unknown expectation", `
			client> GET / HTTP/1.1|Host: x|Expect: the moon||
			client< HTTP/1.1 417 Expectation Failed|Content-Type: text/plain; charset=utf-8|Content-Length: 23|Connection: close||417 Expectation Failed~
			- end client-bad-request 417 out=23
			- client shut
			client eof
			- client closed`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { play(t, tt.script) })
	}
}

// TestTunnel proves that an upgraded connection carries bytes both ways, with
// each side's end, and that nothing else is upgraded.
func TestTunnel(t *testing.T) {
	const upgraded = `
		client> GET /hook HTTP/1.1|Host: x|Connection: upgrade|Upgrade: ws||
		- dial 10.0.0.1
		dial ok
		target< GET /hook HTTP/1.1|Host: x|Upgrade: ws|Connection: upgrade||
		target> HTTP/1.1 101 Switching Protocols|Connection: upgrade|Upgrade: ws||
		client< HTTP/1.1 101 Switching Protocols|Hook: GET|Upgrade: ws|Connection: upgrade||
	`
	tests := []struct{ name, script string }{
		{"both ways", upgraded + `
			client> ping
			target< ping
			target> pong
			client< pong
			client eof
			- target shut
			target> rest
			client< rest
			target eof
			- target closed
			- end ok 101 in=4 out=8
			- client closed`},
		{"the target ends first", upgraded + `
			target eof
			- client shut
			client> bye
			target< bye
			client eof
			- target closed
			- end ok 101 in=3
			- client closed`},
		{"bytes right behind the heads", `
			client> GET / HTTP/1.1|Host: x|Connection: upgrade|Upgrade: ws||early
			- dial 10.0.0.1
			dial ok
			target< GET / HTTP/1.1|Host: x|Upgrade: ws|Connection: upgrade||
			target> HTTP/1.1 101 Switching Protocols|Connection: upgrade|Upgrade: ws||first
			client< HTTP/1.1 101 Switching Protocols|Upgrade: ws|Connection: upgrade||first
			target< early
			abort
			- target closed
			- end drained 101 in=5 out=5
			- client reset`},
		{"idle", upgraded + `
			wait 59m
			target> x
			client< x
			wait 59m
			wait 1m
			- target closed
			- end tunnel-timeout 101 out=1
			- client closed`},
		{"the client is gone", upgraded + `
			client reset
			- target closed
			- end client-closed 101
			- client reset`},
		{"the target is gone", upgraded + `
			target reset
			- target closed
			- end target-closed 101
			- client reset`},
		{"a client that takes nothing stops the target", upgraded + `
			client stuck
			target> a
			target> b
			client< a
			client takes
			client< b
			abort
			- target closed
			- end drained 101 out=2
			- client reset`},
		{"a drain leaves it alone", upgraded + `
			drain
			wait 10m
			client> x
			target< x
			abort
			- target closed
			- end drained 101 in=1
			- client reset`},
		{"refused by the target", `
			client> GET / HTTP/1.1|Host: x|Connection: upgrade|Upgrade: ws||
			- dial 10.0.0.1
			dial ok
			target< GET / HTTP/1.1|Host: x|Upgrade: ws|Connection: upgrade||
			target> HTTP/1.1 403 Forbidden|Content-Length: 0||
			client< HTTP/1.1 403 Forbidden|Content-Length: 0||
			- target pooled
			- end ok 403`},
		{"not asked for", `
			client> GET / HTTP/1.1|Host: x||
			- dial 10.0.0.1
			dial ok
			target< GET / HTTP/1.1|Host: x||
			target> HTTP/1.1 101 Switching Protocols|Connection: upgrade|Upgrade: ws||
			client< HTTP/1.1 502 Bad Gateway|Content-Type: text/plain; charset=utf-8|Content-Length: 16||502 Bad Gateway~
			- target closed
			- end target-bad-response 502 out=16`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { play(t, tt.script) })
	}
}

// TestConnect proves that CONNECT becomes a tunnel as soon as a target is
// connected, which hears nothing but what the client sends into it; that pooled
// connections are not for that; and that a refusal ends the connection, so that
// what a hasty client sent for the tunnel is never a request.
func TestConnect(t *testing.T) {
	const connected = `
		client> CONNECT x:443 HTTP/1.1|Host: x:443||
		- dial fresh 10.0.0.1
		dial ok
		client< HTTP/1.1 200 OK||
	`
	tests := []struct{ name, script string }{
		{"both ways", connected + `
			client> ping
			target< ping
			target> pong
			client< pong
			client eof
			- target shut
			target eof
			- target closed
			- end ok 200 in=4 out=4
			- client closed`},
		{"in a hurry", `
			client> CONNECT x:443 HTTP/1.1|Host: x:443||early
			- dial fresh 10.0.0.1
			dial ok
			client< HTTP/1.1 200 OK||
			target< early
			client reset
			- target closed
			- end client-closed 200 in=5
			- client reset`},
		{"another target", `
			client> CONNECT x:443 HTTP/1.1|Host: x:443||
			- dial fresh 10.0.0.1
			dial fails
			- dial fresh 10.0.0.2
			dial ok
			client< HTTP/1.1 200 OK||
			target eof
			- client shut
			client eof
			- target closed
			- end ok 200 retries=1
			- client closed`},
		{"no target", `
			client> CONNECT none:443 HTTP/1.1|Host: none:443||GET / HTTP/1.1|Host: x||
			client< HTTP/1.1 503 Service Unavailable|Content-Type: text/plain; charset=utf-8|Content-Length: 24|Connection: close||503 Service Unavailable~
			- end no-target 503 out=24
			- client shut
			client eof
			- client closed`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { play(t, tt.script) })
	}
}
