package relay_test

import (
	"bytes"
	"encoding/json"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"portico/internal/netx"
	"portico/l4/relay"
	"portico/spec"
	"portico/spec/status"
)

// udpServer answers each datagram with its name and what it got, until the test ends.
func udpServer(tb testing.TB, ip, name string) netip.AddrPort {
	tb.Helper()
	return udpServerAt(tb, netip.AddrPortFrom(netip.MustParseAddr(ip), 0), name)
}

func udpServerAt(tb testing.TB, at netip.AddrPort, name string) netip.AddrPort {
	tb.Helper()
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
	if err != nil {
		tb.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		b := make([]byte, 1<<16)
		for {
			n, from, err := c.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			_, _ = c.WriteToUDPAddrPort(append([]byte(name), b[:n]...), from)
		}
	})
	tb.Cleanup(func() {
		_ = c.Close()
		wg.Wait()
	})
	return c.LocalAddr().(*net.UDPAddr).AddrPort()
}

// udpSpec is tcpSpec for datagrams.
func udpSpec(vip netip.AddrPort, targets ...netip.AddrPort) *spec.Spec {
	want := tcpSpec(vip, targets...)
	want.Listeners[0].Protocol = spec.ProtocolUDP
	want.Drain = spec.Duration(50 * time.Millisecond) // nothing says that a flow is over
	return want
}

// udpClient sends to one address and takes answers from that alone.
func udpClient(tb testing.TB, to netip.AddrPort) *net.UDPConn {
	tb.Helper()
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(to))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(hang))
	return c
}

// ask sends a datagram and returns what comes back; one that is lost is sent again.
func ask(tb testing.TB, c *net.UDPConn, text string) string {
	tb.Helper()
	b := make([]byte, 1<<16)
	for range 5 {
		if _, err := c.Write([]byte(text)); err != nil {
			continue // an ICMP error of one before
		}
		_ = c.SetReadDeadline(time.Now().Add(hang / 5))
		if n, err := c.Read(b); err == nil {
			return string(b[:n])
		}
	}
	tb.Fatal("no datagram comes back")
	return ""
}

// Datagrams reach the target and answers come from the address that was asked, over
// IPv4 and IPv6, also where the listener has all addresses; beside a tcp listener on
// the same port.
func TestDatagrams(t *testing.T) {
	for _, tt := range []struct{ name, bind, vip, target string }{
		{"v4", "127.0.1.10", "127.0.1.10", "127.0.2.1"},
		{"v6", "::1", "::1", "::1"},
		{"v6 to v4", "::1", "::1", "127.0.2.1"},
		{"all of v4", "0.0.0.0", "127.0.9.9", "127.0.2.1"},
		{"all of v6", "::", "::1", "::1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			at := free(t, tt.bind)
			want := udpSpec(at, udpServer(t, tt.target, "1:"))
			want.Listeners = append(want.Listeners, spec.Listener{Name: "tcp", VIP: "public", Port: at.Port(), Protocol: spec.ProtocolTCP, TargetGroups: []spec.GroupRef{{Name: "db", Weight: 1}}})
			b := start(t, want)
			vip := netip.AddrPortFrom(netip.MustParseAddr(tt.vip), at.Port())
			for scheme, want := range map[string]string{"udp": `listener "db" on `, "tcp": `listener "tcp" on `} {
				a, ok := b.relay.Explain(status.Question{URL: scheme + "://" + vip.String(), VIP: vip, From: vip.Addr()})
				if !ok || !strings.HasPrefix(a.Lines[0].Text, want) {
					t.Errorf("Explain of %s = %+v, %v, want %s", scheme, a, ok, want)
				}
			}
			c := udpClient(t, vip)
			for _, text := range []string{"hello", "", string(bytes.Repeat([]byte("x"), 9000))} {
				if got := ask(t, c, text); got != "1:"+text {
					t.Errorf("got %d bytes back, want %d", len(got), len(text)+2)
				}
			}
			if n := b.metric("portico_l4_flows_active", "db"); n != 1 {
				t.Errorf("%v flows are active, want 1", n)
			}
			b.stop()
			<-b.stopped
			if n := b.metric("portico_l4_bytes_total", "target"); n < 9005 {
				t.Errorf("%v bytes to the target counted, want all", n)
			}
		})
	}
}

