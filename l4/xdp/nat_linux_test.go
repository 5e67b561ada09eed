package xdp_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"

	"portico/internal/testkit/netns"
	"portico/l4/xdp"
	"portico/spec"
)

// TestNATCarriesTCP proves that real connections of both families go through NAT on an
// interface, both ways and in parts of every size, that the target sees the node and
// not the client, and that its resets come back.
func TestNATCarriesTCP(t *testing.T) {
	root(t)
	n := netns.New(t)
	router, client, node, target := n.Add("r"), n.Add("c"), n.Add("n"), n.Add("t")
	for i, s := range []*netns.Space{client, node, target} {
		hang(t, n, router, s, i+1)
	}
	router.Sysctl("net/ipv4/ip_forward", "1")
	router.Sysctl("net/ipv6/conf/all/forwarding", "1")
	for _, tt := range []struct{ name, vip, node, target string }{
		{"v4", "198.18.100.1", "198.18.2.2", "198.18.3.2"},
		{"v6", "2001:db8:100::1", "2001:db8:2::2", "2001:db8:3::2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			router.IP(fmt.Sprintf("route add %s via %s", tt.vip, tt.node))
			vip, self, at := netip.MustParseAddr(tt.vip), netip.MustParseAddr(tt.node), netip.MustParseAddr(tt.target)
			k := open(t, &xdp.Plan{NAT: []netip.Addr{self}, Listeners: []xdp.Listener{
				{Name: "echo", VIPs: []netip.AddrPort{netip.AddrPortFrom(vip, 80)}, Proto: xdp.TCP, Forward: spec.ForwardNAT, Table: table(netip.AddrPortFrom(at, 8080).String())},
				{Name: "closed", VIPs: []netip.AddrPort{netip.AddrPortFrom(vip, 81)}, Proto: xdp.TCP, Forward: spec.ForwardNAT, Table: table(netip.AddrPortFrom(at, 8081).String())},
			}})
			var err error
			node.Run(func() { err = k.Attach("eth0") })
			if err != nil {
				t.Fatal(err)
			}
			from := echo(t, target, netip.AddrPortFrom(at, 8080))
			for range 3 {
				transfer(t, client, netip.AddrPortFrom(vip, 80))
				if saw := <-from; saw != self {
					t.Errorf("the target saw %s, want the node's %s", saw, self)
				}
			}
			client.Run(func() {
				if c, err := net.DialTimeout("tcp", netip.AddrPortFrom(vip, 81).String(), patience); err == nil {
					t.Error("a closed port of the target took a connection", c.Close())
				} else if os.IsTimeout(err) {
					t.Errorf("a closed port of the target: %v, want a reset", err)
				}
			})
		})
	}
}

// patience is how long a connection may take for anything.
const patience = 10 * time.Second

// hang links a host to the router, which is its way to everything.
func hang(t *testing.T, n *netns.Net, router, host *netns.Space, i int) {
	t.Helper()
	wire(t, n, router, host, "eth0", i)
	host.IP(fmt.Sprintf("route add default via 198.18.%d.1", i))
	host.IP(fmt.Sprintf("-6 route add default via 2001:db8:%d::1", i))
}

// wire links a host to the router, as on a wire: checksums are complete and segments
// whole. A program at the near end has veth take what the far one sends by XDP.
func wire(t *testing.T, n *netns.Net, router, host *netns.Space, far string, i int) {
	t.Helper()
	near := fmt.Sprintf("to%d", i)
	n.Veth(router, near, []string{fmt.Sprintf("198.18.%d.1/24", i), fmt.Sprintf("2001:db8:%d::1/64", i)},
		host, far, []string{fmt.Sprintf("198.18.%d.2/24", i), fmt.Sprintf("2001:db8:%d::2/64", i)})
	router.Output("ethtool", "-K", near, "tx", "off", "tso", "off", "gso", "off", "gro", "off")
	host.Output("ethtool", "-K", far, "tx", "off", "tso", "off", "gso", "off", "gro", "off")
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.XDP, License: "GPL", Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, xdpPass), asm.Return()},
	})
	if err != nil {
		t.Fatal(err)
	}
	var l link.Link
	router.Run(func() {
		var at *net.Interface
		if at, err = net.InterfaceByName(near); err == nil {
			l, err = link.AttachXDP(link.XDPOptions{Program: program, Interface: at.Index})
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = l.Close(), program.Close() })
}

// echo sends back what each connection sends, and tells whom it is from.
func echo(t *testing.T, at *netns.Space, on netip.AddrPort) (from chan netip.Addr) {
	t.Helper()
	var l net.Listener
	var err error
	at.Run(func() { l, err = net.Listen("tcp", on.String()) })
	if err != nil {
		t.Fatal(err)
	}
	from = make(chan netip.Addr, 16)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			from <- c.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()
			wg.Go(func() {
				defer func() { _ = c.Close() }()
				_ = c.SetDeadline(time.Now().Add(patience))
				_, _ = io.Copy(c, c)
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		wg.Wait()
	})
	return from
}

// transfer sends a megabyte through an echo, and ends the connection in order.
func transfer(t *testing.T, from *netns.Space, to netip.AddrPort) {
	t.Helper()
	var c net.Conn
	var err error
	from.Run(func() { c, err = net.DialTimeout("tcp", to.String(), patience) })
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(patience))
	sent := bytes.Repeat([]byte("0123456789abcde\n"), 1<<16)
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		for at, size := 0, 1; at < len(sent); size = size*2 + 1 {
			n, err := c.Write(sent[at:min(at+size, len(sent))])
			if at += n; err != nil {
				return
			}
		}
		_ = c.(*net.TCPConn).CloseWrite()
	})
	got, err := io.ReadAll(c)
	if err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%d bytes came back of %d: %v", len(got), len(sent), err)
	}
}
