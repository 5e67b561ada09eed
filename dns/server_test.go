package dns_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	mdns "github.com/miekg/dns"
	"go.uber.org/goleak"

	"portico/dns"
	"portico/spec"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// listen returns the world with the node listening elsewhere.
func listen(addrs ...string) *spec.Spec {
	want := world()
	want.Sites[0].Nodes[0].DNS = nil
	for _, a := range addrs {
		want.Sites[0].Nodes[0].DNS = append(want.Sites[0].Nodes[0].DNS, netip.MustParseAddrPort(a))
	}
	return want
}

// TestApplyTaken proves that a spec whose address is taken changes nothing: the
// one before serves on, and so do its sockets.
func TestApplyTaken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	r := start(t, world())
	before := r.addr()
	next := listen("127.0.0.1:0", "127.0.0.2:0", taken.Addr().String())
	next.Zones[0].Records = nil
	next.Zones[0].Nameservers = next.Zones[0].Nameservers[:1]
	err = r.Apply(next)
	if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), taken.Addr().String()) {
		t.Fatalf("Apply = %v", err)
	}
	if listeners, _ := r.Status(); len(listeners) != 1 || r.addr() != before {
		t.Errorf("it listens on %v, before on %s", listeners, before)
	}
	if m := r.ask("udp", query("host.example.com.", mdns.TypeA)); len(m.Answer) != 1 {
		t.Errorf("%v", m)
	}
}

// TestApplyUDPTaken proves that an address is refused when only its UDP port is
// taken, by somebody who does not share it.
func TestApplyUDPTaken(t *testing.T) {
	taken, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	s := dns.New(dns.Options{Self: "east-1", Log: slog.New(slog.DiscardHandler)})
	if err := s.Apply(listen(taken.LocalAddr().String())); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("Apply = %v", err)
	}
}

// TestApplyProblems proves that a spec with problems is refused whole.
func TestApplyProblems(t *testing.T) {
	r := start(t, world())
	bad := world()
	bad.Zones[0].Records[0].VIP = "publik"
	var problems spec.Problems
	if err := r.Apply(bad); !errors.As(err, &problems) || len(problems) != 1 {
		t.Fatalf("Apply = %v", err)
	}
	if m := r.ask("udp", query("example.com.", mdns.TypeA)); len(m.Answer) != 1 {
		t.Errorf("%v", m)
	}
}

// TestApplySwaps proves that a new spec answers at once, that an open connection
// stays where its address does, and that an address that is gone is closed.
func TestApplySwaps(t *testing.T) {
	r := start(t, listen("127.0.0.1:0", "127.0.0.2:0"))
	listeners, _ := r.Status()
	kept, gone := listeners[0].Address, listeners[1].Address
	c := r.dial()
	defer func() { _ = c.Close() }()

	next := listen("127.0.0.1:0")
	next.Zones[0].Records = []spec.Record{{Name: "new", TXT: []string{"x"}}}
	next.Zones[0].Nameservers = next.Zones[0].Nameservers[:1]
	if err := r.Apply(next); err != nil {
		t.Fatal(err)
	}
	if r.addr() != kept.String() {
		t.Errorf("it listens on %s, before on %s", r.addr(), kept)
	}
	conn := &mdns.Conn{Conn: c}
	if err := conn.WriteMsg(query("new.example.com.", mdns.TypeTXT)); err != nil {
		t.Fatal(err)
	}
	if m, err := conn.ReadMsg(); err != nil || len(m.Answer) != 1 {
		t.Errorf("on a connection from before: %v, %v", err, m)
	}
	if m := r.ask("udp", query("host.example.com.", mdns.TypeA)); m.Rcode != mdns.RcodeNameError {
		t.Errorf("a name that is gone: %v", m)
	}
	if c, err := net.DialTimeout("tcp", gone.String(), time.Second); err == nil {
		_ = c.Close()
		t.Errorf("%s still listens", gone)
	}
	if err := r.Apply(listen("127.0.0.1:0", gone.String())); err != nil {
		t.Errorf("an address that was let go of: %v", err)
	}
}

