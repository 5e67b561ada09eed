package exchange_test

import (
	"testing"
	"time"

	"portico/l7/exchange"
	"portico/l7/exchange/outcome"
	"portico/l7/message"
)

const (
	unavailable = `HTTP/1.1 503 Service Unavailable|Content-Type: text/plain; charset=utf-8|Content-Length: 24||503 Service Unavailable~`
	answerEmpty = `
		target> HTTP/1.1 200 OK|Content-Length: 0||
		client< HTTP/1.1 200 OK|Content-Length: 0||
		- target pooled`
)

// TestWait proves that a request whose handler waits goes on where it stopped,
// that its body is held back meanwhile, and that every way out of the wait ends it once.
func TestWait(t *testing.T) {
	tests := []struct{ name, script string }{
		{"woken", `
			client> GET /wait HTTP/1.1|Host: x||
			ready
			wake
			- dial 10.0.0.1
			dial ok
			target< GET /wait HTTP/1.1|Host: x||` + answerEmpty + `
			- end ok 200`},
		{"woken for nothing, as often as one likes", `
			client> GET /wait HTTP/1.1|Host: x||
			wake
			wake
			wait 10s
			wake
			ready
			wake
			wake
			- dial 10.0.0.1
			wake
			dial ok
			wake
			target< GET /wait HTTP/1.1|Host: x||` + answerEmpty + `
			- end ok 200
			wake`},
		{"a body is held until there is a target", `
			client> POST /wait HTTP/1.1|Host: x|Content-Length: 10||hello
			client> world
			wait 40s
			ready
			wake
			- dial 10.0.0.1
			dial ok
			target< POST /wait HTTP/1.1|Host: x|Content-Length: 10||helloworld` + answerEmpty + `
			- end ok 200 in=10`},
		{"a pipelined request is held too", `
			client> GET /wait HTTP/1.1|Host: x||GET /fixed HTTP/1.1|Host: x||
			ready
			wake
			- dial 10.0.0.1
			dial ok
			target< GET /wait HTTP/1.1|Host: x||
			target> HTTP/1.1 200 OK|Content-Length: 0||
			client< HTTP/1.1 200 OK|Content-Length: 0||HTTP/1.1 200 OK|Content-Length: 5||fixed
			- target pooled
			- end ok 200
			- end handled 200 out=5`},
		{"a wake that is late finds the next request waiting", `
			client> GET /fixed HTTP/1.1|Host: x||
			client< HTTP/1.1 200 OK|Content-Length: 5||fixed
			- end handled 200 out=5
			wake
			client> GET /wait HTTP/1.1|Host: x||
			wake
			ready
			wake
			- dial 10.0.0.1
			dial ok
			target< GET /wait HTTP/1.1|Host: x||` + answerEmpty + `
			- end ok 200`},
		{"answered by the handler after all", `
			client> POST /then-fixed HTTP/1.1|Host: x|Content-Length: 5||hello
			ready
			wake
			client< HTTP/1.1 200 OK|Content-Length: 5||fixed
			- end handled 200 in=5 out=5`},
		{"no target after all", `
			client> GET /then-none HTTP/1.1|Host: x||
			ready
			wake
			client< ` + unavailable + `
			- end no-target 503 out=24`},
		{"before another target", `
			client> POST /queue HTTP/1.1|Host: x|Content-Length: 5||hello
			- dial 10.0.0.1
			dial fails
			wake
			ready
			wake
			- dial 10.0.0.2
			dial ok
			target< POST /queue HTTP/1.1|Host: x|Content-Length: 5||hello` + answerEmpty + `
			- end ok 200 in=5 retries=1`},
		{"before another target, given up dials answered late", `
			client> GET /queue HTTP/1.1|Host: x||
			- dial 10.0.0.1
			wait 3s
			- dial given up
			ready
			wake
			dial fails
			- dial 10.0.0.2
			dial ok
			target< GET /queue HTTP/1.1|Host: x||` + answerEmpty + `
			- end ok 200 retries=1`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { play(t, tt.script) })
	}
}

