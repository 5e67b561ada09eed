package xdp_test

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"portico/l4/xdp"
	"portico/spec"
)

// quote is an ICMP error that quotes a packet, as a router at from sends it.
func quote(from netip.Addr, to netip.Addr, packet frame) frame {
	ip := packet.build()[14:]
	if to.Is4() {
		body := append([]byte{3, 4, 0, 0, 0, 0, 5, 0}, ip[:28]...) // fragmentation needed, MTU 1280
		return frame{src: netip.AddrPortFrom(from, 0), dst: netip.AddrPortFrom(to, 0), proto: 1, payload: body}
	}
	body := append([]byte{2, 0, 0, 0, 0, 0, 5, 0}, ip[:60]...) // packet too big
	return frame{src: netip.AddrPortFrom(from, 0), dst: netip.AddrPortFrom(to, 0), proto: 58, payload: body}
}

var (
	router4 = netip.MustParseAddr("203.0.113.9")
	router6 = netip.MustParseAddr("2001:db8:f::9")
)

// TestErrorsReachTarget proves that an ICMP error about a flow, of both families,
// is sent whole to the target that the flow is on.
func TestErrorsReachTarget(t *testing.T) {
	k := open(t, plan(spec.ForwardGUE, table("10.1.1.1:80")))
	for _, f := range []frame{tcp4(tcpACK), tcp6(tcpACK)} {
		forwarded(t, k, f)
	}
	p := plan(spec.ForwardGUE, table("10.1.1.2:80"))
	p.Targets = append(p.Targets, target("10.1.1.1:80"))
	if err := k.Apply(p); err != nil {
		t.Fatal(err)
	}
	for _, f := range []frame{tcp4(tcpACK), tcp6(tcpACK)} {
		router := router4
		if f.src.Addr().Is6() {
			router = router6
		}
		answer := frame{src: f.dst, dst: f.src, proto: 6, tcpFlags: tcpACK, payload: make([]byte, 100)}
		got := forwarded(t, k, quote(router, f.dst.Addr(), answer))
		if got.outer == nil || got.outer.dst.String() != "10.1.1.1" || got.src.Addr() != router {
			t.Errorf("%v: error delivered as %+v, want whole to 10.1.1.1", f.dst, got)
		}
	}
	stray := quote(router4, vip4, frame{src: netip.AddrPortFrom(vip4, 81), dst: client4, proto: 6, payload: make([]byte, 20)})
	if verdict, _ := send(t, k, stray); verdict != xdpDrop {
		t.Errorf("an error about no listener: verdict %d, want %d", verdict, xdpDrop)
	}
}

// TestErrorsThroughNAT proves that errors reach both ends of a flow under NAT, each
// quoting the packet that that end sent, with right checksums.
func TestErrorsThroughNAT(t *testing.T) {
	for _, tt := range []struct {
		f      frame
		target string
		router netip.Addr
	}{{tcp4(tcpSYN), "10.1.1.1:8080", router4}, {tcp6(tcpSYN), "[2001:db8:1::a]:8080", router6}} {
		k := open(t, plan(spec.ForwardNAT, table(tt.target)))
		there := forwarded(t, k, tt.f)
		answer := frame{src: tt.f.dst, dst: tt.f.src, proto: 6, tcpFlags: tcpACK, payload: make([]byte, 100)}
		got := forwarded(t, k, quote(tt.router, tt.f.dst.Addr(), answer))
		if got.dst.Addr() != there.dst.Addr() || got.src.Addr() != tt.router {
			t.Errorf("the target's error goes to %v, want %v", got.dst, there.dst)
		}
		checkQuoted(t, got, there.dst, there.src)

		sent := frame{src: there.src, dst: there.dst, proto: 6, tcpFlags: tcpACK, payload: make([]byte, 100)}
		got = forwarded(t, k, quote(tt.router, there.src.Addr(), sent))
		if got.dst.Addr() != tt.f.src.Addr() || got.src.Addr() != tt.router {
			t.Errorf("the client's error goes to %v, want %v", got.dst, tt.f.src)
		}
		checkQuoted(t, got, tt.f.src, tt.f.dst)

		got = forwarded(t, k, quote(there.dst.Addr(), there.src.Addr(), sent))
		if got.src.Addr() != tt.f.dst.Addr() {
			t.Errorf("a target's own error is from %v, want the VIP", got.src)
		}
	}
}

