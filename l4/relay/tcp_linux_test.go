package relay_test

import (
	"errors"
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
		got := 0
		control(t, c.(*net.TCPConn), func(fd int) { got, _ = unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_MAXSEG) })
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
		control(t, c, func(fd int) {
			n, _ := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_MAXSEG)
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
// there all the same, the end too. As with any program that does not ask for them apart,
// the byte itself is left out.
func TestUrgent(t *testing.T) {
	const want = "abcefg"
	vip := free(t, "127.0.0.1")
	got := make(chan string, 1)
	start(t, tcpSpec(vip, server(t, "127.0.2.1", func(c *net.TCPConn) {
		b := make([]byte, len(want))
		n, _ := io.ReadFull(c, b)
		got <- string(b[:n])
	})))
	for _, ends := range []bool{false, true} {
		c := dial(t, vip)
		control(t, c, func(fd int) {
			for _, send := range []struct {
				text  string
				flags int
			}{{"abc", 0}, {"d", unix.MSG_OOB}, {"efg", 0}} {
				if err := unix.Sendto(fd, []byte(send.text), send.flags, nil); err != nil {
					t.Error(err)
				}
			}
		})
		if ends {
			_ = c.CloseWrite()
		}
		select {
		case b := <-got:
			if b != want {
				t.Errorf("the target read %q of a client that ends: %v; want %q", b, ends, want)
			}
		case <-time.After(hang):
			t.Errorf("what follows an urgent byte did not arrive, of a client that ends: %v", ends)
		}
	}
}

// Bulk data goes on behind an urgent byte too, at which a splice ends for good: to splice
// it looks like the end, where that has come.
func TestUrgentInBulk(t *testing.T) {
	for _, ends := range []bool{false, true} {
		for _, size := range []int{16 << 10, 80 << 10, 1 << 20} { // on both sides of the byte
			vip := free(t, "127.0.1.10")
			got := make(chan int, 1)
			start(t, tcpSpec(vip, server(t, "127.0.2.1", func(c *net.TCPConn) {
				n, _ := io.ReadFull(c, make([]byte, 2*size))
				got <- n
			})))
			c := dial(t, vip)
			b := make([]byte, size)
			_, err := c.Write(b)
			control(t, c, func(fd int) { err = errors.Join(err, sendUrgent(fd)) })
			if _, err2 := c.Write(b); err != nil || err2 != nil {
				t.Fatal(err, err2)
			}
			if ends {
				_ = c.CloseWrite()
			}
			select {
			case n := <-got:
				if n != 2*size {
					t.Errorf("the target got %d bytes of a client that ends: %v; want %d", n, ends, 2*size)
				}
			case <-time.After(hang):
				t.Errorf("what follows an urgent byte behind %d others did not arrive, of a client that ends: %v", size, ends)
			}
		}
	}
}

// sendUrgent sends one byte as urgent, once there is room for it.
func sendUrgent(fd int) error {
	for {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
		if _, err := unix.Poll(fds, int(hang.Milliseconds())); err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
		if err := unix.Sendto(fd, []byte("d"), unix.MSG_OOB, nil); !errors.Is(err, unix.EAGAIN) {
			return err
		}
	}
}

// The end of a connection travels with its last bytes: what comes in one segment goes on
// in one.
func TestEndWithLastBytes(t *testing.T) {
	vip := free(t, "127.0.0.1")
	start(t, tcpSpec(vip, server(t, "127.0.2.1", func(c *net.TCPConn) {
		control(t, c, func(fd int) {
			if _, errno := netx.SendLastFD(fd, []byte("bye")); errno != 0 {
				t.Error(errno)
			}
		})
	})))
	var segments uint32
	for range 50 { // where the loop looks between two of the kernel's steps, it is told of the end later
		c := dial(t, vip)
		wantText(t, c, "bye")
		control(t, c, func(fd int) {
			info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
			if err != nil {
				t.Error(err)
				return
			}
			segments = info.Segs_in
		})
		_ = c.Close()
		if segments == 2 { // the first is of the handshake
			return
		}
	}
	t.Errorf("the client got %d segments, want 2", segments)
}

// wantText reads all that comes, to the end.
func wantText(t *testing.T, c net.Conn, want string) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(hang))
	if got, err := io.ReadAll(c); err != nil || string(got) != want {
		t.Fatalf("read %q, %v, want %q", got, err, want)
	}
}

// control calls do with the file descriptor of a connection.
func control(t *testing.T, c *net.TCPConn, do func(fd int)) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { do(int(fd)) })
	}
	if err != nil {
		t.Error(err)
	}
}