// TestNoRole proves that a node without the dns role, or not in the spec, binds
// nothing.
func TestNoRole(t *testing.T) {
	for _, change := range []func(*spec.Spec){
		func(s *spec.Spec) { s.Sites[0].Nodes[0].Roles = []spec.Role{spec.RoleL7} },
		func(s *spec.Spec) { s.Sites[0].Nodes = nil },
		func(s *spec.Spec) { *s = spec.Spec{} },
	} {
		want := world()
		change(want)
		r := start(t, want)
		if listeners, _ := r.Status(); len(listeners) != 0 {
			t.Errorf("it listens on %v", listeners)
		}
	}
}

// TestCheck proves what is said of the addresses a node would listen on.
func TestCheck(t *testing.T) {
	want := listen("0.0.0.0:53")
	want.Zones = nil
	want.Sites[1].Nodes = []spec.Node{
		{Name: "west-1", DNS: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:53")}},
		{Name: "west-2", DNS: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:53")}},
	}
	var got []string
	for _, p := range dns.New(dns.Options{}).Check(want) {
		got = append(got, p.String())
	}
	if !slices.Equal(got, []string{
		"sites[0].nodes[0].dns[0]: 0.0.0.0:53 is every address, and a reply must come from the one that was asked; list the addresses",
		"sites[1].nodes[1].dns[0]: 127.0.0.1:53 is taken by sites[1].nodes[0].dns[0]",
	}) {
		t.Errorf("%q", got)
	}
}

// TestRunEnds proves that the end of Run answers what was received, closes idle
// connections at once and does not wait for one that sends half a query.
func TestRunEnds(t *testing.T) {
	want := world()
	want.Drain = spec.Duration(time.Second)
	r := start(t, want)
	idle, half := r.dial(), r.dial()
	defer func() { _ = idle.Close(); _ = half.Close() }()
	if _, err := half.Write([]byte{0, 40, 1, 2, 3}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "both connections are taken", func() bool {
		listeners, _ := r.Status()
		return listeners[0].Active == 2
	})
	u, err := net.Dial("udp", r.addr())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = u.Close() }()
	msg, _ := query("host.example.com.", mdns.TypeA).Pack()
	for range 100 {
		if _, err := u.Write(msg); err != nil {
			t.Fatal(err)
		}
	}
	r.stop()
	for i := range 100 {
		if m := read(t, u); len(m.Answer) != 1 {
			t.Fatalf("reply %d: %v", i, m)
		}
	}
	if _, err := frame(idle); err == nil {
		t.Errorf("the idle connection is still there")
	}
	if err := r.Apply(world()); err == nil {
		t.Errorf("a spec was applied after the end")
	}
	if err := r.Run(context.Background()); err == nil {
		t.Errorf("it ran twice")
	}
}

// TestRunFinishesQueries proves that a query that is half sent when Run ends is
// answered when its rest comes in time.
func TestRunFinishesQueries(t *testing.T) {
	want := world()
	want.Drain = spec.Duration(10 * time.Second)
	r := start(t, want)
	c := r.dial()
	defer func() { _ = c.Close() }()
	msg, _ := query("host.example.com.", mdns.TypeA).Pack()
	msg = append([]byte{0, byte(len(msg))}, msg...)
	if _, err := c.Write(msg[:20]); err != nil {
		t.Fatal(err)
	}
	eventually(t, "half of the query is read", func() bool { return r.Busy() == 1 })
	ended := make(chan struct{})
	go func() { r.stop(); close(ended) }()
	eventually(t, "it stopped listening", func() bool {
		listeners, _ := r.Status()
		return len(listeners) == 0
	})
	if _, err := c.Write(msg[20:]); err != nil {
		t.Fatal(err)
	}
	if m, err := frame(c); err != nil || len(m.Answer) != 1 {
		t.Errorf("%v, %v", err, m)
	}
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		t.Errorf("Run did not end")
	}
}

// TestManyRecords proves that thousands of names answer alike.
func TestManyRecords(t *testing.T) {
	want := world()
	for i := range 5000 {
		want.Zones[0].Records = append(want.Zones[0].Records, spec.Record{Name: fmt.Sprintf("n%d", i), VIP: "public"})
	}
	r := start(t, want)
	for _, i := range []int{0, 2500, 4999} {
		if m := r.ask("udp", query(fmt.Sprintf("n%d.example.com.", i), mdns.TypeA)); len(m.Answer) != 2 {
			t.Errorf("n%d: %v", i, m)
		}
	}
}