// A flow of datagrams stays on its target while others come and go, ends when it is
// idle, and goes elsewhere where nobody listens.
func TestDatagramsStay(t *testing.T) {
	vip := free(t, "127.0.1.10")
	one, two := udpServer(t, "127.0.2.1", "1"), udpServer(t, "127.0.2.2", "2")
	want := udpSpec(vip, one)
	want.Listeners[0].Timeouts.Idle = spec.Duration(time.Second) // long beside the stalls of a busy machine
	b := start(t, want)
	c := udpClient(t, vip)
	if got := ask(t, c, ""); got != "1" {
		t.Fatalf("answered by %q, want 1", got)
	}
	next := udpSpec(vip, one, two)
	next.Listeners[0].Timeouts.Idle = want.Listeners[0].Timeouts.Idle
	next.TargetGroups[0].Targets[0].Weight = 0
	b.apply(next)
	if got := ask(t, c, ""); got != "1" {
		t.Errorf("answered by %q after the target has weight 0, want 1", got)
	}
	if got := ask(t, udpClient(t, vip), ""); got != "2" {
		t.Errorf("a new flow is answered by %q, want 2", got)
	}
	eventually(t, "the flows end as they are idle", func() bool { return b.metric("portico_l4_flows_total", "idle") == 2 })
	if got := ask(t, c, ""); got != "2" {
		t.Errorf("answered by %q after the flow ended, want 2", got)
	}

	dead := udpSpec(vip, free(t, "127.0.2.3"), two, free(t, "127.0.2.4"))
	b.apply(dead)
	for range 6 {
		if got := ask(t, udpClient(t, vip), ""); got != "2" {
			t.Errorf("answered by %q, want 2", got)
		}
	}
}

// Targets of datagrams are judged by outcomes as others are: one that nobody listened at
// is ejected, and comes back when it answers flows on trial, of which none has to end.
func TestDatagramsJudged(t *testing.T) {
	vip, late := free(t, "127.0.1.10"), free(t, "127.0.2.1")
	want := udpSpec(vip, late, udpServer(t, "127.0.2.2", "2"))
	want.TargetGroups[0].Outliers = &spec.Outliers{
		Failures: 2, Interval: spec.Duration(20 * time.Millisecond), EjectFor: spec.Duration(20 * time.Millisecond),
		EjectMax: spec.Duration(50 * time.Millisecond), MaxEjected: 50, Trials: 2,
	}
	b := start(t, want)
	b.judge()
	phase := func() string {
		if e := b.targets.Status()[0].Targets[0].Ejection; e != nil {
			return e.Phase
		}
		return ""
	}
	eventually(t, "the target is ejected", func() bool {
		say(t, udpClient(t, vip), "hello")
		return phase() != ""
	})
	udpServerAt(t, late, "1")
	eventually(t, "the target is back", func() bool {
		say(t, udpClient(t, vip), "hello")
		return phase() == "in"
	})
}

// A listener of udp that comes back has the flows of before that are not over, and takes
// new ones in every loop.
func TestDatagramsBack(t *testing.T) {
	vip := free(t, "127.0.1.10")
	want := udpSpec(vip, udpServer(t, "127.0.2.1", "1"))
	want.Drain = spec.Duration(hang)
	b := start(t, want)
	first := udpClient(t, vip)
	ask(t, first, "hello")
	without := *want
	without.Listeners = nil
	for range 2 {
		b.apply(&without)
		if _, err := udpClient(t, vip).Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		b.apply(want)
	}
	for _, c := range append(clients(t, vip, 8), first) {
		if got := ask(t, c, "hello"); got != "1hello" {
			t.Errorf("answered %q", got)
		}
	}
	if active, ended := b.metric("portico_l4_flows_active"), b.metric("portico_l4_flows_total"); active < 9 || active+ended > 11 {
		t.Errorf("%v flows are active, and %v ended; want 9, and the two that came between at most", active, ended)
	}
	soon := *want
	soon.Drain = spec.Duration(50 * time.Millisecond)
	b.apply(&soon)
}

func clients(tb testing.TB, to netip.AddrPort, n int) (all []*net.UDPConn) {
	tb.Helper()
	for range n {
		all = append(all, udpClient(tb, to))
	}
	return all
}

// The flows of a listener are bounded; what is beyond is lost and counted.
func TestDatagramsLimit(t *testing.T) {
	vip := free(t, "127.0.1.10")
	want := udpSpec(vip, udpServer(t, "127.0.2.1", ""))
	want.Listeners[0].Limits.Connections = 2
	b := start(t, want)
	for range 2 {
		ask(t, udpClient(t, vip), "hello")
	}
	_, _ = udpClient(t, vip).Write([]byte("hello"))
	eventually(t, "a flow is refused", func() bool { return b.metric("portico_l4_flows_total", "limit") == 1 })
}

