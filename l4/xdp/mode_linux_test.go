package xdp_test

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"testing"

	"portico/internal/testkit/netns"
	"portico/spec"
)

// TestEncapsulation proves, for each mode that puts a header before the packet and
// for both families in both, that the packet within is as the client sent it, and
// the header as briefed: addresses, checksums, the target to ask second.
func TestEncapsulation(t *testing.T) {
	const (
		a4, b4 = "10.1.1.1:80", "10.1.1.2:80"
		a6, b6 = "[2001:db8:1::a]:80", "[2001:db8:1::b]:80"
	)
	tests := []struct {
		name    string
		mode    spec.Forward
		targets []string
	}{
		{"gue over IPv4", spec.ForwardGUE, []string{a4}},
		{"gue over IPv4 with a second", spec.ForwardGUE, []string{a4, b4}},
		{"gue over IPv6", spec.ForwardGUE, []string{a6}},
		{"gue over IPv6 with a second", spec.ForwardGUE, []string{a6, b6}},
		{"ip6ip6", spec.ForwardIP6IP6, []string{a6}},
		{"ip6ip6 with a second", spec.ForwardIP6IP6, []string{a6, b6}},
		{"ipip", spec.ForwardIPIP, []string{a4}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := open(t, plan(tt.mode, table(tt.targets...)))
			for name, f := range map[string]frame{
				"syn4": tcp4(tcpSYN), "ack4": tcp4(tcpACK), "syn6": tcp6(tcpSYN), "ack6": tcp6(tcpACK),
				"udp4":     {src: client4, dst: netip.AddrPortFrom(vip4, 80), proto: 17, payload: []byte("ask")},
				"udp6":     {src: client6, dst: netip.AddrPortFrom(vip6, 80), proto: 17, payload: []byte("ask")},
				"options4": {src: client4, dst: netip.AddrPortFrom(vip4, 80), proto: 6, options: 12, tcpFlags: tcpACK},
				"options6": {src: client6, dst: netip.AddrPortFrom(vip6, 80), proto: 6, options: 16, tcpFlags: tcpACK},
				"vlan":     {src: client4, dst: netip.AddrPortFrom(vip4, 80), proto: 6, vlans: []uint16{7}, tcpFlags: tcpACK},
				"vlans":    {src: client6, dst: netip.AddrPortFrom(vip6, 80), proto: 6, vlans: []uint16{7, 9}, tcpFlags: tcpACK},
			} {
				in := f.build()
				got := forwarded(t, k, f)
				if got.outer == nil {
					t.Fatalf("%s: no outer header", name)
				}
				source := node4
				if got.outer.dst.Is6() {
					source = node6
				}
				if want := netip.MustParseAddrPort(tt.targets[0]).Addr(); got.outer.dst != want || got.outer.src != source {
					t.Errorf("%s: from %v to %v, want from %v to %v", name, got.outer.src, got.outer.dst, source, want)
				}
				second := netip.Addr{}
				if len(tt.targets) > 1 && f.tcpFlags != tcpSYN { // a flow that begins asks nobody
					second = netip.MustParseAddrPort(tt.targets[1]).Addr()
				}
				if got.outer.second != second || second.IsValid() != (got.outer.left == 1) {
					t.Errorf("%s: second %v with %d left, want %v", name, got.outer.second, got.outer.left, second)
				}
				if len(got.vlans) != len(f.vlans) || !bytes.HasSuffix(in, got.raw) {
					t.Errorf("%s: the packet within changed", name)
				}
				if !bytes.Equal(got.toMAC, macA) || !bytes.Equal(got.fromMAC, macB) {
					t.Errorf("%s: to % x, want back to the router", name, got.toMAC)
				}
			}
		})
	}
}

// TestDSR proves that the packet reaches the target's MAC as it was.
func TestDSR(t *testing.T) {
	p := plan(spec.ForwardDSR, table("10.1.1.1:80"))
	mac := []byte{2, 0, 0, 0, 9, 9}
	p.Targets = append(p.Targets, target("10.1.1.1:80"))
	p.Targets[0].MAC = mac
	k := open(t, p)
	f := tcp4(tcpACK)
	verdict, out := send(t, k, f)
	if verdict != xdpTX || !bytes.Equal(out[:6], mac) || !bytes.Equal(out[6:12], macB) || !bytes.Equal(out[12:], f.build()[12:]) {
		t.Errorf("verdict %d, % x", verdict, out)
	}
}

