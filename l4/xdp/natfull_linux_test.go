package xdp_test

import (
	"net/netip"
	"slices"
	"testing"

	"portico/l4/xdp"
	"portico/spec"
)

// TestNATAddresses proves that flows to one target are shared among the addresses of
// NAT, so that more fit than one has ports, and that what finds no port is dropped and
// counted as such.
func TestNATAddresses(t *testing.T) {
	const ports, flows = 32, 200
	other := netip.MustParseAddr("10.1.0.3")
	p := plan(spec.ForwardNAT, table("10.1.1.1:80"))
	p.NAT, p.NATPort, p.NATPorts = []netip.Addr{nat4, other}, 1024, ports
	k := open(t, p)
	of := map[netip.Addr]map[uint16]bool{nat4: {}, other: {}}
	lost := uint64(0)
	for i := range flows {
		f := tcp4(tcpSYN)
		f.src = netip.AddrPortFrom(f.src.Addr(), uint16(2000+i))
		verdict, out := send(t, k, f)
		if verdict == xdpDrop {
			lost++
			continue
		}
		from := read(t, out).src
		if of[from.Addr()] == nil || of[from.Addr()][from.Port()] {
			t.Fatalf("flow %d is from %v, which is nobody's or another flow's", i, from)
		}
		of[from.Addr()][from.Port()] = true
	}
	if a, b := len(of[nat4]), len(of[other]); a == 0 || b == 0 || a+b <= ports || uint64(a+b)+lost != flows {
		t.Errorf("%d and %d flows of two addresses with %d ports, %d dropped", a, b, ports, lost)
	}
	c, err := k.Counters()
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Listeners["tcp"].Events[xdp.DropNATFull]; got != lost {
		t.Errorf("%d packets counted as nat-full, want %d", got, lost)
	}
}

// TestNATOf proves which addresses targets see: those of the node's nat, and its own
// in a family that has none.
func TestNATOf(t *testing.T) {
	for _, tt := range []struct{ nat, want []netip.Addr }{
		{nil, []netip.Addr{node4}},
		{[]netip.Addr{nat4}, []netip.Addr{nat4}},
		{[]netip.Addr{nat6}, []netip.Addr{nat6, node4}},
	} {
		if got := xdp.NATOf(&spec.Node{Address: node4, NAT: tt.nat}); !slices.Equal(got, tt.want) {
			t.Errorf("with nat %v: %v, want %v", tt.nat, got, tt.want)
		}
	}
}
