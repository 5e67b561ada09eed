package l7_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"portico/spec"
)

// A connection lives through a new spec: what it asks after it is routed by it.
func TestReloadKeepsConnections(t *testing.T) {
	one, two := newTarget(t, "one"), newTarget(t, "two")
	b := newBed(t, func(_ *bed, s *spec.Spec) { toOne(s, group("g", one)) })
	c := b.dial()
	if got := c.do("GET / shop.test").seen(t).Target; got != "one" {
		t.Fatalf("before: %s", got)
	}
	next := b.base()
	toOne(next, group("g", two))
	if err := b.apply(next); err != nil {
		t.Fatal(err)
	}
	if got := c.do("GET / shop.test").seen(t).Target; got != "two" {
		t.Errorf("after: %s", got)
	}
}

// A spec that cannot be applied changes nothing: sockets it opened are closed,
// old ones serve on, on the same connections.
func TestApplyFails(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	b := newBed(t, func(_ *bed, s *spec.Spec) { toOne(s, group("g", newTarget(t, "one"))) })
	c := b.dial()
	c.do("GET / shop.test")

	next := b.base()
	toOne(next, group("g", newTarget(t, "two")))
	free := freePort(t)
	next.Listeners = append(next.Listeners,
		spec.Listener{Name: "new", VIP: "public", Port: free, Protocol: spec.ProtocolHTTP, Routes: next.Listeners[0].Routes},
		spec.Listener{Name: "taken", VIP: "public", Port: uint16(taken.Addr().(*net.TCPAddr).Port), Protocol: spec.ProtocolHTTP})
	if err := b.server.Apply(next); err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Fatalf("Apply = %v", err)
	}
	if a := c.do("GET / shop.test"); a.seen(t).Target != "one" {
		t.Errorf("the old spec does not serve: %q", a.text)
	}
	if conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", free)); err == nil {
		_ = conn.Close()
		t.Error("a socket of the failed spec is open")
	}
	if n := len(b.server.Status()); n != 1 {
		t.Errorf("there are %d listeners", n)
	}
}

// A removed listener accepts nothing new, finishes what is in flight, and
// leaves the connections of others alone.
func TestRemovedListenerDrains(t *testing.T) {
	slow := newSlow(t)
	b := newBed(t, func(b *bed, s *spec.Spec) {
		toOne(s, group("g", slow.Server))
		s.Listeners = append(s.Listeners, spec.Listener{Name: "other", VIP: "public", Port: b.https, Protocol: spec.ProtocolHTTP, Routes: []spec.RouteName{"all"}})
	})
	stays := b.dial()
	stays.do("GET / shop.test")
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", b.https))
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(t, conn)
	got := make(chan answer)
	go func() {
		a, err := c.try("GET /slow shop.test")
		if err != nil {
			t.Errorf("the request in flight: %v", err)
		}
		got <- a
	}()
	<-slow.came
	next := b.base()
	toOne(next, group("g", slow.Server))
	if err := b.apply(next); err != nil {
		t.Fatal(err)
	}
	if conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", b.https)); err == nil {
		_ = conn.Close()
		t.Error("the removed listener still accepts")
	}
	close(slow.goOn)
	if a := <-got; a.Response == nil || a.StatusCode != 200 || !a.Close {
		t.Errorf("the request in flight: %+v", a.Response)
	}
	if _, err := c.r.ReadByte(); err != io.EOF {
		t.Errorf("the connection goes on: %v", err)
	}
	stays.do("GET / shop.test")
}

// slowTarget holds answers to /slow back until goOn is closed.
type slowTarget struct {
	*httptest.Server
	came, goOn chan struct{}
}

func newSlow(t *testing.T) *slowTarget {
	t.Helper()
	s := &slowTarget{came: make(chan struct{}, 100), goOn: make(chan struct{})}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			s.came <- struct{}{}
			select {
			case <-s.goOn:
			case <-r.Context().Done():
			}
		}
		_, _ = io.WriteString(w, "done")
	}))
	t.Cleanup(s.Close)
	return s
}

// A server that ends under load fails no request that it accepted.
func TestDrainUnderLoad(t *testing.T) {
	slow := newSlow(t)
	b := newBed(t, func(_ *bed, s *spec.Spec) { toOne(s, group("g", slow.Server)) })
	var done, failed atomic.Int64
	var clients sync.WaitGroup
	for range 8 {
		clients.Go(func() {
			c := b.dial()
			for {
				a, err := c.try("GET / shop.test")
				if err != nil || a.StatusCode != 200 || a.text != "done" {
					failed.Add(1)
					t.Errorf("request failed: %v, %v", err, a.Response)
					return
				}
				done.Add(1)
				if a.Close {
					return
				}
			}
		})
	}
	waitFor(t, "load", func() bool { return done.Load() > 500 })
	b.stop()
	clients.Wait()
	if failed.Load() > 0 {
		t.Errorf("%d of %d requests failed", failed.Load(), done.Load())
	}
	if err := b.server.Apply(b.base()); err == nil || !strings.Contains(err.Error(), "stopped") {
		t.Errorf("Apply to a server that ended: %v", err)
	}
}

