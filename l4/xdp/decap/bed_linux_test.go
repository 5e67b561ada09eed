package decap

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"portico/internal/netx"
	"portico/internal/testkit"
	"portico/internal/testkit/netns"
	"portico/spec"
)

// bed is a client, an l4 node that the test itself plays, and two l7 nodes, each
// joined by a link of its own to a router.
type bed struct {
	client, lb, a, b, router *netns.Space
	pins                     string
	lbs                      *wrapper
}

// What the bed's hosts are called by; N is 1 for the client, 2 for the l4 node, 3
// and 4 for the l7 nodes.
func host4(n int) netip.Addr { return addr(fmt.Sprintf("198.18.%d.2", n)) }
func host6(n int) netip.Addr { return addr(fmt.Sprintf("2001:db8:%d::2", n)) }

var bedVIPs = []netip.Addr{addr("198.18.100.1"), addr("2001:db8:100::1")}

const (
	bedPort = 8080
	bound   = 20 * time.Second
)

// newBed makes one; links have an MTU of 1500.
func newBed(t *testing.T) *bed {
	t.Helper()
	root(t)
	n := netns.New(t)
	b := &bed{pins: bpffs(t)}
	router := n.Add("r")
	b.router = router
	for i, s := range []**netns.Space{&b.client, &b.lb, &b.a, &b.b} {
		*s = n.Add([]string{"c", "l", "a", "b"}[i])
		join(t, n, router, *s, i+1)
	}
	router.Sysctl("net/ipv4/ip_forward", "1")
	router.Sysctl("net/ipv6/conf/all/forwarding", "1")
	for _, vip := range bedVIPs {
		router.IP(fmt.Sprintf("route add %s via %s", vip, map[bool]netip.Addr{true: host4(2), false: host6(2)}[vip.Is4()]))
	}
	b.lbs = wrap(t, b.lb)
	return b
}

// join links a host to the router.
func join(t *testing.T, n *netns.Net, router, host *netns.Space, i int) {
	t.Helper()
	at := fmt.Sprintf("to%d", i)
	n.Veth(router, at, []string{fmt.Sprintf("198.18.%d.1/24", i), fmt.Sprintf("2001:db8:%d::1/64", i)},
		host, "eth0", []string{host4(i).String() + "/24", host6(i).String() + "/64"})
	host.IP(fmt.Sprintf("route add default via 198.18.%d.1", i))
	host.IP(fmt.Sprintf("-6 route add default via 2001:db8:%d::1", i))
	for _, end := range []struct {
		s      *netns.Space
		device string
	}{{router, at}, {host, "eth0"}} {
		// Checksums are complete and segments whole, as on a wire.
		end.s.Output("ethtool", "-K", end.device, "tx", "off", "tso", "off", "gso", "off", "gro", "off")
		end.s.Sysctl("net/ipv4/conf/"+end.device+"/rp_filter", "0")
	}
	passAll(t, router, at)
}

// passAll puts a program on an interface: only then veth takes what the other end
// sends with XDP.
func passAll(t *testing.T, s *netns.Space, device string) {
	t.Helper()
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.XDP, License: "GPL",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, xdpPass), asm.Return()},
	})
	if err != nil {
		t.Fatal(err)
	}
	var l link.Link
	s.Run(func() {
		var at *net.Interface
		if at, err = net.InterfaceByName(device); err == nil {
			l, err = link.AttachXDP(link.XDPOptions{Program: prog, Interface: at.Index})
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = l.Close(), prog.Close() })
}

// bpffs is a BPF file system of the test's own.
func bpffs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("bpf", dir, "bpf", 0, ""); err != nil {
		testkit.Without(t, fmt.Sprintf("no BPF file system can be mounted: %v", err))
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return dir
}

// spec is what all nodes of the bed serve.
func (b *bed) spec(outer func(n int) netip.Addr, f spec.Forward) *spec.Spec {
	return &spec.Spec{
		Sites: []spec.Site{{
			Name: "here", L4: spec.SiteL4{Datapath: spec.DatapathXDP, Forward: f},
			Nodes: []spec.Node{
				{Name: "l", Address: outer(2), Roles: []spec.Role{spec.RoleL4}},
				{Name: "a", Address: outer(3), Roles: []spec.Role{spec.RoleL7}},
				{Name: "b", Address: outer(4), Roles: []spec.Role{spec.RoleL7}},
			},
		}},
		VIPs:      []spec.VIP{{Name: "v", Addresses: map[spec.SiteName][]netip.Addr{"here": bedVIPs}}},
		Listeners: []spec.Listener{{Name: "http", VIP: "v", Port: bedPort, Protocol: spec.ProtocolHTTP}},
	}
}

// options are those of a node of the bed.
func (b *bed) options(self spec.NodeName, state string) Options {
	return Options{Self: self, State: state, Pins: filepath.Join(b.pins, string(self), "l7"), Log: slog.New(slog.DiscardHandler)}
}

// node starts a decapsulator in a namespace until the end of the test.
func (b *bed) node(t *testing.T, s *netns.Space, self spec.NodeName, want *spec.Spec) *Decapsulator {
	t.Helper()
	d := New(b.options(self, t.TempDir()))
	apply(t, s, d, want)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go s.Run(func() { done <- d.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("node %s: %v", self, err)
		}
	})
	return d
}

