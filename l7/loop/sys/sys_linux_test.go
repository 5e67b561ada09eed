package sys

import (
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"portico/internal/poll"
	"portico/internal/testkit"
)

// pair is a connection: our end's descriptor, and the peer.
func pair(t *testing.T) (fd int, peer *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	peer = c.(*net.TCPConn)
	ours, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	f, err := ours.(*net.TCPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	_ = ours.Close()
	fd = int(f.Fd()) // which makes it block
	if err := unix.SetNonblock(fd, true); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = f.Close(), peer.Close() })
	return fd, peer
}

// reset ends a connection with a reset.
func reset(p *net.TCPConn) { _, _ = p.SetLinger(0), p.Close() }

// TestBroken proves that a connection that was reset is told of, also behind bytes that
// nobody read, and none that is open or that ended in order.
func TestBroken(t *testing.T) {
	for name, c := range map[string]struct {
		send string
		do   func(*net.TCPConn)
		want error
	}{
		"open":               {"", func(*net.TCPConn) {}, nil},
		"open with bytes":    {"abc", func(*net.TCPConn) {}, nil},
		"ended":              {"", func(p *net.TCPConn) { _ = p.CloseWrite() }, nil},
		"ended after bytes":  {"abc", func(p *net.TCPConn) { _ = p.CloseWrite() }, nil},
		"reset":              {"", reset, unix.ECONNRESET},
		"reset behind bytes": {"abc", reset, unix.ECONNRESET},
		"reset after an end": {"abc", func(p *net.TCPConn) { _ = p.CloseWrite(); reset(p) }, unix.EPIPE},
	} {
		t.Run(name, func(t *testing.T) {
			t.Logf("want %v", c.want)
			fd, peer := pair(t)
			if _, err := io.WriteString(peer, c.send); err != nil {
				t.Fatal(err)
			}
			c.do(peer)
			testkit.Poll(t, 10*time.Second, func() error {
				if err := Broken(fd); !errors.Is(err, c.want) {
					return fmt.Errorf("Broken = %w", err)
				}
				return nil
			})
		})
	}
}

// TestReadiness proves that a socket is told to be ready for what it is ready for.
func TestReadiness(t *testing.T) {
	fd, peer := pair(t)
	ready := func(want poll.Ready) {
		t.Helper()
		testkit.Poll(t, 10*time.Second, func() error {
			if r := Readiness(fd); r != want {
				return fmt.Errorf("ready for %b, want %b", r, want)
			}
			return nil
		})
	}
	ready(poll.Out)
	if _, err := peer.Write([]byte("abc")); err != nil {
		t.Fatal(err)
	}
	ready(poll.Out | poll.In | poll.Ended)
	fill(t, fd)
	ready(poll.In | poll.Ended)
}

// fill sends until the socket takes no more, and returns how much it took.
func fill(t *testing.T, fd int) (total int) {
	t.Helper()
	var v Vector
	segs := [][]byte{make([]byte, 1000), make([]byte, 64<<10)}
	for {
		n, errno := v.Send(fd, segs)
		switch {
		case errno == unix.EAGAIN:
			return total
		case errno != 0:
			t.Fatal(errno)
		}
		total += n
	}
}

// TestSend proves that what is sent in segments arrives as it was, however many the
// system takes at once, and that what the peer has not taken is told.
func TestSend(t *testing.T) {
	fd, peer := pair(t)
	var v Vector
	n, errno := v.Send(fd, [][]byte{[]byte("one "), []byte("two "), []byte("three")})
	if n != len("one two three") || errno != 0 {
		t.Fatalf("Send = %d, %v", n, errno)
	}
	got := make([]byte, n)
	if _, err := io.ReadFull(peer, got); err != nil || string(got) != "one two three" {
		t.Fatalf("got %q, %v", got, err)
	}
	for i := range v.iov {
		if v.iov[i].Base != nil {
			t.Fatalf("segment %d is kept alive", i)
		}
	}
	total := fill(t, fd)
	if unsent := Unsent(fd); unsent <= 0 || unsent > total {
		t.Errorf("%d bytes are said to wait, of %d", unsent, total)
	}
	if _, err := io.CopyN(io.Discard, peer, int64(total)); err != nil {
		t.Fatal(err)
	}
	testkit.Poll(t, 10*time.Second, func() error {
		if n := Unsent(fd); n != 0 {
			return fmt.Errorf("%d bytes are said to wait though the peer has all", n)
		}
		return nil
	})
	reset(peer)
	testkit.Poll(t, 10*time.Second, func() error {
		if _, errno := v.Send(fd, [][]byte{{1}, {2}}); errno != unix.ECONNRESET && errno != unix.EPIPE {
			return fmt.Errorf("Send to a connection that was reset = %w", errno)
		}
		return nil
	})
}
