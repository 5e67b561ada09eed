package xdp_test

import (
	"net/netip"
	"testing"

	"portico/l4/xdp"
	"portico/spec"
)

// FuzzPacket proves that whatever bytes come, the verdict is one of those meant,
// that what leaves parses and goes to a target, the client or back, and that the
// kernel is none the worse.
func FuzzPacket(f *testing.F) {
	for _, s := range []frame{
		tcp4(tcpSYN), tcp4(tcpACK), tcp6(tcpACK),
		{src: client4, dst: netip.AddrPortFrom(vip4, 80), proto: 17, payload: []byte{0x40, 1, 2, 3}},
		{src: client4, dst: netip.AddrPortFrom(vip4, 80), proto: 6, options: 12, vlans: []uint16{1, 2}, tcpFlags: tcpACK},
		{src: client6, dst: netip.AddrPortFrom(vip6, 80), proto: 17, options: 16, fragment: 1, payload: make([]byte, 30)},
		quote(router4, vip4, frame{src: netip.AddrPortFrom(vip4, 80), dst: client4, proto: 6, payload: make([]byte, 20)}),
		quote(router6, vip6, frame{src: netip.AddrPortFrom(vip6, 80), dst: client6, proto: 6, payload: make([]byte, 20)}),
		{src: client4, dst: netip.AddrPortFrom(vip4, 0), proto: 1, payload: []byte{8, 0, 0, 0, 1, 2, 3, 4}},
	} {
		f.Add(s.build())
	}
	var kernels []*xdp.Kernel
	f.Fuzz(func(t *testing.T, packet []byte) {
		if kernels == nil {
			root(t)
			kernels = fuzzed(t)
		}
		if len(packet) < 14 || len(packet) > 3000 {
			return // the kernel itself takes no less, and a page no more
		}
		for _, k := range kernels {
			verdict, out, err := k.Run(packet)
			if err != nil {
				t.Fatal(err)
			}
			if verdict != xdpDrop && verdict != xdpPass && verdict != xdpTX {
				t.Fatalf("verdict %d", verdict)
			}
			if verdict == xdpTX {
				checkFuzzed(t, packet, out)
			}
		}
	})
}

// fuzzed are kernels of several modes; they end with the process.
func fuzzed(t *testing.T) []*xdp.Kernel {
	t.Helper()
	var all []*xdp.Kernel
	for mode, targets := range map[spec.Forward][]string{
		spec.ForwardGUE: {"10.1.1.1:80", "10.1.1.2:80"}, spec.ForwardIP6IP6: {"[2001:db8:1::a]:80", "[2001:db8:1::b]:80"}, spec.ForwardNAT: {"10.1.1.1:80"},
	} {
		k, err := xdp.Open(xdp.KernelOptions{Flows: 1024})
		if err != nil {
			t.Fatal(err)
		}
		p := plan(mode, table(targets...))
		p.MTU = 1500
		if err := k.Apply(p); err != nil {
			t.Fatal(err)
		}
		all = append(all, k)
	}
	return all
}

// checkFuzzed looks where a packet goes. Its inside is the sender's affair.
func checkFuzzed(t *testing.T, in, out []byte) {
	t.Helper()
	at := 12
	for at+4 <= len(out) && (out[at] == 0x81 && out[at+1] == 0 || out[at] == 0x88 && out[at+1] == 0xa8) {
		at += 4
	}
	at += 2
	if at+20 > len(out) {
		t.Fatalf("% x became % x", in, out)
	}
	var to netip.Addr
	if out[at]>>4 == 4 {
		to = netip.AddrFrom4([4]byte(out[at+16 : at+20]))
	} else {
		to = netip.AddrFrom16([16]byte(out[at+24 : at+40]))
	}
	switch to.String() {
	case "10.1.1.1", "10.1.1.2", "2001:db8:1::a", "2001:db8:1::b":
		return
	}
	var from netip.Addr // an answer goes to who asked
	if in[at]>>4 == 4 {
		from = netip.AddrFrom4([4]byte(in[at+12 : at+16]))
	} else {
		from = netip.AddrFrom16([16]byte(in[at+8 : at+24]))
	}
	if to != from {
		t.Fatalf("to %v, who is neither a target nor the sender: % x became % x", to, in, out)
	}
}