func apply(t *testing.T, s *netns.Space, d *Decapsulator, want *spec.Spec) {
	t.Helper()
	var err error
	s.Run(func() { err = d.Apply(want) })
	if err != nil {
		t.Fatal(err)
	}
}

// serve has a node answer each line on its VIPs with its name and the length of
// the line.
func (b *bed) serve(t *testing.T, s *netns.Space, name string, segmentMax func(netip.Addr) int) {
	t.Helper()
	for _, vip := range bedVIPs {
		var l net.Listener
		var err error
		s.Run(func() {
			var all []*net.TCPListener
			if all, err = netx.ListenMany(context.Background(), netip.AddrPortFrom(vip, bedPort), 1, netx.Options{MSS: segmentMax(vip)}); err == nil {
				l = all[0]
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		var conns sync.WaitGroup
		t.Cleanup(func() { _ = l.Close(); conns.Wait() })
		conns.Go(func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				stop := context.AfterFunc(t.Context(), func() { _ = c.Close() })
				conns.Go(func() { defer stop(); answer(c, name) })
			}
		})
	}
}

func answer(c net.Conn, name string) {
	defer func() { _ = c.Close() }()
	buf, n := make([]byte, 64<<10), 0
	for {
		got, err := c.Read(buf)
		if err != nil {
			return
		}
		n += got
		if buf[got-1] == '\n' {
			if _, err := fmt.Fprintf(c, "%s %d\n", name, n); err != nil {
				return
			}
			n = 0
		}
	}
}

// dial connects the client to a VIP.
func (b *bed) dial(t *testing.T, vip netip.Addr) net.Conn {
	t.Helper()
	var c net.Conn
	var err error
	b.client.Run(func() { c, err = net.DialTimeout("tcp", netip.AddrPortFrom(vip, bedPort).String(), bound) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// ask sends a line of so many bytes and returns who answered.
func ask(c net.Conn, size int) (string, error) {
	_ = c.SetDeadline(time.Now().Add(bound))
	if _, err := io.WriteString(c, strings.Repeat("x", size-1)+"\n"); err != nil {
		return "", err
	}
	buf := make([]byte, 64)
	n, err := c.Read(buf)
	if err != nil {
		return "", err
	}
	who, got, _ := strings.Cut(strings.TrimSpace(string(buf[:n])), " ")
	if got != fmt.Sprint(size) {
		return who, fmt.Errorf("%s got %s bytes of %d", who, got, size)
	}
	return who, nil
}

// wrapper plays the l4 node: it wraps every packet for a VIP that reaches it.
type wrapper struct {
	tb         testing.TB
	out4, out6 int // raw sockets
	to         atomic.Pointer[way]
	// tooBig counts packets that did not fit into a link when wrapped.
	tooBig atomic.Int64
}

// way is where packets are sent and how.
type way struct {
	from, first, second netip.Addr
	left                byte
	wrap                func(src, dst netip.Addr, left byte, second netip.Addr, inner []byte) []byte
}

func wrap(tb testing.TB, s *netns.Space) *wrapper {
	tb.Helper()
	w := &wrapper{tb: tb}
	var in int
	var err error
	s.Run(func() {
		if in, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, int(htons(unix.ETH_P_ALL))); err != nil {
			return
		}
		if w.out4, err = unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW); err != nil {
			return
		}
		w.out6, err = unix.Socket(unix.AF_INET6, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
	})
	if err != nil {
		tb.Fatal(err)
	}
	// The read ends now and then, to see whether the test did.
	if err := unix.SetsockoptTimeval(in, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 20_000}); err != nil {
		tb.Fatal(err)
	}
	var loop sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	loop.Go(func() { w.loop(ctx, in) })
	tb.Cleanup(func() {
		cancel()
		loop.Wait()
		_, _, _ = unix.Close(in), unix.Close(w.out4), unix.Close(w.out6)
	})
	return w
}

func (w *wrapper) loop(ctx context.Context, in int) {
	buf := make([]byte, 64<<10)
	for ctx.Err() == nil {
		n, from, err := unix.Recvfrom(in, buf, 0)
		if err != nil || n < 40 {
			continue
		}
		if at, ok := from.(*unix.SockaddrLinklayer); !ok || at.Pkttype == unix.PACKET_OUTGOING {
			continue
		}
		var dst netip.Addr
		if buf[0]>>4 == 4 {
			dst, _ = netip.AddrFromSlice(buf[16:20])
		} else {
			dst, _ = netip.AddrFromSlice(buf[24:40])
		}
		to := w.to.Load()
		if to == nil || dst != bedVIPs[0] && dst != bedVIPs[1] {
			continue
		}
		w.send(to.first, to.wrap(to.from, to.first, to.left, to.second, buf[:n]))
	}
}

func (w *wrapper) send(to netip.Addr, packet []byte) {
	out, sa := w.out6, unix.Sockaddr(&unix.SockaddrInet6{Addr: to.As16()})
	if to.Is4() {
		out, sa = w.out4, &unix.SockaddrInet4{Addr: to.As4()}
	}
	err := unix.Sendto(out, packet, 0, sa)
	if errors.Is(err, unix.EMSGSIZE) {
		w.tooBig.Add(1)
	} else if err != nil {
		w.tb.Errorf("send to %s: %v", to, err)
	}
}

func htons(v uint16) uint16 { return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, v)) }

// noFile fails the test when a file is there.
func noFile(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is there: %v", path, err)
	}
}
