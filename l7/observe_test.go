package l7_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"portico/internal/netx/proxy"
	"portico/spec"
)

// The access log says what was asked, where it went and how it ended, whatever
// bytes the client sent.
func TestAccessLog(t *testing.T) {
	tgt := newTarget(t, "a")
	b := newBed(t, func(_ *bed, s *spec.Spec) { toOne(s, group("g", tgt)) })
	b.dial().do("GET /x?y=1 shop.test:81")
	if a := b.dial().do("GET /\xff\"\\</a shop.test"); a.StatusCode != 400 {
		t.Errorf("a hostile path is answered by %d", a.StatusCode)
	}
	c := b.dial()
	c.send("GET /\x1b[2J\n HTTP/9.9\r\n\x00\"}\r\n\r\n")
	if got := c.status(); got != "400 Bad Request" {
		t.Errorf("garbage is answered by %s", got)
	}
	var got []map[string]any
	for _, line := range b.log.all(t, 3) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Errorf("line %q: %v", line, err)
		}
		got = append(got, m)
	}
	// Lines of different connections come in any order.
	slices.SortStableFunc(got, func(a, b map[string]any) int { return int(a["status"].(float64) - b["status"].(float64)) })
	want := map[string]any{
		"listener": "http", "client": "127.0.0.1", "method": "GET", "host": "shop.test:81", "path": "/x?y=1", "protocol": "HTTP/1.1", "status": 200.0,
		"route": "all", "rule": 0.0, "targetGroup": "g", "target": addressOf(tgt).String(), "retries": 0.0, "reason": "ok",
	}
	for k, v := range want {
		if got[0][k] != v {
			t.Errorf("%s is %v, want %v", k, got[0][k], v)
		}
	}
	if got[0]["bytesOut"].(float64) < 10 || got[0]["duration"].(float64) <= 0 {
		t.Errorf("line %v", got[0])
	}
	if got[2]["reason"] != "client-bad-request" || got[2]["path"] != nil || got[2]["detail"] == nil {
		t.Errorf("the line of garbage is %v", got[2])
	}
}

// The common format and no log at all.
func TestAccessLogFormats(t *testing.T) {
	var first *spec.Spec
	b := newBed(t, func(_ *bed, s *spec.Spec) {
		s.AccessLog = spec.AccessLogCommon
		toOne(s, group("g", newTarget(t, "a")))
		first = s
	})
	c := b.dial()
	c.do("GET /x shop.test")
	off := *first
	off.AccessLog = spec.AccessLogOff
	if err := b.apply(&off); err != nil {
		t.Fatal(err)
	}
	c.do("GET /y shop.test")
	if err := b.apply(first); err != nil {
		t.Fatal(err)
	}
	c.do("GET /z shop.test")
	lines := b.log.all(t, 2)
	if len(lines) != 2 || !strings.HasPrefix(lines[0], "127.0.0.1 - - [") || !strings.Contains(lines[0], `] "GET /x HTTP/1.1" 200 `) || !strings.Contains(lines[1], "/z") {
		t.Errorf("lines %q", lines)
	}
}

