package exchange_test

import (
	"testing"
	"time"
)

// playBounds plays a script with bounds that a test changed.
func playBounds(t *testing.T, change func(h *handler), script []string) {
	t.Helper()
	p := newPlayer(t, func(int) int { return 0 })
	change(p.h)
	for _, s := range script {
		if err := p.step(s); err != nil {
			t.Fatalf("at %q: %v", s, err)
		}
	}
	if len(p.events) > 0 {
		t.Errorf("at the end: also %q", p.events)
	}
}

// slowly has a client send or take ten bytes a second, over ten seconds.
func slowly(h *handler) { h.bounds.RateLeast, h.bounds.RateWindow = 10, 10*time.Second }

// TestRate proves that a client that sends or takes too little in a window is cut
// off, though no pause is too long, and that nobody else's slowness is held
// against it.
func TestRate(t *testing.T) {
	const post = "client> POST / HTTP/1.1|Host: x|Content-Length: 1000||"
	started := []string{post, "- dial 10.0.0.1", "dial ok", "target< POST / HTTP/1.1|Host: x|Content-Length: 1000||"}
	tests := []struct {
		name   string
		script []string
	}{
		{"a trickle up", append(started[:4:4],
			"wait 9s", "client> *20(a)", "target< *20(a)", "wait 9s", "client> *20(a)", "target< *20(a)", "wait 2s",
			"- target closed", "- end client-timeout 408 in=40 out=20", "- client shut",
			"client< HTTP/1.1 408 Request Timeout|Content-Type: text/plain; charset=utf-8|Content-Length: 20|Connection: close||408 Request Timeout~")},
		{"enough up", append(started[:4:4],
			"wait 10s", "client> *100(a)", "wait 10s", "client> *100(a)", "wait 10s", "client> *800(a)",
			"target> HTTP/1.1 200 OK|Content-Length: 0||", "- target pooled", "- end ok 200 in=1000",
			"target< *1000(a)", "client< HTTP/1.1 200 OK|Content-Length: 0||")},
		{"up, held by the target", append(started[:4:4],
			"client> *5(a)", "target stuck", "client> *5(a)", "wait 25s", "target takes",
			"client> *990(a)", "target> HTTP/1.1 200 OK|Content-Length: 0||", "- target pooled", "- end ok 200 in=1000",
			"target< *1000(a)", "client< HTTP/1.1 200 OK|Content-Length: 0||")},
		{"a body nobody wants", []string{
			"client> POST /fixed HTTP/1.1|Host: x|Content-Length: 1000||", "client< HTTP/1.1 200 OK|Content-Length: 5||fixed",
			"wait 9s", "client> *20(a)", "wait 9s", "client> *20(a)", "wait 2s",
			"- end handled 200 in=40 out=5", "- client shut",
		}},
		{"a target that is slow to answer", []string{
			"client> GET / HTTP/1.1|Host: x||", "- dial 10.0.0.1", "dial ok", "wait 19s",
			"target> HTTP/1.1 200 OK|Content-Length: 2||", "wait 25s", "target> hi",
			"target< GET / HTTP/1.1|Host: x||", "client< HTTP/1.1 200 OK|Content-Length: 2||hi",
			"- target pooled", "- end ok 200 out=2",
		}},
		{"a client that takes nothing", []string{
			"client> GET / HTTP/1.1|Host: x||", "- dial 10.0.0.1", "dial ok",
			"target> HTTP/1.1 200 OK|Content-Length: 5000||*3000(a)", "client stuck", "target> *1000(a)", "wait 20s",
			"target< GET / HTTP/1.1|Host: x||", "client< HTTP/1.1 200 OK|Content-Length: 5000||*4000(a)",
			"- target closed", "- end client-timeout 200 out=4000", "- client reset",
		}},
		{"a tunnel may be quiet", []string{
			"client> GET / HTTP/1.1|Host: x|Connection: upgrade|Upgrade: ws||", "- dial 10.0.0.1", "dial ok",
			"target> HTTP/1.1 101 Switching Protocols|Connection: upgrade|Upgrade: ws||", "wait 5m", "client> a", "wait 5m", "abort",
			"target< GET / HTTP/1.1|Host: x|Upgrade: ws|Connection: upgrade||a",
			"client< HTTP/1.1 101 Switching Protocols|Upgrade: ws|Connection: upgrade||",
			"- target closed", "- end drained 101 in=1", "- client reset",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { playBounds(t, slowly, tt.script) })
	}
}

// TestAged proves that a connection closes with the answer that its bounds make
// the last, and that nobody's idle connection is closed for its age.
func TestAged(t *testing.T) {
	const ask, answer, last = "client> GET /fixed HTTP/1.1|Host: x||", "client< HTTP/1.1 200 OK|Content-Length: 5||fixed",
		"client< HTTP/1.1 200 OK|Content-Length: 5|Connection: close||fixed"
	end := "- end handled 200 out=5"
	t.Run("requests", func(t *testing.T) {
		playBounds(t, func(h *handler) { h.bounds.Requests = 3 }, []string{
			ask, answer, end, ask, answer, end, ask, last, end, "- client shut", "client eof", "- client closed",
		})
	})
	t.Run("age", func(t *testing.T) {
		playBounds(t, func(h *handler) { h.bounds.Age = time.Minute }, []string{
			ask, answer, end, "wait 40s", ask, answer, end, "wait 40s", ask, last, end, "- client shut", "client eof", "- client closed",
		})
	})
}
