package relay_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"portico/internal/netx"
	"portico/internal/netx/proxy"
	"portico/l4/relay"
	"portico/spec"
)

// collect returns an address that hands over all that each client sends.
func collect(t *testing.T) (netip.AddrPort, chan string) {
	t.Helper()
	got := make(chan string, 1)
	return server(t, "127.0.2.1", func(c *net.TCPConn) {
		all, _ := io.ReadAll(c)
		got <- string(all)
	}), got
}

// A client that must say whom it is from does, in either version, whole or byte by
// byte; the target is told in the version it knows, with the extensions it can have.
func TestProxyFrom(t *testing.T) {
	client, meant := netip.MustParseAddrPort("203.0.113.7:4711"), netip.MustParseAddrPort("198.51.100.1:25")
	says := proxy.Header{Source: client, Destination: meant}
	v1 := string(proxy.AppendV1(nil, says))
	says.TLVs = []byte{0x01, 0, 2, 'h', '2', 0x05, 0, 3, 'i', 'd', '1', 0xea, 0, 1, 'x'}
	withID := string(proxy.AppendChecked(nil, says))
	tests := []struct {
		name, head string
		to         spec.ProxyProtocol
		want       string
	}{
		{"v2 to v1", withID, spec.ProxyV1, v1},
		{"v2 with extensions to v2", withID, spec.ProxyV2, withID},
		{"v2 to nothing", withID, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			to, got := collect(t)
			vip := free(t, "127.0.1.10")
			want := tcpSpec(vip, to)
			want.Listeners[0].ProxyFrom = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
			want.TargetGroups[0].ProxyProtocol = tt.to
			start(t, want)
			for _, slowly := range []bool{false, true} {
				c := dial(t, vip)
				if slowly {
					for i := range tt.head {
						say(t, c, tt.head[i:i+1])
						time.Sleep(time.Millisecond / 4)
					}
				} else {
					say(t, c, tt.head)
				}
				say(t, c, "hello")
				_ = c.CloseWrite()
				if all := <-got; all != tt.want+"hello" {
					t.Errorf("the target got %q, want %q", all, tt.want+"hello")
				}
			}
		})
	}
}

// A flow that came without an id gets one: the target of PROXY v2 is told what the
// log says. An id that came with it is passed on.
func TestFlowID(t *testing.T) {
	to, got := collect(t)
	vip, logged := free(t, "127.0.1.10"), &events{}
	want := tcpSpec(vip, to)
	want.Listeners[0].ProxyFrom = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	want.Listeners[0].FlowLog = spec.FlowLogJSON
	want.TargetGroups[0].ProxyProtocol = spec.ProxyV2
	b := start(t, want, func(o *relay.Options) { o.FlowLog = logged })
	told := map[string]bool{}
	heads := [][]byte{
		proxy.AppendV1(nil, proxy.Header{}), proxy.AppendV1(nil, proxy.Header{}),
		proxy.AppendChecked(nil, proxy.Header{Source: vip, Destination: vip, TLVs: []byte{0x05, 0, 3, 'i', 'd', '1'}}),
	}
	for i, head := range heads {
		c := dial(t, vip)
		say(t, c, string(head))
		_ = c.CloseWrite()
		h, _, err := proxy.Parse([]byte(<-got))
		if err != nil {
			t.Fatal(err)
		}
		_, id := proxy.Identified(h.TLVs, "none", proxy.PassedMax)
		told[id] = true
		eventually(t, "the line is written", func() bool { return logged.count("\n") == i+1 })
		if logged.count(`"id":"`+id+`"`) != 1 {
			t.Errorf("the target was told %q, and the log is %s", id, logged.buf.String())
		}
	}
	if len(told) != len(heads) || told["none"] || !told["id1"] {
		t.Errorf("targets were told %v, want an id for each flow, and the last one's own", told)
	}
	eventually(t, "the flows end", func() bool { return b.metric("portico_l4_flows_active") == 0 })
}

