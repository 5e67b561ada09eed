package relay_test

import (
	"io"
	"net"
	"testing"
	"time"

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

// A read ends at a byte that was sent as urgent (RFC 6093, section 3), and more may be
// there all the same. As with any program that does not ask for them apart, the byte
// itself is left out.
func TestUrgent(t *testing.T) {
	vip := free(t, "127.0.0.1")
	got := make(chan string, 1)
	start(t, tcpSpec(vip, server(t, "127.0.2.1", func(c *net.TCPConn) {
		b := make([]byte, len("abcefg"))
		_, _ = io.ReadFull(c, b)
		got <- string(b)
	})))
	c := dial(t, vip)
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	err = raw.Control(func(fd uintptr) {
		for _, send := range []struct {
			text  string
			flags int
		}{{"abc", 0}, {"d", unix.MSG_OOB}, {"efg", 0}} {
			if err := unix.Sendto(int(fd), []byte(send.text), send.flags, nil); err != nil {
				t.Error(err)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	select {
	case b := <-got:
		if b != "abcefg" {
			t.Errorf("the target read %q", b)
		}
	case <-time.After(hang):
		t.Error("what follows an urgent byte did not arrive")
	}
}
