package l7_test

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"portico/spec"
)

// What goes wrong has its status, its reason in the log, and an id in both.
func TestFailures(t *testing.T) {
	refused := netAddr(t)
	mute := newMute(t, "")
	garbage := newMute(t, "what?\r\n\r\n")
	b := newBed(t, func(_ *bed, s *spec.Spec) {
		to := func(name spec.TargetGroupName, a spec.AddrPort) {
			g := spec.TargetGroup{Name: name, Targets: []spec.Target{{Address: a, Weight: 1}}}
			if name == "mute" { // the others have all the time there is
				g.Timeouts.Response = spec.Duration(200 * time.Millisecond)
			}
			s.TargetGroups = append(s.TargetGroups, g)
			s.Routes = append(s.Routes, spec.Route{
				Name: spec.RouteName(name), Hosts: []string{string(name) + ".test"}, Rules: []spec.Rule{{TargetGroups: refs(name)}},
			})
			s.Listeners[0].Routes = append(s.Listeners[0].Routes, spec.RouteName(name))
		}
		to("refused", refused)
		to("mute", mute)
		to("garbage", garbage)
		to("empty", refused)
		s.TargetGroups[3].Targets = nil
	})
	tests := []struct {
		host   string
		status int
		reason string
	}{
		{"nobody.test", 404, "handled"},
		{"empty.test", 503, "no-target"},
		{"refused.test", 502, "target-connect-failed"},
		{"garbage.test", 502, "target-bad-response"},
		{"mute.test", 504, "target-timeout"},
	}
	ids := make([]string, len(tests))
	for i, tt := range tests {
		a := b.dial().do("GET /x " + tt.host)
		id := a.Header.Get("X-Request-Id")
		want := fmt.Sprintf("%d %s\nrequest %s\n", tt.status, http.StatusText(tt.status), id)
		if a.StatusCode != tt.status || len(id) != 32 || a.text != want {
			t.Errorf("%s: %d %q, want %q", tt.host, a.StatusCode, a.text, want)
		}
		ids[i] = id
	}
	log := strings.Join(b.log.all(t, len(tests)), "\n")
	for i, tt := range tests {
		_, rest, ok := strings.Cut(log, `"id":"`+ids[i]+`","reason":"`+tt.reason+`"`)
		if !ok || rest == "" {
			t.Errorf("%s: the log has no line of request %s with reason %s:\n%s", tt.host, ids[i], tt.reason, log)
		}
	}
	failed := b.server.Status()[0].Failed
	if failed != 4 {
		t.Errorf("Failed = %d, want 4", failed)
	}
}

// netAddr is an address that refuses connections.
func netAddr(t *testing.T) spec.AddrPort {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	return spec.AddrPort{AddrPort: ln.Addr().(*net.TCPAddr).AddrPort()}
}

// newMute starts a target that says the same to everyone, and nothing more.
func newMute(t *testing.T, text string) spec.AddrPort {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = conn.Close() })
			go func() {
				if _, err := conn.Read(make([]byte, 4096)); err == nil {
					_, _ = conn.Write([]byte(text))
				}
			}()
		}
	}()
	return spec.AddrPort{AddrPort: ln.Addr().(*net.TCPAddr).AddrPort()}
}
