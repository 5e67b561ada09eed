package netx_test

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"portico/internal/netx"
)

// options reads back what the kernel holds for a socket.
func options(t *testing.T, c syscall.Conn) string {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	get := func(fd uintptr, level, option int) int {
		n, err := unix.GetsockoptInt(int(fd), level, option)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	var text string
	if err := raw.Control(func(fd uintptr) {
		congestion, err := unix.GetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION)
		if err != nil {
			t.Fatal(err)
		}
		alive := "off"
		if get(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE) != 0 {
			alive = fmt.Sprintf("%d/%d", get(fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE), get(fd, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL))
		}
		text = fmt.Sprintf("%s keepalive=%s user=%d discover=%d", strings.TrimRight(congestion, "\x00"), alive,
			get(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT), get(fd, unix.SOL_IP, unix.IP_MTU_DISCOVER))
	}); err != nil {
		t.Fatal(err)
	}
	return text
}

// segment is the size of the segments of a connection.
func segment(t *testing.T, c syscall.Conn) (n int) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if ctlErr := raw.Control(func(fd uintptr) { n, err = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_MAXSEG) }); ctlErr != nil || err != nil {
		t.Fatal(ctlErr, err)
	}
	return n
}

// usual is the congestion control of sockets that choose none.
func usual(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("/proc/sys/net/ipv4/tcp_congestion_control")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

// other is one that every kernel grants, and that is not the usual one where it
// can be.
const other = "reno"

// both connects through a listener and returns the two ends.
func both(t *testing.T, d netx.Dialer, l *net.TCPListener) (client, server *net.TCPConn) {
	t.Helper()
	conn, err := d.Dial(t.Context(), addrOf(l.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	server, err = l.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = conn.Close(), server.Close() })
	return conn.(*net.TCPConn), server
}

// TestOptions proves that connections have the options of the socket they were
// accepted from, or of the dialer, on both families; that a listening socket can
// be given others; and that an unknown congestion control costs no connection.
func TestOptions(t *testing.T) {
	plain := usual(t)
	tests := []struct {
		name string
		o    netx.Options
		want string
	}{
		{"none", netx.Options{}, plain + " keepalive=15/15 user=0 discover=1"},
		{"all", netx.Options{Congestion: other, KeepAlive: 40 * time.Second, UserTimeout: 7 * time.Second, MSS: 1000, Fragment: true, Backlog: 8}, other + " keepalive=40/40 user=7000 discover=0"},
		{"no keepalive", netx.Options{KeepAlive: -1}, plain + " keepalive=off user=0 discover=1"},
		{"rounded up", netx.Options{KeepAlive: 1500 * time.Millisecond, UserTimeout: 1500 * time.Microsecond}, plain + " keepalive=2/2 user=1 discover=1"},
		{"unknown congestion control", netx.Options{Congestion: "none-such"}, plain + " keepalive=15/15 user=0 discover=1"},
	}
	for _, at := range []string{"127.0.0.1:0", "[::1]:0"} {
		tuned := listen(t, at)
		for _, tt := range tests {
			t.Run(tt.name+" at "+at, func(t *testing.T) {
				fresh, err := netx.ListenMany(t.Context(), netip.MustParseAddrPort(at), 1, tt.o)
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = fresh[0].Close() }()
				if err := netx.Tune(tuned, tt.o); err != nil {
					t.Fatal(err)
				}
				for _, l := range []*net.TCPListener{fresh[0], tuned} {
					client, server := both(t, netx.Dialer{Options: tt.o}, l)
					if got := options(t, client); got != tt.want {
						t.Errorf("connected: %s, want %s", got, tt.want)
					}
					if got := options(t, server); got != tt.want {
						t.Errorf("accepted: %s, want %s", got, tt.want)
					}
					if n := segment(t, client); (n <= 1000) != (tt.o.MSS > 0) {
						t.Errorf("segments have %d bytes where %d are asked for", n, tt.o.MSS)
					}
				}
			})
		}
	}
}

