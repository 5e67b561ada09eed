package l7_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"portico/spec"
)

// TestShedding proves that with too many requests in flight those of low priority
// are turned away first, and that a client cannot raise its own.
func TestShedding(t *testing.T) {
	g := newGate(t, "one")
	var was *spec.Spec
	b := newBed(t, func(_ *bed, s *spec.Spec) {
		toOne(s, group("web", g.Server))
		prefix := func(p string) []spec.Match { return []spec.Match{{Path: &spec.PathMatch{Prefix: p}}} }
		s.Routes[0].Rules = []spec.Rule{
			{Match: prefix("/batch"), TargetGroups: refs("web"), Priority: spec.PriorityLow},
			{Match: prefix("/pay"), TargetGroups: refs("web"), Priority: spec.PriorityHigh},
			{TargetGroups: refs("web")},
		}
		s.Listeners[0].Shedding = &spec.Shedding{Requests: 4, Normal: 75, Low: 50, Header: "X-Priority"}
		was = s
	})
	var open []<-chan string
	begin := func(request string, headers ...string) {
		t.Helper()
		open = append(open, b.later(request, headers...))
		g.next(t)
	}
	begin("GET /batch any.test")
	begin("GET /batch any.test")
	b.said(b.later("GET /batch any.test"), "503 1")
	b.said(b.later("GET /pay any.test", "X-Priority: low"), "503 1")
	begin("GET / any.test")
	b.said(b.later("GET / any.test"), "503 1")
	b.said(b.later("GET / any.test", "X-Priority: high"), "503 1")
	begin("GET /pay any.test")
	b.said(b.later("GET /pay any.test"), "503 1")

	trusting := *was
	trusting.Listeners = append([]spec.Listener(nil), was.Listeners...)
	trusting.Listeners[0].TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	shedding := *was.Listeners[0].Shedding
	shedding.Requests = 5
	trusting.Listeners[0].Shedding = &shedding
	if err := b.apply(&trusting); err != nil {
		t.Fatal(err)
	}
	begin("GET / any.test", "X-Priority: high")
	for range open {
		g.open <- struct{}{}
	}
	for _, answer := range open {
		b.said(answer, "200 one")
	}
	go func() { g.open <- struct{}{} }()
	b.said(b.later("GET /batch any.test"), "200 one")
	if n := b.counted(t, "portico_l7_requests_shed_total"); n != 5 {
		t.Errorf("%v requests were counted as turned away, want 5", n)
	}
	if log := strings.Join(b.log.all(t, 11), "\n"); strings.Count(log, `"reason":"overloaded"`) != 5 {
		t.Errorf("the log:\n%s", log)
	}
}

// TestConnectionBounds proves that a connection ends, with a word to the client, at
// its number of requests.
func TestConnectionBounds(t *testing.T) {
	b := newBed(t, func(_ *bed, s *spec.Spec) {
		toOne(s, group("web", newTarget(t, "one")))
		s.Listeners[0].Limits.ConnectionRequests = 3
	})
	c := b.dial()
	for i := range 3 {
		if a := c.do("GET / any.test"); a.StatusCode != 200 || a.Close != (i == 2) {
			t.Errorf("request %d: %d, closes: %v", i, a.StatusCode, a.Close)
		}
	}
	if _, err := c.try("GET / any.test"); err == nil {
		t.Error("a fourth request was answered")
	}
}

// TestStreamBounds proves the same of a client of HTTP/2, which loses no request
// when it is told to make a new connection.
func TestStreamBounds(t *testing.T) {
	b := newBed(t, func(_ *bed, s *spec.Spec) {
		toOne(s, group("web", newTarget(t, "one")))
		s.Listeners[0].Limits.ConnectionRequests = 3
	})
	var dials atomic.Int64
	tr := &http.Transport{Protocols: new(http.Protocols), DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		dials.Add(1)
		return new(net.Dialer).DialContext(ctx, network, netip.AddrPortFrom(addr, b.http).String())
	}}
	tr.Protocols.SetUnencryptedHTTP2(true)
	defer tr.CloseIdleConnections()
	for i := range 9 {
		r, err := (&http.Client{Transport: tr, Timeout: 20 * time.Second}).Get("http://any.test/")
		if err != nil {
			t.Fatalf("request %d: %v", i, err)
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil || r.StatusCode != 200 || r.ProtoMajor != 2 {
			t.Errorf("request %d: %s %s, error %v", i, r.Proto, r.Status, err)
		}
		_ = r.Body.Close()
	}
	if n := dials.Load(); n < 2 {
		t.Errorf("9 requests took %d connections of 3 each", n)
	}
}

// TestMinRate proves that a client that trickles its body is cut off by the rate,
// though no pause is long.
func TestMinRate(t *testing.T) {
	b := newBed(t, func(_ *bed, s *spec.Spec) {
		toOne(s, group("web", newTarget(t, "one")))
		s.Listeners[0].Limits.MinRate = &spec.MinRate{Bytes: 1000, Over: spec.Duration(200 * time.Millisecond)}
	})
	c := b.dial()
	c.send("POST / HTTP/1.1\r\nHost: any.test\r\nContent-Length: 100000\r\n\r\n")
	said := make(chan string, 1)
	go func() { said <- c.status() }()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(10 * time.Second)
	for {
		select {
		case got := <-said:
			if want := "408 Request Timeout"; got != want {
				t.Errorf("answered %q, want %q", got, want)
			}
			return
		case <-tick.C:
			_, _ = c.conn.Write([]byte("a")) // fails once it is cut off
		case <-deadline:
			t.Fatal("it was not cut off")
		}
	}
}