// TestWaitEnds proves what ends a wait besides what it is for.
func TestWaitEnds(t *testing.T) {
	tests := []struct{ name, script string }{
		{"the handler's bound, which the handler answers", `
			client> GET /until HTTP/1.1|Host: x||
			wait 4s
			wake
			wait 1s
			client< HTTP/1.1 503 Service Unavailable|Content-Length: 0||
			- end wait-timeout 503`},
		{"the handler's bound, which the handler forgets", `
			client> GET /stuck HTTP/1.1|Host: x||
			wait 5s
			client< ` + unavailable + `
			- end wait-timeout 503 out=24`},
		{"without a bound, a minute, whatever wakes it", `
			client> GET /wait HTTP/1.1|Host: x||
			wait 50s
			wake
			wait 9s
			wait 1s
			client< ` + unavailable + `
			- end wait-timeout 503 out=24
			wake`},
		{"the bound of the whole request", `
			client> GET /wait-total HTTP/1.1|Host: x||
			wait 5s
			client< ` + timedOut + `
			- end total-timeout 504 out=20`},
		{"the client is reset", `
			client> GET /wait HTTP/1.1|Host: x||
			client reset
			- end client-closed 0
			- client reset
			ready
			wake`},
		{"the client ended amid its body", `
			client> POST /wait HTTP/1.1|Host: x|Content-Length: 5||
			client eof
			- end client-closed 0
			- client reset`},
		{"the client ended its side and waits for the answer", `
			client> GET /wait HTTP/1.1|Host: x||
			client eof
			ready
			wake
			- dial 10.0.0.1
			dial ok
			target< GET /wait HTTP/1.1|Host: x||
			target> HTTP/1.1 200 OK|Content-Length: 0||
			client< HTTP/1.1 200 OK|Content-Length: 0|Connection: close||
			- target pooled
			- end ok 200
			- client closed`},
		{"aborted", `
			client> GET /wait HTTP/1.1|Host: x||
			abort
			- end drained 0
			- client reset
			wake`},
		{"a drain lets it finish", `
			client> GET /wait HTTP/1.1|Host: x||
			drain
			wait 10s
			ready
			wake
			- dial 10.0.0.1
			dial ok
			target< GET /wait HTTP/1.1|Host: x||
			target> HTTP/1.1 200 OK|Content-Length: 0||
			client< HTTP/1.1 200 OK|Content-Length: 0|Connection: close||
			- target pooled
			- end ok 200
			- client shut
			client eof
			- client closed`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { play(t, tt.script) })
	}
}

// TestHeld proves that the time spent waiting is told, also where several waits
// were needed, and where nothing came of them.
func TestHeld(t *testing.T) {
	tests := []struct {
		name   string
		script []string
		want   time.Duration
	}{
		{"once", []string{"client> GET /wait HTTP/1.1|Host: x||", "wait 2s", "wake", "wait 1s", "ready", "wake", "dial fails", "wait 5s", "abort"}, 3 * time.Second},
		{"before another target", []string{"client> GET /queue HTTP/1.1|Host: x||", "wait 1s", "dial fails", "wait 2s", "ready", "wake", "wait 1s", "abort"}, 2 * time.Second},
		{"too long", []string{"client> GET /until HTTP/1.1|Host: x||", "wait 9s"}, 5 * time.Second},
		{"aborted", []string{"client> GET /wait HTTP/1.1|Host: x||", "wait 9s", "abort"}, 9 * time.Second},
		{"never", []string{"client> GET / HTTP/1.1|Host: x||", "wait 1s", "abort"}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newPlayer(t, func(int) int { return 0 })
			ends := 0
			p.h.ended = func(r *outcome.Result) {
				ends++
				if r.Held != tt.want {
					t.Errorf("Held = %v, want %v", r.Held, tt.want)
				}
			}
			for _, s := range tt.script {
				if err := p.step(s); err != nil {
					t.Fatalf("%s: %v", s, err)
				}
			}
			if ends != 1 {
				t.Errorf("End was called %d times", ends)
			}
		})
	}
}

// TestWakeIsLent proves that a handler gets what wakes its connection, and what it
// put aside for the wait is gone with the request.
func TestWakeIsLent(t *testing.T) {
	p := newPlayer(t, func(int) int { return 0 })
	woken := 0
	p.m.Start(exchange.Options{
		Client: &message.Client{}, Handlers: p.h, Memories: p.h,
		Wake: func() { woken++ },
	}, p.now)
	p.h.begin = func(d *exchange.Decision) {
		if d.Awaits != nil || d.Pending || !d.Until.IsZero() {
			t.Errorf("a request begins with %+v", d)
		}
		d.Awaits = "something"
		d.Wake()
	}
	for _, s := range []string{"client> GET /fixed HTTP/1.1|Host: x||", "client> GET /wait HTTP/1.1|Host: x||", "ready", "wake", "dial ok", "target> HTTP/1.1 200 OK|Content-Length: 0||", "client> GET /fixed HTTP/1.1|Host: x||"} {
		if err := p.step(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	if woken != 3 {
		t.Errorf("Wake woke %d times, want 3", woken)
	}
}