// TestOptionsRefused proves that what the kernel refuses is said with the option.
func TestOptionsRefused(t *testing.T) {
	bad := netx.Options{MSS: 5}
	_, err := netx.ListenMany(t.Context(), netip.MustParseAddrPort("127.0.0.1:0"), 1, bad)
	if want := "listen 127.0.0.1:0: socket option TCP_MAXSEG 5: invalid argument"; err == nil || err.Error() != want {
		t.Errorf("ListenMany: %v, want %s", err, want)
	}
	l := listen(t, "127.0.0.1:0")
	if err, want := netx.Tune(l, bad), fmt.Sprintf("listen %s: socket option TCP_MAXSEG 5: invalid argument", l.Addr()); err == nil || err.Error() != want {
		t.Errorf("Tune: %v, want %s", err, want)
	}
	_, err = netx.Dialer{Options: bad}.Dial(t.Context(), addrOf(l.Addr()))
	if want := fmt.Sprintf("dial %s: socket option TCP_MAXSEG 5: invalid argument", l.Addr()); err == nil || err.Error() != want {
		t.Errorf("Dial: %v, want %s", err, want)
	}
}

// TestCheckCongestion proves that the kernel is asked, and that a refusal names
// what there is.
func TestCheckCongestion(t *testing.T) {
	if err := netx.CheckCongestion(other); err != nil {
		t.Error(err)
	}
	err := netx.CheckCongestion("none-such")
	if err == nil || !strings.HasPrefix(err.Error(), `this kernel has no congestion control "none-such": it has `) || !strings.Contains(err.Error(), other) {
		t.Errorf("an unknown one: %v", err)
	}
}

// TestListenMany proves that connections are spread over all sockets of an
// address, with its options, and that the address may be one the kernel chose.
func TestListenMany(t *testing.T) {
	const sockets, clients = 4, 200
	for _, at := range []string{"127.0.0.1:0", "[::1]:0"} {
		all, err := netx.ListenMany(t.Context(), netip.MustParseAddrPort(at), sockets, netx.Options{UserTimeout: 5 * time.Second, Backlog: clients})
		if err != nil {
			t.Fatal(err)
		}
		if len(all) != sockets {
			t.Fatalf("%d sockets, want %d", len(all), sockets)
		}
		for range clients {
			c, err := netx.Dialer{}.Dial(t.Context(), addrOf(all[0].Addr()))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = c.Close() }()
		}
		total := 0
		for i, l := range all {
			_ = l.SetDeadline(time.Now().Add(100 * time.Millisecond))
			n := 0
			for ; ; n++ {
				c, err := l.AcceptTCP()
				if err != nil {
					break
				}
				if n == 0 && !strings.Contains(options(t, c), "user=5000") {
					t.Errorf("socket %d has other options: %s", i, options(t, c))
				}
				_ = c.Close()
			}
			if n < clients/sockets/3 {
				t.Errorf("socket %d of %s got %d of %d connections", i, at, n, clients)
			}
			total += n
			_ = l.Close()
		}
		if total != clients {
			t.Errorf("%d connections were accepted, want %d", total, clients)
		}
	}
}

// TestListenManyTaken proves that an address someone else has is an error, even
// where that one would share it; and that another process of ours, which would
// share too, is kept out.
func TestListenManyTaken(t *testing.T) {
	at := netip.MustParseAddrPort("127.0.0.1:0")
	mine, err := netx.ListenMany(t.Context(), at, 2, netx.Options{})
	if err != nil {
		t.Fatal(err)
	}
	sharing := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) })
	}}
	theirs, err := sharing.Listen(t.Context(), "tcp4", at.String())
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range []net.Listener{mine[0], theirs} {
		want := "listen " + l.Addr().String() + ": address already in use"
		if _, err := netx.ListenMany(t.Context(), addrOf(l.Addr()), 2, netx.Options{}); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	again := addrOf(mine[0].Addr())
	_, _, _ = mine[0].Close(), mine[1].Close(), theirs.Close()
	mine, err = netx.ListenMany(t.Context(), again, 2, netx.Options{})
	if err != nil {
		t.Fatalf("a moment later: %v", err)
	}
	_, _ = mine[0].Close(), mine[1].Close()
}

// TestFloating proves that a socket may have an address that the machine does not
// hold, of either family, only when it is asked for.
func TestFloating(t *testing.T) {
	for _, addr := range []string{"198.51.100.77:0", "[2001:db8::77]:0"} {
		at := netip.MustParseAddrPort(addr)
		list, err := netx.ListenMany(t.Context(), at, 2, netx.Options{Floating: true})
		if err != nil {
			t.Fatalf("floating: %v", err)
		}
		for _, l := range list {
			_ = l.Close()
		}
		if _, err := netx.ListenMany(t.Context(), at, 1, netx.Options{}); err == nil || !strings.Contains(err.Error(), "is not an address of this machine") {
			t.Errorf("without: %v, want that the machine has no such address", err)
		}
	}
}
