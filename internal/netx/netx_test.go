package netx_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"portico/internal/netx"
)

const hang = 10 * time.Second // the bound against hanging

func listen(t *testing.T, addr string) *net.TCPListener {
	t.Helper()
	l, err := netx.Listen(t.Context(), netip.MustParseAddrPort(addr))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func addrOf(a net.Addr) netip.AddrPort { return a.(*net.TCPAddr).AddrPort() }

// pair is a connection made by d, and its other end.
func pair(t *testing.T, d netx.Dialer, at string) (client net.Conn, server *net.TCPConn) {
	t.Helper()
	l := listen(t, at)
	client, err := d.Dial(t.Context(), addrOf(l.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	server, err = l.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = client.Close(), server.Close() })
	_ = client.SetDeadline(time.Now().Add(hang))
	_ = server.SetDeadline(time.Now().Add(hang))
	return client, server
}

// A connection leaves from the source where that can work, and from wherever the
// kernel says where it cannot.
func TestDialSource(t *testing.T) {
	tests := []struct {
		name, source, to, want string
	}{
		{"same family, both loopback", "127.0.3.7", "127.0.0.1:0", "127.0.3.7"},
		{"source mapped into v6", "::ffff:127.0.3.7", "127.0.0.1:0", "127.0.3.7"},
		{"v6", "::1", "[::1]:0", "::1"},
		{"no source", "", "127.0.0.1:0", "127.0.0.1"},
		{"another family", "127.0.3.7", "[::1]:0", "::1"},
		{"source not on loopback", "192.0.2.1", "127.0.0.1:0", "127.0.0.1"},
		{"source unspecified", "0.0.0.0", "127.0.0.1:0", "127.0.0.1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var d netx.Dialer
			if tt.source != "" {
				d.Source = netip.MustParseAddr(tt.source)
			}
			_, server := pair(t, d, tt.to)
			if got := addrOf(server.RemoteAddr()).Addr().Unmap(); got != netip.MustParseAddr(tt.want) {
				t.Errorf("connected from %v, want %v", got, tt.want)
			}
		})
	}
}

// An error names what was done, to whom and why, once, and keeps the cause.
func TestDialError(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	to := addrOf(l.Addr())
	_ = l.Close()
	_, err := netx.Dialer{}.Dial(t.Context(), to)
	if want := "dial " + to.String() + ": connection refused"; err == nil || err.Error() != want {
		t.Errorf("error %q, want %q", err, want)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("%v is not ECONNREFUSED", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (netx.Dialer{}).Dial(ctx, to); !errors.Is(err, context.Canceled) {
		t.Errorf("dial with an ended context = %v, want it to be context.Canceled", err)
	}
}

// Listening refuses with the reason and what to do about it.
func TestListenError(t *testing.T) {
	taken := addrOf(listen(t, "127.0.0.1:0").Addr())
	tests := []struct {
		name, addr, want string
		is               error
	}{
		{"taken", taken.String(), "listen " + taken.String() + ": address already in use", syscall.EADDRINUSE},
		{"not here", "192.0.2.1:8080", "listen 192.0.2.1:8080: cannot assign requested address; 192.0.2.1 is not an address of this machine", syscall.EADDRNOTAVAIL},
		{"not allowed", "127.0.0.1:80", "listen 127.0.0.1:80: permission denied; run as root, grant the binary", syscall.EACCES},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l, err := netx.Listen(t.Context(), netip.MustParseAddrPort(tt.addr))
			if err == nil {
				_ = l.Close()
				t.Skip("this user may listen there")
			}
			if !strings.HasPrefix(err.Error(), tt.want) || !errors.Is(err, tt.is) {
				t.Errorf("error %q, want %q", err, tt.want)
			}
		})
	}
}

// A listener on a wildcard takes its own family only, so that both can be had.
func TestListenFamily(t *testing.T) {
	four := listen(t, "127.0.0.1:0")
	port := addrOf(four.Addr()).Port()
	six, err := netx.Listen(t.Context(), netip.AddrPortFrom(netip.IPv6Unspecified(), port))
	if err != nil {
		t.Fatalf("listening on [::] beside 127.0.0.1: %v", err)
	}
	_ = six.Close()
}

// Both ends have TCP_NODELAY and keepalive on.
func TestSocketOptions(t *testing.T) {
	client, server := pair(t, netx.Dialer{}, "127.0.0.1:0")
	for name, conn := range map[string]*net.TCPConn{"dialed": client.(*net.TCPConn), "accepted": server} {
		for option, at := range map[string][2]int{
			"TCP_NODELAY": {syscall.IPPROTO_TCP, syscall.TCP_NODELAY}, "SO_KEEPALIVE": {syscall.SOL_SOCKET, syscall.SO_KEEPALIVE},
		} {
			raw, err := conn.SyscallConn()
			if err != nil {
				t.Fatal(err)
			}
			var on int
			if ctlErr := raw.Control(func(fd uintptr) { on, err = syscall.GetsockoptInt(int(fd), at[0], at[1]) }); ctlErr != nil || err != nil {
				t.Fatal(ctlErr, err)
			}
			if on == 0 {
				t.Errorf("%s connection: %s is off, want on", name, option)
			}
		}
	}
}

// A reset is seen as a reset by the peer, through TLS too, and never as an end.
func TestReset(t *testing.T) {
	for _, secure := range []bool{false, true} {
		client, server := pair(t, netx.Dialer{}, "127.0.0.1:0")
		var conn net.Conn = server
		if secure {
			conn = tls.Server(server, &tls.Config{MinVersion: tls.VersionTLS13})
		}
		netx.Reset(conn)
		n, err := client.Read(make([]byte, 1))
		if n != 0 || !netx.IsReset(err) {
			t.Errorf("TLS %v: peer reads %d, %v, want a reset", secure, n, err)
		}
	}
	ours, peer := net.Pipe() // nothing to reset: closed is all it can be
	netx.Reset(ours)
	if _, err := peer.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("peer of a pipe reads %v, want EOF", err)
	}
}

// A clean end, a closed socket and a deadline are no resets.
func TestIsReset(t *testing.T) {
	for _, err := range []error{nil, io.EOF, net.ErrClosed, os.ErrDeadlineExceeded, syscall.ECONNREFUSED} {
		if netx.IsReset(err) {
			t.Errorf("IsReset(%v) = true, want false", err)
		}
	}
	if !netx.IsReset(&net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)}) {
		t.Error("IsReset(ECONNRESET) = false, want true")
	}
}

// The bound of open files is known where there is one.
func TestFilesMax(t *testing.T) {
	if n := netx.FilesMax(); n < 0 {
		t.Errorf("FilesMax = %d, want 0 or more", n)
	}
}

// TestAddrPort proves that an address has one form, whatever socket it came by.
func TestAddrPort(t *testing.T) {
	for _, tt := range []struct {
		name string
		addr net.Addr
		want string
	}{
		{"IPv4", &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1).To4(), Port: 80}, "192.0.2.1:80"},
		{"IPv4 by an IPv6 socket", &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 80}, "192.0.2.1:80"},
		{"IPv6", &net.TCPAddr{IP: net.ParseIP("2001:db8::1"), Port: 80}, "[2001:db8::1]:80"},
		{"no TCP address", &net.UnixAddr{Name: "x"}, "invalid AddrPort"},
	} {
		if got := netx.AddrPort(tt.addr).String(); got != tt.want {
			t.Errorf("%s: AddrPort = %s, want %s", tt.name, got, tt.want)
		}
	}
}
