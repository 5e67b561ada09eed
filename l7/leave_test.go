package l7_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/netip"
	"testing"
	"time"

	"portico/internal/netx"
	"portico/internal/netx/proxy"
	"portico/spec"
)

// twoSites makes the spec's VIP one of two sites that a name is answered with, so
// that a node that stops leaves for the TTL. The dns node probes from prober.
func twoSites(s *spec.Spec, ttl time.Duration) {
	s.Sites = append(s.Sites, spec.Site{Name: "west", Nodes: []spec.Node{{Name: "dns", Address: prober, Roles: []spec.Role{spec.RoleDNS}}}})
	s.VIPs[0].Addresses["west"] = []netip.Addr{netip.MustParseAddr("192.0.2.1")}
	s.Zones = []spec.Zone{{Name: "test", TTL: spec.Duration(ttl), Records: []spec.Record{{Name: "shop", VIP: "public"}}}}
}

var prober = netip.MustParseAddr("127.0.0.53")

// Clients of a node that leaves move with their next answer; a connection that
// idles is left alone until the leave ends, because a request may be on its way.
func TestLeaveMovesClients(t *testing.T) {
	const ttl = time.Second
	b := newBed(t, func(_ *bed, s *spec.Spec) {
		toOne(s, group("g", newTarget(t, "a")))
		twoSites(s, ttl)
	})
	busy, idle := b.dial(), b.dial()
	for _, c := range []*client{busy, idle} {
		if a := c.do("GET / shop.test"); a.Close {
			t.Error("an answer says close before the node leaves")
		}
	}
	began := time.Now()
	stopped := make(chan struct{})
	go func() { b.stop(); close(stopped) }()
	waitFor(t, "a new connection to end with its answer", func() bool {
		return b.dial().do("GET / shop.test").Close
	})
	if a := busy.do("GET / shop.test"); a.StatusCode != 200 || !a.Close {
		t.Errorf("a kept connection is answered with %d and close %v, want 200 and close", a.StatusCode, a.Close)
	}
	if _, err := idle.r.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("the idle connection ends with %v, want EOF", err)
	}
	if took := time.Since(began); took < ttl {
		t.Errorf("the idle connection was closed after %v, want not before %v", took, ttl)
	}
	<-stopped
}

// Behind l4 nodes the probe of a dns node is answered like any request for as
// long as these may not have noticed; what comes later has nowhere else to go.
func TestLeaveBehindL4(t *testing.T) {
	l4 := netip.MustParseAddr("127.0.0.9")
	b := newBed(t, func(_ *bed, s *spec.Spec) {
		toOne(s, group("g", newTarget(t, "a")))
		twoSites(s, time.Second)
		s.Sites[0].Nodes = append(s.Sites[0].Nodes, spec.Node{Name: "edge", Address: l4, Roles: []spec.Role{spec.RoleL4}})
	})
	vip := netip.AddrPortFrom(addr, b.http)
	ask := func(from netip.Addr) int {
		conn, err := netx.Dialer{Source: l4}.Dial(context.Background(), vip)
		if err != nil {
			t.Fatal(err)
		}
		c := newClient(t, conn)
		if _, err := conn.Write(proxy.Append(nil, proxy.Header{Source: netip.AddrPortFrom(from, 4000), Destination: vip})); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		return c.do("HEAD / shop.test").StatusCode
	}
	ready := func() string {
		conn, err := netx.Dialer{Source: l4}.Dial(context.Background(), vip)
		if err != nil {
			return err.Error()
		}
		defer func() { _ = conn.Close() }()
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		_, _ = conn.Write(proxy.AppendReadiness(nil))
		line, _ := bufio.NewReader(conn).ReadString('\n')
		return line
	}
	began := time.Now()
	stopped := make(chan struct{})
	go func() { b.stop(); close(stopped) }()
	waitFor(t, "the node to be draining", func() bool { return ready() == "draining\n" })
	if got := ask(prober); got != 200 && time.Since(began) < spec.ReadyTiming().Noticed() {
		t.Errorf("a probe before l4 nodes noticed gets %d, want 200", got)
	}
	waitFor(t, "a probe to fail", func() bool { return ask(prober) == 503 })
	if took := time.Since(began); took < spec.ReadyTiming().Noticed() {
		t.Errorf("a probe failed after %v, before l4 nodes noticed", took)
	}
	if got := ask(netip.MustParseAddr("203.0.113.7")); got != 200 {
		t.Errorf("a client gets %d, want 200", got)
	}
	<-stopped
}