// checkQuoted looks at the addresses and ports of the packet within an error.
func checkQuoted(t *testing.T, got seen, src, dst netip.AddrPort) {
	t.Helper()
	q := got.payload[8:]
	var s, d netip.AddrPort
	if src.Addr().Is4() {
		if sum(0, q[:20]) != 0xffff {
			t.Error("the checksum of the quoted header is wrong")
		}
		s = netip.AddrPortFrom(netip.AddrFrom4([4]byte(q[12:16])), binary.BigEndian.Uint16(q[20:]))
		d = netip.AddrPortFrom(netip.AddrFrom4([4]byte(q[16:20])), binary.BigEndian.Uint16(q[22:]))
	} else {
		s = netip.AddrPortFrom(netip.AddrFrom16([16]byte(q[8:24])), binary.BigEndian.Uint16(q[40:]))
		d = netip.AddrPortFrom(netip.AddrFrom16([16]byte(q[24:40])), binary.BigEndian.Uint16(q[42:]))
	}
	if s != src || d != dst {
		t.Errorf("quotes %v to %v, want %v to %v", s, d, src, dst)
	}
}

// TestEcho proves that a VIP answers echo requests itself, with what was sent.
func TestEcho(t *testing.T) {
	k := open(t, plan(spec.ForwardGUE, table("10.1.1.1:80")))
	ping := []byte{8, 0, 0, 0, 1, 2, 3, 4, 'p', 'i', 'n', 'g'}
	got := forwarded(t, k, frame{src: client4, dst: netip.AddrPortFrom(vip4, 0), proto: 1, payload: ping})
	if got.dst.Addr() != client4.Addr() || got.payload[0] != 0 || string(got.payload[8:]) != "ping" {
		t.Errorf("answer %+v", got)
	}
	ping[0] = 128
	got = forwarded(t, k, frame{src: client6, dst: netip.AddrPortFrom(vip6, 0), proto: 58, payload: ping})
	if got.dst.Addr() != client6.Addr() || got.payload[0] != 129 || string(got.payload[8:]) != "ping" {
		t.Errorf("answer %+v", got)
	}
	for name, f := range map[string]frame{
		"echo to another address":  {src: client4, dst: netip.MustParseAddrPort("198.18.0.99:0"), proto: 1, payload: []byte{8, 0, 0, 0, 1, 2, 3, 4}},
		"a question for neighbors": {src: client6, dst: netip.AddrPortFrom(vip6, 0), proto: 58, payload: append([]byte{135, 0, 0, 0, 0, 0, 0, 0}, make([]byte, 16)...)},
		"another port":             {src: client4, dst: netip.AddrPortFrom(vip4, 81), proto: 6, tcpFlags: tcpSYN},
		"another protocol":         {src: client4, dst: netip.AddrPortFrom(vip4, 0), proto: 47, payload: make([]byte, 40)},
	} {
		if verdict, _ := send(t, k, f); verdict != xdpPass {
			t.Errorf("%s: verdict %d, want %d", name, verdict, xdpPass)
		}
	}
}

// TestFragments proves that later fragments follow the first of their packet, and
// that one without its first goes nowhere.
func TestFragments(t *testing.T) {
	k := open(t, plan(spec.ForwardGUE, table("10.1.1.1:80")))
	const more4, more6 = 0x2000, 1
	data := make([]byte, 64)
	for _, f := range []frame{
		{src: client4, dst: netip.AddrPortFrom(vip4, 80), proto: 17, fragment: more4, id: 7, payload: data},
		{src: client6, dst: netip.AddrPortFrom(vip6, 80), proto: 17, fragment: more6, id: 7, payload: data},
	} {
		later := f
		later.fragment = 9 // of 8 bytes; in IPv6, above the bit of more
		if f.src.Addr().Is6() {
			later.fragment = 9 << 3
		}
		if verdict, _ := send(t, k, later); verdict != xdpDrop {
			t.Errorf("%v: a fragment without its first: verdict %d, want %d", f.dst, verdict, xdpDrop)
		}
		verdict, _ := send(t, k, f)
		if verdict != xdpTX {
			t.Fatalf("%v: first: verdict %d", f.dst, verdict)
		}
		verdict, out := send(t, k, later)
		if verdict != xdpTX {
			t.Fatalf("%v: later: verdict %d, want %d", f.dst, verdict, xdpTX)
		}
		if to := netip.AddrFrom4([4]byte(out[30:34])); to.String() != "10.1.1.1" {
			t.Errorf("%v: later to %v", f.dst, to)
		}
	}
}