// Who must say whom it is from, and does not, is reset; others are left alone.
func TestProxyFromRefuses(t *testing.T) {
	vip := free(t, "127.0.1.10")
	want := tcpSpec(vip, server(t, "127.0.2.1", echo))
	want.Listeners[0].ProxyFrom = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	want.Listeners[0].Timeouts.Head = spec.Duration(50 * time.Millisecond)
	b := start(t, want)
	for _, head := range []string{"GET / HTTP/1.1\r\n", "PROXY TCP4 1.2.3.4\r\n", "PROXY "} {
		c := dial(t, vip)
		say(t, c, head)
		wantReset(t, c)
	}
	if n := b.metric("portico_l4_flows_total", "bad-head"); n != 3 {
		t.Errorf("%v flows ended for their head, want 3", n)
	}
	c, err := netx.Dialer{Source: netip.MustParseAddr("127.0.3.1")}.Dial(t.Context(), vip)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(hang))
	say(t, c, "hello")
	hear(t, c, "hello")
}

// tlsSpec has a tls listener whose names go to groups of their own.
func tlsSpec(vip netip.AddrPort, groups map[string]netip.AddrPort, hosts ...spec.Server) *spec.Spec {
	want := tcpSpec(vip)
	want.TargetGroups = nil
	for name, to := range groups {
		want.TargetGroups = append(want.TargetGroups, spec.TargetGroup{Name: spec.TargetGroupName(name), Targets: targetsOf(to)})
	}
	l := &want.Listeners[0]
	l.Protocol, l.TargetGroups, l.Servers = spec.ProtocolTLS, nil, hosts
	return want
}

// refer names one group.
func refer(name spec.TargetGroupName) []spec.GroupRef {
	return []spec.GroupRef{{Name: name, Weight: 1}}
}

// The name that a client asks for chooses the group; the ClientHello arrives whole,
// and what is none ends the flow.
func TestServerName(t *testing.T) {
	db, dbGot := collect(t)
	any, anyGot := collect(t)
	vip := free(t, "127.0.1.10")
	want := tlsSpec(
		vip, map[string]netip.AddrPort{"db": db, "any": any},
		spec.Server{Hosts: []string{"db.example.com"}, TargetGroups: refer("db")},
		spec.Server{Hosts: []string{"*.example.com"}, TargetGroups: refer("any")},
	)
	want.TargetGroups[0].ProxyProtocol, want.TargetGroups[1].ProxyProtocol = spec.ProxyV2, spec.ProxyV2
	b := start(t, want)
	hello := func(name string) error {
		c := dial(t, vip)
		s := tls.Client(c, &tls.Config{ServerName: name, InsecureSkipVerify: true}) //nolint:gosec // nobody answers
		done := make(chan error, 1)
		go func() { done <- s.HandshakeContext(t.Context()) }()
		select {
		case err := <-done:
			return err
		case <-time.After(300 * time.Millisecond): // long after the hello is sent
			_ = c.CloseWrite()
		}
		if err := <-done; err == nil {
			return errors.New("the handshake succeeded, with nobody")
		}
		return nil
	}
	for _, tt := range []struct {
		name string
		got  chan string
	}{{"db.example.com", dbGot}, {"other.example.com", anyGot}} {
		if err := hello(tt.name); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		all := <-tt.got
		h, n, err := proxy.Parse([]byte(all))
		if err != nil || !strings.Contains(string(h.TLVs), tt.name) {
			t.Errorf("%s: PROXY header %+v, %v, want the name in it", tt.name, h, err)
		}
		if rest := all[n:]; len(rest) < 100 || rest[0] != 22 || !strings.Contains(rest, tt.name) {
			t.Errorf("%s: the target got %d bytes, want the ClientHello", tt.name, len(rest))
		}
	}
	for _, name := range []string{"example.com", "a.b.example.com", "db.example.org"} {
		if err := hello(name); err == nil || !strings.Contains(err.Error(), "unrecognized name") {
			t.Errorf("%s: %v, want the alert", name, err)
		}
	}
	c := dial(t, vip)
	say(t, c, "GET / HTTP/1.1\r\n")
	wantReset(t, c)
	for why, n := range map[relay.Reason]float64{relay.NoServer: 3, relay.BadHead: 1} {
		eventually(t, fmt.Sprintf("%v flows ended as %v", n, why), func() bool { // soon after their clients know
			return b.metric("portico_l4_flows_total", why.String()) == n
		})
	}
}