// A node that leaves a VIP tells the dns nodes that probe it, and serves clients
// until they have noticed.
func TestLeaves(t *testing.T) {
	b := newBed(t, func(_ *bed, s *spec.Spec) {
		toOne(s, group("g", newTarget(t, "a")))
		s.Drain = spec.Duration(4 * time.Second)
		s.Sites = append(s.Sites, spec.Site{Name: "west", Nodes: []spec.Node{{Name: "dns", Address: addr, Roles: []spec.Role{spec.RoleDNS}}}})
		s.VIPs[0].Addresses["west"] = []netip.Addr{netip.MustParseAddr("192.0.2.1")}
		s.Zones = []spec.Zone{{Name: "test", TTL: spec.Duration(time.Second), Records: []spec.Record{{Name: "shop", VIP: "public"}}}}
	})
	if got := b.dial().do("HEAD / shop.test").StatusCode; got != 200 {
		t.Errorf("before it leaves a probe gets %d", got)
	}
	stopped := make(chan struct{})
	go func() { b.stop(); close(stopped) }()
	waitFor(t, "a probe to fail", func() bool {
		return b.dial().do("HEAD / shop.test").StatusCode == 503
	})
	if got := b.dial().do("GET / shop.test").StatusCode; got != 200 {
		t.Errorf("while it leaves a client gets %d", got)
	}
	<-stopped
	if conn, err := net.Dial("tcp", netip.AddrPortFrom(addr, b.http).String()); err == nil {
		_ = conn.Close()
		t.Error("it still accepts when it has left")
	}
}

// What does not end within the drain bound is reset, and the log says so.
func TestDrainBound(t *testing.T) {
	slow := newSlow(t)
	b := newBed(t, func(_ *bed, s *spec.Spec) {
		s.Drain = spec.Duration(300 * time.Millisecond)
		toOne(s, group("g", slow.Server))
	})
	c := b.dial()
	ended := make(chan error)
	go func() {
		_, err := c.try("GET /slow shop.test")
		ended <- err
	}()
	<-slow.came
	b.stop()
	if err := <-ended; err == nil {
		t.Error("a request outlived the drain bound")
	}
	if line := b.log.all(t, 1)[0]; !strings.Contains(line, `"reason":"drained"`) {
		t.Errorf("log line %s", line)
	}
}

// Clients get the certificate of the name they ask for; a new one greets new
// connections and leaves open ones alone.
func TestTLS(t *testing.T) {
	var first *spec.Spec
	b := newBed(t, func(b *bed, s *spec.Spec) {
		toOne(s, group("g", newTarget(t, "a")))
		s.Certificates = []spec.Certificate{issue(t, "first", "first.test"), issue(t, "shop", "shop.test"), issue(t, "wild", "*.shop.test")}
		s.Listeners = append(s.Listeners, spec.Listener{Name: "https", VIP: "public", Port: b.https, Protocol: spec.ProtocolHTTPS, Routes: []spec.RouteName{"all"}})
		first = s
	})
	greet := func(name string) (string, *client) {
		c, conn := b.dialTLS(&tls.Config{ServerName: name, InsecureSkipVerify: true})
		return conn.ConnectionState().PeerCertificates[0].Subject.CommonName, c
	}
	for name, want := range map[string]string{"shop.test": "shop", "a.shop.test": "wild", "other.test": "first"} {
		got, c := greet(name)
		if got != want {
			t.Errorf("%s is greeted by %s, want %s", name, got, want)
		}
		if s := c.do("GET / " + name).seen(t); s.Header.Get("X-Forwarded-Proto") != "https" || s.Header.Get("X-Forwarded-Port") != fmt.Sprint(b.https) {
			t.Errorf("the target saw %v", s.Header)
		}
	}
	_, open := greet("shop.test")
	next := *first
	next.Certificates = []spec.Certificate{issue(t, "renewed", "shop.test")}
	if err := b.apply(&next); err != nil {
		t.Fatal(err)
	}
	if got, _ := greet("shop.test"); got != "renewed" {
		t.Errorf("after the swap shop.test is greeted by %s", got)
	}
	open.do("GET / shop.test")
	if line := b.log.all(t, 4)[3]; !strings.Contains(line, `"tls":"TLS 1.3"`) {
		t.Errorf("log line %s", line)
	}
	bad := next
	bad.Certificates = []spec.Certificate{{Hosts: []string{"shop.test"}}}
	if err := b.server.Apply(&bad); err == nil {
		t.Error("a certificate that is none was applied")
	}
	bad.Certificates = nil
	if ps := b.server.Check(&bad); len(ps) != 1 || !strings.Contains(ps[0].String(), `listeners[1].protocol: listener "https" is https and there is no certificate`) {
		t.Errorf("Check = %v", ps)
	}
}
