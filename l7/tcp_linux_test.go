package l7_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"portico/spec"
)

// mss is the size of the segments that a connection sends.
func mss(t *testing.T, c net.Conn) (n int) {
	t.Helper()
	raw, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) { n, _ = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_MAXSEG) }); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestTCP proves that the sockets of clients and of targets are set as the spec
// says, and those to come as the next one does, where nothing else changed.
func TestTCP(t *testing.T) {
	seen := make(chan int, 16)
	origin := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	origin.Config.ConnState = func(c net.Conn, state http.ConnState) {
		if state == http.StateNew {
			seen <- mss(t, c)
		}
	}
	origin.Start()
	t.Cleanup(origin.Close)
	with := func(client, target int) func(*bed, *spec.Spec) {
		return func(_ *bed, s *spec.Spec) {
			g := group("g", origin)
			g.TCP = spec.TCP{MSS: target, UserTimeout: spec.Duration(time.Minute)}
			toOne(s, g)
			s.Listeners[0].TCP = spec.ListenerTCP{TCP: spec.TCP{MSS: client, KeepAlive: spec.Off}, Backlog: 64}
		}
	}
	b := newBed(t, with(700, 800))
	for i, want := range [][2]int{{700, 800}, {900, 1000}} {
		if i > 0 {
			next := b.base()
			with(want[0], want[1])(b, next)
			b.mustApply(next)
		}
		c := b.dial()
		c.do("GET / x")
		// What one end bounds the other may not send more of; timestamps take 12 of it.
		if n := mss(t, c.conn); n > want[0] || n < want[0]-12 {
			t.Errorf("spec %d: the client sends segments of %d, want %d", i, n, want[0])
		}
		if n := <-seen; n > want[1] || n < want[1]-12 {
			t.Errorf("spec %d: the target sends segments of %d, want %d", i, n, want[1])
		}
	}
}
