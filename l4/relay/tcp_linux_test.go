package relay_test

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"

	"portico/internal/netx"
)

// TestListenerOptions proves that the sockets of flows are set as their listener
// says, and those to come as the next spec does.
func TestListenerOptions(t *testing.T) {
	vip := free(t, "127.0.0.1")
	want := tcpSpec(vip, server(t, "127.0.2.1", echo))
	want.Listeners[0].TCP.MSS = 700
	b := start(t, want)
	for _, most := range []int{700, 900} {
		if most != 700 {
			next := *want
			next.Listeners = append(next.Listeners[:0:0], want.Listeners...)
			next.Listeners[0].TCP.MSS = most
			b.apply(&next)
		}
		c, err := netx.Dialer{}.Dial(t.Context(), vip)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := c.(*net.TCPConn).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		got := 0
		if err := raw.Control(func(fd uintptr) { got, _ = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_MAXSEG) }); err != nil {
			t.Fatal(err)
		}
		if got > most || got < most-12 { // timestamps take 12
			t.Errorf("the client sends segments of %d, want %d", got, most)
		}
		_ = c.Close()
	}
}

// What a group's tcp says holds for the sockets to its targets.
func TestTargetOptions(t *testing.T) {
	vip, segments := free(t, "127.0.0.1"), make(chan int, 1)
	want := tcpSpec(vip, server(t, "127.0.2.1", func(c *net.TCPConn) {
		raw, err := c.SyscallConn()
		if err != nil {
			t.Error(err)
			return
		}
		_ = raw.Control(func(fd uintptr) {
			n, _ := unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_MAXSEG)
			segments <- n
		})
	}))
	want.TargetGroups[0].TCP.MSS = 700
	start(t, want)
	_ = dial(t, vip)
	if got := <-segments; got > 700 || got < 700-12 { // timestamps take 12
		t.Errorf("the target sends segments of %d, want 700", got)
	}
}