// TestDSRByAnotherUplink proves that a packet for a target on another uplink leaves by
// that, from its MAC address, also once that has changed.
func TestDSRByAnotherUplink(t *testing.T) {
	root(t)
	n := netns.New(t)
	router, edge := n.Add("r"), n.Add("n")
	n.Veth(router, "to1", nil, edge, "up1", nil)
	n.Veth(router, "to2", nil, edge, "up2", nil)
	p := plan(spec.ForwardDSR, table("10.1.1.1:80"))
	p.Targets = append(p.Targets, target("10.1.1.1:80"))
	p.Targets[0].MAC = []byte{2, 0, 0, 0, 9, 9}
	k := open(t, p)
	for _, from := range []net.HardwareAddr{{2, 0, 0, 0, 8, 8}, {2, 0, 0, 0, 7, 7}} {
		edge.IP("link set up2 address " + from.String())
		inside(t, edge, func() error {
			up2, err := net.InterfaceByName("up2")
			if err != nil {
				return err
			}
			p.Targets[0].Interface = up2.Index
			return errors.Join(k.Apply(p), k.Attach("up1", "up2"))
		})
		f := tcp4(tcpACK)
		verdict, out := send(t, k, f)
		if verdict != xdpRedirect || !bytes.Equal(out[:6], p.Targets[0].MAC) || !bytes.Equal(out[6:12], from) || !bytes.Equal(out[12:], f.build()[12:]) {
			t.Errorf("from %s: verdict %d, % x", from, verdict, out)
		}
	}
}

// TestNAT proves that a flow reaches its target from the node's own address, that
// answers come back from the VIP, and that both hold for every later packet.
func TestNAT(t *testing.T) {
	for _, tt := range []struct {
		name   string
		target string
		f      frame
		nat    netip.Addr
	}{
		{"tcp4", "10.1.1.1:8080", tcp4(tcpSYN), nat4},
		{"tcp6", "[2001:db8:1::a]:8080", tcp6(tcpSYN), nat6},
		{"udp4", "10.1.1.1:53", frame{src: client4, dst: netip.AddrPortFrom(vip4, 80), proto: 17, payload: []byte("ask")}, nat4},
		{"udp6", "[2001:db8:1::a]:53", frame{src: client6, dst: netip.AddrPortFrom(vip6, 80), proto: 17, payload: []byte("ask")}, nat6},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k := open(t, plan(spec.ForwardNAT, table(tt.target)))
			got := forwarded(t, k, tt.f)
			if got.dst.String() != tt.target || got.src.Addr() != tt.nat || got.ttl != 63 {
				t.Fatalf("from %v to %v with TTL %d, want from %v to %v", got.src, got.dst, got.ttl, tt.nat, tt.target)
			}
			if p := got.src.Port(); p < 1024 || p > 32767 {
				t.Errorf("from port %d, want one that is no socket's", p)
			}
			tt.f.tcpFlags = tcpACK
			if again := forwarded(t, k, tt.f); again.src != got.src || again.dst != got.dst {
				t.Errorf("the next packet is from %v to %v, want from %v to %v", again.src, again.dst, got.src, got.dst)
			}
			back := forwarded(t, k, frame{src: got.dst, dst: got.src, proto: tt.f.proto, tcpFlags: tcpACK, payload: []byte("answer")})
			if back.src != tt.f.dst || back.dst != tt.f.src {
				t.Errorf("the answer is from %v to %v, want from %v to %v", back.src, back.dst, tt.f.dst, tt.f.src)
			}
			stranger := netip.AddrPortFrom(got.dst.Addr(), 9)
			if verdict, _ := send(t, k, frame{src: stranger, dst: got.src, proto: tt.f.proto, tcpFlags: tcpACK}); verdict != xdpPass {
				t.Errorf("a stranger's packet: verdict %d, want %d", verdict, xdpPass)
			}
		})
	}
}
