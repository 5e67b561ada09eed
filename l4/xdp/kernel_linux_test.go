package xdp_test

import (
	"errors"
	"net/netip"
	"os"
	"testing"

	"portico/l4/xdp"
	"portico/spec"
)

// The verdicts of XDP.
const (
	xdpDrop     = 1
	xdpPass     = 2
	xdpTX       = 3
	xdpRedirect = 4
)

var (
	vip4    = netip.MustParseAddr("198.18.0.10")
	vip6    = netip.MustParseAddr("2001:db8::10")
	client4 = netip.MustParseAddrPort("192.0.2.1:40000")
	client6 = netip.MustParseAddrPort("[2001:db8:c::1]:40000")
	node4   = netip.MustParseAddr("10.1.0.1")
	node6   = netip.MustParseAddr("2001:db8:1::1")
	nat4    = netip.MustParseAddr("10.1.0.2")
	nat6    = netip.MustParseAddr("2001:db8:1::2")
)

// root skips where loading programs is not possible, unless nothing may be skipped.
func root(t *testing.T) {
	t.Helper()
	if os.Getuid() == 0 {
		return
	}
	if os.Getenv("PORTICO_TEST_REQUIRE") != "" {
		t.Fatal("needs root, and PORTICO_TEST_REQUIRE is set")
	}
	t.Skip("loading a program into the kernel needs root")
}

// open loads the program with room for few flows, and the plan.
func open(t *testing.T, p *xdp.Plan) *xdp.Kernel {
	t.Helper()
	root(t)
	k, err := xdp.Open(xdp.KernelOptions{Flows: 1024})
	if errors.Is(err, errors.ErrUnsupported) && os.Getenv("PORTICO_TEST_REQUIRE") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := k.Apply(p); err != nil {
		t.Fatal(err)
	}
	return k
}

// send runs a frame through the program.
func send(t *testing.T, k *xdp.Kernel, f frame) (uint32, []byte) {
	t.Helper()
	verdict, out, err := k.Run(f.build())
	if err != nil {
		t.Fatal(err)
	}
	return verdict, out
}

// forwarded is what the frame became on its way.
func forwarded(t *testing.T, k *xdp.Kernel, f frame) seen {
	t.Helper()
	verdict, out := send(t, k, f)
	if verdict != xdpTX {
		c, _ := k.Counters()
		t.Fatalf("verdict %d, want %d; %v", verdict, xdpTX, c)
	}
	return read(t, out)
}

// table has every slot on the first target, and the second to ask second.
func table(targets ...string) *xdp.Table {
	tab := &xdp.Table{Slots: make([]uint32, xdp.Slots)}
	for _, a := range targets {
		tab.Targets = append(tab.Targets, netip.MustParseAddrPort(a))
	}
	slot := uint32(1)
	if len(targets) > 1 {
		slot |= 2 << 16
	}
	for i := range tab.Slots {
		tab.Slots[i] = slot
	}
	return tab
}

// plan serves both VIPs at port 80 over TCP and UDP.
func plan(mode spec.Forward, tab *xdp.Table) *xdp.Plan {
	return &xdp.Plan{
		Source4: node4, Source6: node6, NAT: []netip.Addr{nat4, nat6},
		Listeners: []xdp.Listener{
			{Name: "tcp", VIPs: []netip.AddrPort{netip.AddrPortFrom(vip4, 80), netip.AddrPortFrom(vip6, 80)}, Proto: xdp.TCP, Forward: mode, Table: tab},
			{Name: "udp", VIPs: []netip.AddrPort{netip.AddrPortFrom(vip4, 80), netip.AddrPortFrom(vip6, 80)}, Proto: xdp.UDP, Forward: mode, Table: tab},
		},
	}
}

func tcp4(flags uint8) frame {
	return frame{src: client4, dst: netip.AddrPortFrom(vip4, 80), proto: 6, tcpFlags: flags, payload: []byte("hello")}
}

func tcp6(flags uint8) frame {
	return frame{src: client6, dst: netip.AddrPortFrom(vip6, 80), proto: 6, tcpFlags: flags, payload: []byte("hello")}
}

func target(address string) xdp.Target { return xdp.Target{Address: netip.MustParseAddrPort(address)} }
