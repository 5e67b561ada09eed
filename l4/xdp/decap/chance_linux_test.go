package decap

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"portico/internal/testkit"
	"portico/l4/xdp"
	"portico/spec"
)

// carrier is a way to wrap packets, with whom to ask second.
type carrier struct {
	name    string
	outer   func(n int) netip.Addr
	forward spec.Forward
	wrap    func(src, dst netip.Addr, left byte, second netip.Addr, inner []byte) []byte
	nobody  netip.Addr
}

func carriers() []carrier {
	return []carrier{
		{"GUE in IPv4", host4, spec.ForwardGUE, gue, nobody4},
		{"GUE in IPv6", host6, spec.ForwardGUE, gue, nobody6},
		{"IPv6 with an option", host6, spec.ForwardIP6IP6, option, nobody6},
	}
}

// TestSecondChance proves that a flow which one node has lives on when its packets
// come to another, as after a change of targets: for IPv4 and IPv6, in whatever
// they are wrapped. Without the second node's address, it does not. New flows stay
// where they come to, and clients' segments fit the links when wrapped.
func TestSecondChance(t *testing.T) {
	b := newBed(t)
	for _, c := range carriers() {
		t.Run(c.name, func(t *testing.T) {
			want := b.spec(c.outer, c.forward)
			a, other := b.node(t, b.a, "a", want), b.node(t, b.b, "b", want)
			b.serve(t, b.a, "a", a.SegmentMax)
			b.serve(t, b.b, "b", other.SegmentMax)
			for _, vip := range bedVIPs {
				t.Run(vip.String(), func(t *testing.T) { b.testMove(t, c, a, vip) })
			}
			if n := b.lbs.tooBig.Load(); n > 0 {
				t.Errorf("%d packets did not fit when wrapped", n)
			}
		})
	}
}

// testMove moves flows of a VIP from b to a.
func (b *bed) testMove(t *testing.T, c carrier, a *Decapsulator, vip netip.Addr) {
	t.Helper()
	toA, toB := way{c.outer(2), c.outer(3), c.nobody, 0, c.wrap}, way{c.outer(2), c.outer(4), c.nobody, 0, c.wrap}
	toAThenB := way{c.outer(2), c.outer(3), c.outer(4), 1, c.wrap}
	const much = 200_000 // bytes: more than one segment, more than one window

	b.lbs.to.Store(&toB)
	lives, breaks := b.dial(t, vip), b.dial(t, vip)
	for _, conn := range []net.Conn{lives, breaks} {
		if who, err := ask(conn, much); who != "b" || err != nil {
			t.Fatalf("answered by %q, %v; want b", who, err)
		}
	}
	before := a.counts()["chained"]
	b.lbs.to.Store(&toAThenB)
	if who, err := ask(lives, much); who != "b" || err != nil {
		t.Errorf("sent to a, the flow is answered by %q, %v; want b", who, err)
	}
	if a.counts()["chained"] == before {
		t.Error("a sent nothing on")
	}
	if who, err := ask(b.dial(t, vip), 10); who != "a" || err != nil {
		t.Errorf("a new flow is answered by %q, %v; want a", who, err)
	}
	b.lbs.to.Store(&toA) // the control
	if who, err := ask(breaks, 10); !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
		t.Errorf("without a second chance the flow is answered by %q, %v; want a reset", who, err)
	}
}

// TestSegmentMax proves that it is the size that clients are told which makes
// their packets fit: without it they do not.
func TestSegmentMax(t *testing.T) {
	b := newBed(t)
	b.node(t, b.a, "a", b.spec(host4, spec.ForwardGUE))
	b.serve(t, b.a, "a", func(netip.Addr) int { return 0 })
	b.lbs.to.Store(&way{host4(2), host4(3), nobody4, 0, gue})
	for _, vip := range bedVIPs {
		before := b.lbs.tooBig.Load()
		if _, err := io.WriteString(b.dial(t, vip), strings.Repeat("x", 10_000)); err != nil {
			t.Fatal(err)
		}
		testkit.Poll(t, bound, func() error {
			if b.lbs.tooBig.Load() == before {
				return errors.New("every packet fits")
			}
			return nil
		})
	}
}

// TestCookie proves that the end of a handshake which the kernel remembers in
// nothing but a SYN cookie, as under a flood, is taken for what it is: the flow
// is not sent on, though no socket has it yet.
func TestCookie(t *testing.T) {
	b := newBed(t)
	want := b.spec(host4, spec.ForwardGUE)
	a := b.node(t, b.a, "a", want)
	b.serve(t, b.a, "a", a.SegmentMax)
	if u := a.Status(); u == nil || u.Interface != "eth0" || len(u.From) != 1 || u.From[0] != host4(2) {
		t.Errorf("status %v, want packets of %s on eth0", u, host4(2))
	}
	b.a.Sysctl("net/ipv4/tcp_syncookies", "2") // for all, not only under a flood
	b.lbs.to.Store(&way{host4(2), host4(3), host4(4), 1, gue})
	for i, vip := range bedVIPs {
		if who, err := ask(b.dial(t, vip), 10); who != "a" || err != nil {
			t.Errorf("VIP %s: answered by %q, %v; want a", vip, who, err)
		}
		if n := a.counts(); n["cookie"] != uint64(i+1) || n["chained"] != 0 {
			t.Errorf("VIP %s: results %v, want %d of cookie and none chained", vip, n, i+1)
		}
	}
}

// TestBehindBalancer proves that a node which is an l4 node too unwraps packets
// that its balancer hands on, and attaches nothing of its own.
func TestBehindBalancer(t *testing.T) {
	b := newBed(t)
	want := b.spec(host4, spec.ForwardGUE)
	want.Sites[0].Nodes[1].Roles = []spec.Role{spec.RoleL4, spec.RoleL7}
	a := b.node(t, b.a, "a", want)
	b.serve(t, b.a, "a", a.SegmentMax)
	var balancer *xdp.Kernel
	var err error
	b.a.Run(func() {
		if balancer, err = xdp.Open(xdp.KernelOptions{Flows: 1024}); err != nil {
			return
		}
		err = errors.Join(balancer.Apply(&xdp.Plan{Source4: host4(3)}), balancer.Next(a.Program()), balancer.Attach("eth0"))
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = balancer.Close() })
	b.lbs.to.Store(&way{host4(2), host4(3), nobody4, 0, gue})
	for _, vip := range bedVIPs {
		if who, err := ask(b.dial(t, vip), 10); who != "a" || err != nil {
			t.Errorf("VIP %s: answered by %q, %v; want a", vip, who, err)
		}
	}
	if err := balancer.Next(nil); err != nil {
		t.Error(err)
	}
}