// A datagram of no flow is lost, and counted, when more came than may; flows go on.
func TestDatagramsRate(t *testing.T) {
	vip := free(t, "127.0.1.10")
	want := udpSpec(vip, udpServer(t, "127.0.2.1", ""))
	want.Listeners[0].Limits.ConnectionRate = &spec.ConnectionRate{PerSecond: 1}
	b := start(t, want)
	first := udpClient(t, vip)
	ask(t, first, "hello")
	eventually(t, "a flow is refused", func() bool {
		_, _ = udpClient(t, vip).Write([]byte("hello"))
		return b.metric("portico_l4_flows_total", "rate") > 0
	})
	ask(t, first, "hello")
}

// Flows that ended are logged where the listener asks for it, one line each.
func TestFlowLog(t *testing.T) {
	vip, logged := free(t, "127.0.1.10"), &events{}
	to := server(t, "127.0.2.1", echo)
	want := tcpSpec(vip, to)
	b := start(t, want, func(o *relay.Options) { o.FlowLog = logged })
	for _, l := range []spec.FlowLog{spec.FlowLogOff, spec.FlowLogJSON} {
		next := *want
		next.Listeners = append(next.Listeners[:0:0], want.Listeners...)
		next.Listeners[0].FlowLog = l
		b.apply(&next)
		c := dial(t, vip)
		say(t, c, "hello")
		hear(t, c, "hello")
		_ = c.CloseWrite()
		wantEnd(t, c)
		eventually(t, "the flow ends", func() bool { return b.metric("portico_l4_flows_active") == 0 })
	}
	eventually(t, "a line is written", func() bool { return logged.count("\n") == 1 })
	var got struct {
		Time                               time.Time
		Listener, Protocol, Target, Reason string
		Client, VIP                        netip.AddrPort
		BytesUp, BytesDown                 int
	}
	if err := json.Unmarshal(logged.buf.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Listener != "db" || got.Protocol != "tcp" || got.VIP != vip || got.Target != to.String() || got.Reason != "client-closed" || got.BytesUp != 5 || got.BytesDown != 5 || !got.Client.IsValid() || got.Time.IsZero() {
		t.Errorf("the log says %+v", got)
	}
}

// A writer that hangs holds no flow up: lines are dropped and counted.
func TestFlowLogDrops(t *testing.T) {
	vip, hold := free(t, "127.0.1.10"), make(chan struct{})
	want := udpSpec(vip) // no target: each datagram is a flow that ends
	want.TargetGroups[0].Targets = targetsOf(free(t, "127.0.2.1"))
	want.TargetGroups[0].Targets[0].Drain = true
	want.Listeners[0].FlowLog = spec.FlowLogJSON
	b := start(t, want, func(o *relay.Options) { o.FlowLog = writer(func(p []byte) (int, error) { <-hold; return len(p), nil }) })
	defer close(hold)
	c := udpClient(t, vip)
	eventually(t, "lines are dropped", func() bool {
		for range 100 {
			_, _ = c.Write([]byte("x"))
		}
		return b.metric("portico_l4_flow_log_dropped_total") > 0
	})
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

var _ relay.Dialer = netx.Dialer{}

// A connection of QUIC stays with its target when its client has another address, for
// its connection id names that one; an id of no target is placed as any datagram.
func TestDatagramsByConnectionID(t *testing.T) {
	vip := free(t, "127.0.1.10")
	var targets []netip.AddrPort
	for _, name := range []string{"a", "b", "c"} {
		targets = append(targets, udpServer(t, "127.0.2.1", name))
	}
	want := udpSpec(vip, targets...)
	for i := range targets {
		want.TargetGroups[0].Targets[i].QUICServer = spec.QUICServer([]string{"0a0a", "0a0b", "0a0c"}[i])
	}
	start(t, want)
	seen := map[string]bool{}
	for range 20 {
		for id, name := range map[string]string{"\x0a\x0a": "a", "\x0a\x0b": "b", "\x0a\x0c": "c", "\x0a\xff": ""} {
			packet := "\x40\x05" + id + "nonce, and more"
			c := udpClient(t, vip)
			say(t, c, packet)
			b := make([]byte, 100)
			n, err := c.Read(b)
			if err != nil {
				t.Fatal(err)
			}
			if got := string(b[:1]); name != "" && got != name || string(b[1:n]) != packet {
				t.Errorf("%x is answered by %s with %q, want %s", id, got, b[1:n], name)
			} else if name == "" {
				seen[got] = true
			}
		}
	}
	if len(seen) < 2 {
		t.Errorf("an id of no target goes to %v, want several by address", seen)
	}
}
