package decap

import (
	"context"
	"fmt"
	"math"
	"net"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"portico/internal/netx"
	"portico/internal/testkit"
	"portico/spec"
)

// The flood: many more SYNs than the queue of the listener holds.
const (
	floodBacklog = 8
	floodSYNs    = 200
	synFlag      = 2
)

// TestFlood proves that while SYNs from nowhere fill the queue of a listener, the
// program answers them with cookies of the kernel's, and a client that is answered so
// connects and transfers in segments that fit when wrapped. Where the SYNs are few for
// this core, it is the kernel that answers; the program then answers none.
func TestFlood(t *testing.T) {
	for _, tt := range []struct {
		name     string
		calm     int
		answered bool
	}{
		{"flood", 0, true},
		{"few", math.MaxInt32, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBed(t)
			want := b.spec(host4, spec.ForwardGUE)
			want.Sites[0].L4.SYNs = tt.calm
			a := b.node(t, b.a, "a", want)
			for _, nowhere := range []string{"203.0.113.0/24", "2001:db8:ff::/64"} {
				b.router.IP("route add blackhole " + nowhere) // what answers them is lost
			}
			for _, vip := range bedVIPs {
				b.backlogged(t, vip, a.SegmentMax(vip))
			}
			b.lbs.to.Store(&way{host4(2), host4(3), nobody4, 0, gue})
			for _, vip := range bedVIPs {
				before := a.counts()
				b.flood(vip)
				if tt.answered {
					testkit.Poll(t, bound, func() error {
						if n := a.counts(); n["answered"] == before["answered"] {
							b.flood(vip)
							return fmt.Errorf("VIP %s: results %v, want some answered", vip, n)
						}
						return nil
					})
				}
				flooded := a.counts()["answered"]
				c := b.dial(t, vip)
				if who, err := ask(c, 100_000); who != "a" || err != nil {
					t.Errorf("VIP %s: answered by %q, %v; want a", vip, who, err)
				}
				if n := a.counts(); n["cookie"] == before["cookie"] || (n["answered"] > flooded) != tt.answered || n["malformed"] > 0 {
					t.Errorf("VIP %s: results %v, want a cookie, answered %v, none malformed", vip, n, tt.answered)
				}
				if got, most := segmentOf(t, c), a.SegmentMax(vip); got > most {
					t.Errorf("VIP %s: segments of %d bytes, want %d at most", vip, got, most)
				}
			}
			if n := b.lbs.tooBig.Load(); n > 0 {
				t.Errorf("%d packets did not fit when wrapped", n)
			}
		})
	}
}

// backlogged has node a listen on a VIP with a short queue, and answer.
func (b *bed) backlogged(t *testing.T, vip netip.Addr, mss int) {
	t.Helper()
	var all []*net.TCPListener
	var err error
	b.a.Run(func() {
		all, err = netx.ListenMany(context.Background(), netip.AddrPortFrom(vip, bedPort), 1, netx.Options{MSS: mss, Backlog: floodBacklog})
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = all[0].Close() })
	go func() {
		for {
			c, err := all[0].Accept()
			if err != nil {
				return
			}
			go answer(c, "a")
		}
	}()
}

// flood sends SYNs from addresses that nobody has.
func (b *bed) flood(vip netip.Addr) {
	to := b.lbs.to.Load()
	for i := range floodSYNs {
		from := netip.AddrFrom4([4]byte{203, 0, 113, byte(i)})
		if vip.Is6() {
			from = addr(fmt.Sprintf("2001:db8:ff::%x", i+1))
		}
		syn := segment(netip.AddrPortFrom(from, uint16(1024+i)), netip.AddrPortFrom(vip, bedPort), synFlag, uint32(i), 0, "")
		b.lbs.send(to.first, to.wrap(to.from, to.first, to.left, to.second, syn))
	}
}

// segmentOf is how many bytes a connection puts into a segment.
func segmentOf(t *testing.T, c net.Conn) (size int) {
	t.Helper()
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) { size, err = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_MAXSEG) }); err != nil {
		t.Fatal(err)
	}
	return size
}