// TestQUIC proves that a packet goes where its connection id says, whatever its
// address and whether wrapped or under NAT, and comes to another target when the
// listener's ids are taken away. What ids there are is in package flowtest.
func TestQUIC(t *testing.T) {
	for _, forward := range []spec.Forward{spec.ForwardGUE, spec.ForwardNAT} {
		p := plan(forward, table("10.1.1.1:80"))
		p.Targets = append(p.Targets, target("10.1.1.2:80"))
		p.Listeners[1].QUIC = map[string]netip.AddrPort{"\x12\x34": netip.MustParseAddrPort("10.1.1.2:80")}
		k := open(t, p)
		to := func(port uint16, data string) string {
			got := forwarded(t, k, frame{src: netip.AddrPortFrom(client4.Addr(), port), dst: netip.AddrPortFrom(vip4, 80), proto: 17, payload: []byte(data)})
			if got.outer != nil {
				return got.outer.dst.String()
			}
			return got.dst.Addr().String()
		}
		const named, unknown = "\x40\x05\x12\x34nonce, and more", "\x40\x05\x99\x99nonce, and more"
		for i, tt := range []struct {
			port uint16
			data string
			want string
		}{
			{1000, named, "10.1.1.2"},
			{2000, named, "10.1.1.2"},
			{3000, unknown, "10.1.1.1"},
			{3000, named, "10.1.1.2"}, // another client has the port now
		} {
			if got := to(tt.port, tt.data); got != tt.want {
				t.Errorf("%s: packet %d to %s, want %s", forward, i, got, tt.want)
			}
		}
		p.Listeners[1].QUIC = nil
		if err := k.Apply(p); err != nil {
			t.Fatal(err)
		}
		if got := to(4000, named); got != "10.1.1.1" {
			t.Errorf("%s: without ids to %s, want the table's", forward, got)
		}
	}
}

// TestTooBig proves that a client learns how much fits, and that its packet is
// dropped when nobody may be told.
func TestTooBig(t *testing.T) {
	p := plan(spec.ForwardGUE, table("10.1.1.1:80"))
	p.MTU = 1500
	k := open(t, p)
	for _, f := range []frame{tcp4(tcpACK), tcp6(tcpACK)} {
		f.fragment = 0x4000 // DF
		if f.src.Addr().Is6() {
			f.fragment = 0
		}
		f.payload = make([]byte, 1440)
		got := forwarded(t, k, f)
		if got.outer != nil || got.dst.Addr() != f.src.Addr() || got.src.Addr() != f.dst.Addr() {
			t.Fatalf("answer %+v", got)
		}
		if mtu := binary.BigEndian.Uint32(got.payload[4:]); mtu != 1460 {
			t.Errorf("told %d, want 1460", mtu)
		}
	}
	f := tcp4(tcpACK)
	f.payload = make([]byte, 1461)
	if verdict, _ := send(t, k, f); verdict != xdpDrop {
		t.Errorf("without DF: verdict %d, want %d", verdict, xdpDrop)
	}
}

// TestLearningIsBounded proves that a core learns no more flows than it may, that
// flows beyond still reach the target of their hash, and that it is counted.
func TestLearningIsBounded(t *testing.T) {
	p := plan(spec.ForwardGUE, table("10.1.1.1:80"))
	p.NewFlows = 10 // one a tenth of a second, and as many at once
	k := open(t, p)
	const packets = 500
	for i := range packets {
		f := tcp4(tcpACK)
		f.src = netip.AddrPortFrom(f.src.Addr(), uint16(2000+i))
		forwarded(t, k, f)
	}
	c, err := k.Counters()
	if err != nil {
		t.Fatal(err)
	}
	got := c.Listeners["tcp"]
	if got.Flows == 0 || got.Events[xdp.EventUnlearned] == 0 || got.Flows+got.Events[xdp.EventUnlearned] != packets {
		t.Errorf("%d learned and %d not, of %d", got.Flows, got.Events[xdp.EventUnlearned], packets)
	}
	if s := c.Targets[netip.MustParseAddrPort("10.1.1.1:80")]; s.Packets != packets || s.Flows != got.Flows {
		t.Errorf("the target has %+v, want %d packets", s, packets)
	}
}

// TestTTL proves that under NAT a packet ends where its TTL does.
func TestTTL(t *testing.T) {
	k := open(t, plan(spec.ForwardNAT, table("10.1.1.1:8080")))
	f := tcp4(tcpSYN)
	f.ttl = 1
	if verdict, _ := send(t, k, f); verdict != xdpDrop {
		t.Errorf("verdict %d, want %d", verdict, xdpDrop)
	}
}
