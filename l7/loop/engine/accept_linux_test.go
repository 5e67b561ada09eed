package engine_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"portico/internal/netx"
	"portico/l7/loop"
)

// journal is a log that can be read while it is written.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(p)
}

func (j *journal) has(text string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Contains(j.b.String(), text)
}

// TestFullFileTable proves that clients wait while the file table is full, that
// this is said once, and that they are served when there is room again.
func TestFullFileTable(t *testing.T) {
	var j journal
	p := newProxy(t, func(_ *proxy, o *loop.Options) { o.Log = slog.New(slog.NewTextHandler(&j, nil)) })
	p.serve(http.HandlerFunc(echo))
	c := client(t)
	get := func() answer { return fetch(t, func() (*http.Response, error) { return c.Get(p.url()) }) }
	_ = get() // everything is open that a request needs
	c.CloseIdleConnections()

	// A socket of its own, because there will be no file for another.
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	file := os.NewFile(uintptr(fd), "client")
	defer func() { _ = file.Close() }()
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	full := before
	full.Cur = 3 // lower than any file that is open
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &full); err != nil {
		t.Skipf("the limit of files cannot be set: %v", err)
	}
	restore := sync.OnceFunc(func() { _ = unix.Setrlimit(unix.RLIMIT_NOFILE, &before) })
	defer restore()
	to := p.ln.Addr()
	if err := unix.Connect(fd, &unix.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the trouble is said", func() bool { return j.has("accepting paused") })
	restore()
	eventually(t, "the end of it is said", func() bool { return j.has("accepting again") })
	if _, err := io.WriteString(file, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(file); err != nil || !strings.HasSuffix(string(got), "GET ") {
		t.Errorf("the client that waited got %q, error %v", got, err)
	}
	if got := get(); got.status != 200 {
		t.Errorf("status %d afterwards", got.status)
	}
}

// TestAddresses proves that IPv6 and wildcard addresses work, and that an
// address that is taken is an error.
func TestAddresses(t *testing.T) {
	p := newProxy(t, nil)
	p.serve(http.HandlerFunc(echo))
	for _, at := range []string{"[::1]:0", "0.0.0.0:0"} {
		s, err := p.driver.Listen(t.Context(), netip.MustParseAddrPort(at), netx.Options{})
		if err != nil {
			t.Errorf("Listen(%s) = %v", at, err)
			continue
		}
		s.Serve(p)
		addr := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), s.Addr().Port())
		if s.Addr().Addr().Is6() {
			addr = s.Addr()
		}
		conn, err := net.DialTimeout("tcp", addr.String(), 10*time.Second)
		if err != nil {
			t.Errorf("%s: %v", at, err)
			continue
		}
		_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		if got, err := io.ReadAll(conn); err != nil || !strings.HasSuffix(string(got), "GET ") {
			t.Errorf("%s: got %q, error %v", at, got, err)
		}
		_ = conn.Close()
		if _, err := p.driver.Listen(context.Background(), s.Addr(), netx.Options{}); err == nil {
			t.Errorf("Listen(%s) twice is no error", s.Addr())
		}
		s.Close()
	}
}
