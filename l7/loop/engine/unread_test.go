package engine_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/sys/unix"

	"portico/l7/exchange"
	"portico/l7/h2"
	"portico/l7/loop"
)

// asker is a client of HTTP/2 that asks and asks, and reads no answer.
type asker struct {
	t    *testing.T
	c    *net.TCPConn
	x    *peer
	out  bytes.Buffer // what it is to write
	next uint32
}

func newAsker(t *testing.T, p *proxy) *asker {
	t.Helper()
	d := net.Dialer{Control: func(_, _ string, raw syscall.RawConn) error {
		return raw.Control(func(fd uintptr) {
			for _, option := range []int{unix.SO_RCVBUF, unix.SO_SNDBUF} { // little is in the kernel
				_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, option, 32<<10)
			}
		})
	}}
	c, err := d.Dial("tcp", p.ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	a := &asker{t: t, c: c.(*net.TCPConn), next: 1}
	a.x = newPeer(t, &a.out, bufio.NewReader(a.c))
	a.out.WriteString(http2.ClientPreface)
	_ = a.x.WriteSettings()
	_ = a.x.WriteSettingsAck()
	return a
}

// ask sends requests of so many bytes, or fewer where nobody reads them.
func (a *asker) ask(size int) (stuck bool) {
	a.t.Helper()
	for size > 0 {
		for a.out.Len() < 64<<10 {
			a.x.head(a.next, true, ":method", "GET", ":scheme", "http", ":path", "/", ":authority", "x")
			a.next += 2
		}
		_ = a.c.SetWriteDeadline(time.Now().Add(time.Second))
		n, err := a.c.Write(a.out.Bytes())
		a.out.Next(n)
		size -= n
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return true
		case err != nil:
			a.t.Fatal(err)
		}
	}
	return false
}

// TestUnreadAnswers proves that of a client that reads nothing no more is read than
// its answers are bounded by, and that it goes on when it does.
func TestUnreadAnswers(t *testing.T) {
	t.Parallel()
	p := newProxy(t, func(p *proxy, _ *loop.Options) {
		p.quiet, p.bounds.HTTP2 = true, h2.DefaultLimits()
		p.bounds.HTTP2.Streams = 1
		p.begin = func(d *exchange.Decision) { d.Pending = true } // and every other stream is refused
	})
	a := newAsker(t, p)
	if !a.ask(32 << 20) {
		t.Fatal("32 MiB of requests are read, of which no answer was")
	}
	_ = a.c.SetDeadline(time.Now().Add(20 * time.Second))
	_ = a.x.WritePing(false, [8]byte{'h', 'e', 'r', 'e'})
	rest, wrote := bytes.Clone(a.out.Bytes()), make(chan error)
	go func() {
		_, err := a.c.Write(rest)
		wrote <- err
	}()
	defer func() {
		if err := <-wrote; err != nil {
			t.Error(err)
		}
	}()
	frames := 0
	for f := a.x.next(); ; f = a.x.next() {
		if f == nil {
			t.Fatalf("the connection ended after %d frames of %d requests", frames, a.next/2)
		}
		frames++
		if f, ok := f.(*http2.PingFrame); ok && f.IsAck() {
			return
		}
	}
}

// TestLastWordsUnread proves that a connection that is over is closed in the end, also
// where the client takes nothing of what it is told last.
func TestLastWordsUnread(t *testing.T) {
	t.Parallel()
	p := newProxy(t, func(p *proxy, _ *loop.Options) {
		p.quiet, p.bounds.HTTP2, p.bounds.IdleTimeout = true, h2.DefaultLimits(), 100*time.Millisecond
		p.begin = func(d *exchange.Decision) { d.Fixed = &exchange.Fixed{Status: 204} }
	})
	a := newAsker(t, p)
	a.ask(4 << 20)
	for deadline := time.Now().Add(20 * time.Second); p.open.Load() > 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the connection is open still")
		}
	}
	_, _ = io.Copy(io.Discard, a.c)
}