// Requests are counted by listener, route, code and reason, and the series go
// with the route.
func TestMetrics(t *testing.T) {
	tgt := newTarget(t, "a")
	answer := tgt.Config.Handler
	tgt.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/999" {
			w.WriteHeader(999)
		}
		answer.ServeHTTP(w, r)
	})
	b := newBed(t, func(_ *bed, s *spec.Spec) {
		toOne(s, group("g", tgt))
		s.Routes[0].Hosts = []string{"shop.test"}
	})
	c := b.dial()
	c.do("GET / shop.test")
	c.do("GET / shop.test")
	c.do("GET / evil.test")
	c.do("GET /999 shop.test")
	waitFor(t, "the last request to be counted", func() bool { return b.server.Status()[0].Total == 4 })
	got, err := b.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	text := map[string]float64{}
	for _, f := range got {
		for _, m := range f.GetMetric() {
			key := f.GetName()
			for _, l := range m.GetLabel() {
				if l.GetValue() == "evil.test" {
					t.Errorf("a client chose a label of %s", f.GetName())
				}
				key += " " + l.GetValue()
			}
			text[key] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	for key, want := range map[string]float64{
		"portico_l7_requests_total 2xx http all":       2,
		"portico_l7_requests_total 4xx http ":          1,
		"portico_l7_requests_total 5xx http all":       1, // a status that no class has
		"portico_l7_request_duration_seconds http all": 3,
		"portico_l7_requests_ended_total http ok":      3,
		"portico_l7_requests_ended_total http handled": 1,
		"portico_l7_requests_active http":              0,
		"portico_l7_connections":                       1,
	} {
		if got, ok := text[key]; !ok || got != want {
			t.Errorf("%s is %v, want %v", key, got, want)
		}
	}
	st := b.server.Status()
	if len(st) != 1 || st[0].Name != "http" || st[0].Tier != spec.RoleL7 || st[0].Active != 1 || st[0].Total != 4 || st[0].Failed != 0 {
		t.Errorf("Status = %+v", st)
	}
	next := b.base()
	next.Listeners[0].Name = "renamed"
	if err := b.apply(next); err != nil {
		t.Fatal(err)
	}
	if n, err := testutil.GatherAndCount(b.metrics, "portico_l7_requests_total"); err != nil || n != 6 {
		t.Errorf("after the route is gone there are %d series, %v", n, err)
	}
}

// Behind l4 nodes the client is the one the PROXY header names, the VIP tells
// the listener, and nobody else may connect.
func TestBehindL4(t *testing.T) {
	const vip, other = "192.0.2.10", "192.0.2.20"
	b := newBed(t, func(_ *bed, s *spec.Spec) {
		s.Sites[0].Nodes = append(s.Sites[0].Nodes, spec.Node{Name: "l4", Address: addr, Roles: []spec.Role{spec.RoleL4}})
		s.VIPs[0].Addresses["east"] = []netip.Addr{netip.MustParseAddr(vip)}
		s.VIPs = append(s.VIPs, spec.VIP{Name: "internal", Addresses: map[spec.SiteName][]netip.Addr{"east": {netip.MustParseAddr(other)}}})
		toOne(s, group("g", newTarget(t, "a")))
		second := s.Listeners[0]
		second.Name, second.VIP, second.Routes = "internal", "internal", nil
		s.Listeners = append(s.Listeners, second)
		s.Drain = spec.Duration(1)
	})
	from := func(to string) *client {
		c := b.dial()
		h := proxy.Append(nil, proxy.Header{Source: netip.MustParseAddrPort("203.0.113.7:5555"), Destination: netip.MustParseAddrPort(to)})
		if _, err := c.conn.Write(h); err != nil {
			t.Fatal(err)
		}
		return c
	}
	if got := from(vip + ":80").do("GET / shop.test").seen(t).Header.Get("X-Forwarded-For"); got != "203.0.113.7" {
		t.Errorf("the client is %s", got)
	}
	if a := from(other + ":80").do("GET / shop.test"); a.StatusCode != 404 {
		t.Errorf("the other VIP is answered by %d", a.StatusCode)
	}
	if _, err := from("192.0.2.99:80").try("GET / shop.test"); err == nil {
		t.Error("a VIP nobody has is answered")
	}
	if _, err := b.dial().try("GET / shop.test"); err == nil { // held to send a header first
		t.Error("a connection without a PROXY header is answered")
	}
	if n, err := testutil.GatherAndCount(b.metrics, "portico_l7_connections_refused_total"); err != nil || n != 6 {
		t.Errorf("there are %d reasons to refuse, %v", n, err)
	}
	ready := func() string {
		c := b.dial()
		if _, err := c.conn.Write(proxy.AppendReadiness(nil)); err != nil {
			t.Fatal(err)
		}
		line, _ := c.r.ReadString('\n')
		return line
	}
	if got := ready(); got != "ready\n" {
		t.Errorf("readiness is %q", got)
	}
}

// An upgraded connection carries bytes both ways until one side ends.
func TestUpgrade(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	go func() { // says 101, then echoes
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		r := bufio.NewReader(conn)
		req, err := http.ReadRequest(r)
		if err != nil || req.Header.Get("Upgrade") != "websocket" || req.Header.Get("Sec-WebSocket-Key") != "k" {
			t.Errorf("the target saw %v, %v", req, err)
			return
		}
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
		_, _ = io.Copy(conn, r)
	}()
	g := spec.TargetGroup{Name: "g", Targets: []spec.Target{{Address: spec.AddrPort{AddrPort: ln.Addr().(*net.TCPAddr).AddrPort()}, Weight: 1}}}
	b := newBed(t, func(_ *bed, s *spec.Spec) { toOne(s, g) })
	c := b.dial()
	c.send("GET /ws HTTP/1.1\r\nHost: shop.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n\r\n")
	if got := c.status(); got != "101 Switching Protocols" {
		t.Fatalf("answer %s", got)
	}
	for _, word := range []string{"ping\n", "pong\n"} {
		c.send("%s", word)
		if got, err := c.r.ReadString('\n'); err != nil || got != word {
			t.Errorf("%q came back as %q, %v", word, got, err)
		}
	}
	_ = c.conn.Close()
	if line := b.log.all(t, 1)[0]; !strings.Contains(line, `"status":101`) || !strings.Contains(line, `"bytesIn":10`) {
		t.Errorf("log line %s", line)
	}
}

// CONNECT makes a tunnel to a target where a rule says so, and nowhere else; such
// a rule takes nothing else.
func TestConnect(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	go func() { // greets, as an SSH server does, then echoes
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		_, _ = io.WriteString(conn, "hello\n")
		_, _ = io.Copy(conn, conn)
	}()
	raw := spec.TargetGroup{Name: "raw", Targets: []spec.Target{{Address: spec.AddrPort{AddrPort: ln.Addr().(*net.TCPAddr).AddrPort()}, Weight: 1}}}
	b := newBed(t, func(_ *bed, s *spec.Spec) {
		toOne(s, group("g", newTarget(t, "a")))
		s.TargetGroups = append(s.TargetGroups, raw)
		s.Routes = append([]spec.Route{{
			Name: "tunnel", Hosts: []string{"bastion.test"},
			Rules: []spec.Rule{{Connect: true, TargetGroups: []spec.GroupRef{{Name: "raw", Weight: 1}}}},
		}}, s.Routes...)
		s.Listeners[0].Routes = append([]spec.RouteName{"tunnel"}, s.Listeners[0].Routes...)
	})
	c := b.dial()
	c.send("CONNECT bastion.test:22 HTTP/1.1\r\nHost: bastion.test:22\r\n\r\nping\n")
	if got := c.status(); got != "200 OK" {
		t.Fatalf("answer %s", got)
	}
	for _, want := range []string{"hello\n", "ping\n"} {
		if got, err := c.r.ReadString('\n'); err != nil || got != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
	_ = c.conn.Close()
	if line := b.log.all(t, 1)[0]; !strings.Contains(line, `"method":"CONNECT"`) || !strings.Contains(line, `"status":200`) {
		t.Errorf("log line %s", line)
	}
	for ask, want := range map[string]string{
		"CONNECT shop.test:443 HTTP/1.1\r\nHost: shop.test:443\r\n\r\n": "501 Not Implemented",
		"GET / HTTP/1.1\r\nHost: bastion.test\r\n\r\n":                  "404 Not Found",
	} {
		c := b.dial()
		c.send("%s", ask)
		if got := c.status(); got != want {
			t.Errorf("%q is answered %s, want %s", ask, got, want)
		}
	}
}

// A listener takes as many connections as its limit allows, and goes on when
// some have ended.
func TestConnectionLimit(t *testing.T) {
	b := newBed(t, func(_ *bed, s *spec.Spec) {
		toOne(s, group("g", newTarget(t, "a")))
		s.Listeners[0].Limits.Connections = 2
	})
	first := b.dial()
	first.do("GET / shop.test")
	b.dial().do("GET / shop.test")
	served := func() bool {
		conn, err := net.Dial("tcp", netip.AddrPortFrom(addr, b.http).String())
		if err != nil {
			return false // reset before the dial was over
		}
		a, err := newClient(t, conn).try("GET / shop.test")
		return err == nil && a.StatusCode == 200
	}
	if served() {
		t.Error("a third connection was served")
	}
	_ = first.conn.Close()
	waitFor(t, "room for another", served)
}
