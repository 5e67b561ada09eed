package engine_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"portico/l7/exchange/outcome"
	"portico/l7/loop"
	"portico/spec"
)

// script is a target that answers every connection by hand.
func (p *proxy) script(serve func(c net.Conn, r *bufio.Reader)) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		p.t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer func() { _ = c.Close() }()
				_ = c.SetDeadline(time.Now().Add(20 * time.Second))
				serve(c, bufio.NewReader(c))
			})
		}
	})
	p.t.Cleanup(func() { _ = ln.Close(); _ = p.driver.Close(); wg.Wait() })
	p.to(ln.Addr())
}

// head reads a request's head and forgets it.
func head(r *bufio.Reader) string {
	var b strings.Builder
	for {
		line, err := r.ReadString('\n')
		b.WriteString(line)
		if err != nil || line == "\r\n" {
			return b.String()
		}
	}
}

// eventually polls until ok, with a loose bound.
func eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if ok() {
			return
		}
	}
	tb.Fatalf("it never came to be: %s", what)
}

// wantWhy waits for the reason the last request ended with.
func (p *proxy) wantWhy(n int, want outcome.Why) outcome.Result {
	p.t.Helper()
	eventually(p.t, fmt.Sprintf("%d requests ended", n), func() bool { return len(p.results()) >= n })
	r := p.results()[n-1]
	if r.Why != want {
		p.t.Errorf("request %d ended %v (%s), want %v", n, r.Why, r.Detail, want)
	}
	return r
}

func random(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(b)
	return b
}

// TestBothWays proves that large bodies flow both ways at once: the target sends
// back what it reads while it reads.
func TestBothWays(t *testing.T) {
	const size = 10 << 20
	for _, tls := range []bool{false, true} {
		t.Run(fmt.Sprintf("tls=%v", tls), func(t *testing.T) {
			p := newProxy(t, func(p *proxy, _ *loop.Options) {
				if tls {
					p.tls = selfSigned(t)
				}
			})
			p.serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_ = http.NewResponseController(w).EnableFullDuplex()
				w.WriteHeader(200)
				_, _ = io.Copy(w, r.Body)
				w.Header().Set(http.TrailerPrefix+"Sum", "done")
			}))
			in := random(size)
			c, url := client(t), p.url()
			if tls {
				c, url = p.secureClient()
			}
			req, _ := http.NewRequest("POST", url, struct{ io.Reader }{bytes.NewReader(in)})
			r, err := c.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = r.Body.Close() }()
			out, err := io.ReadAll(r.Body)
			if err != nil || !bytes.Equal(in, out) {
				t.Fatalf("%d bytes came back of %d, error %v", len(out), len(in), err)
			}
			if got := r.Trailer.Get("Sum"); got != "done" {
				t.Errorf("trailer = %q", got)
			}
			res := p.wantWhy(1, outcome.OK)
			if res.BytesIn != size || res.BytesOut != size {
				t.Errorf("counted %d in, %d out", res.BytesIn, res.BytesOut)
			}
		})
	}
}

// TestSlowClient proves that a target is held back by a client that reads slowly,
// and that nothing is lost.
func TestSlowClient(t *testing.T) {
	p := newProxy(t, nil)
	big := random(8 << 20)
	p.serve(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(big) }))
	c := p.dial()
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	r := bufio.NewReaderSize(c, 1<<10)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var got bytes.Buffer
	for {
		n, err := io.CopyN(&got, resp.Body, 200<<10)
		if errors.Is(err, io.EOF) || n == 0 {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(got.Bytes(), big) {
		t.Errorf("got %d bytes, want %d, or they differ", got.Len(), len(big))
	}
}

// TestPipeline proves the order of answers to requests sent at once.
func TestPipeline(t *testing.T) {
	p := newProxy(t, nil)
	p.serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		_, _ = io.WriteString(w, r.URL.Path+string(b))
	}))
	c := p.dial()
	var sent strings.Builder
	for i := range 50 {
		fmt.Fprintf(&sent, "POST /%d HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", i)
	}
	go func() { _, _ = io.WriteString(c, sent.String()) }()
	r := bufio.NewReader(c)
	for i := range 50 {
		resp := fetch(t, func() (*http.Response, error) { return http.ReadResponse(r, nil) })
		if got, want := resp.text, fmt.Sprintf("/%dabc", i); got != want {
			t.Fatalf("answer %d = %q, want %q", i, got, want)
		}
	}
}

// TestExpect proves that a body waits for the target's word.
func TestExpect(t *testing.T) {
	p := newProxy(t, nil)
	p.serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/no" {
			w.WriteHeader(403)
			return
		}
		echo(w, r)
	}))
	tr := &http.Transport{ExpectContinueTimeout: 10 * time.Second}
	defer tr.CloseIdleConnections()
	c := &http.Client{Transport: tr}
	for _, tt := range []struct {
		path, want string
		status     int
	}{{"/yes", "POST hello", 200}, {"/no", "", 403}} {
		req, _ := http.NewRequest("POST", p.url()+tt.path, strings.NewReader("hello"))
		req.Header.Set("Expect", "100-continue")
		r := fetch(t, func() (*http.Response, error) { return c.Do(req) })
		if got := r.text; got != tt.want || r.status != tt.status {
			t.Errorf("%s = %d %q, want %d %q", tt.path, r.status, got, tt.status, tt.want)
		}
	}
}

// TestUpgrade proves that an upgraded connection echoes both ways and closes.
func TestUpgrade(t *testing.T) {
	p := newProxy(t, nil)
	p.script(func(c net.Conn, r *bufio.Reader) {
		if got := head(r); !strings.Contains(got, "Upgrade: echo") {
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
		_, _ = io.Copy(c, r)
		_ = c.(*net.TCPConn).CloseWrite()
	})
	c := p.dial()
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
	r := bufio.NewReader(c)
	if got := head(r); !strings.HasPrefix(got, "HTTP/1.1 101 ") {
		t.Fatalf("head = %q", got)
	}
	in := random(1 << 20)
	go func() {
		_, _ = c.Write(in)
		_ = c.(*net.TCPConn).CloseWrite()
	}()
	out, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(in, out) {
		t.Fatalf("%d of %d bytes came back, error %v", len(out), len(in), err)
	}
	if res := p.wantWhy(1, outcome.OK); !res.Tunnel || res.BytesIn != 1<<20 || res.BytesOut != 1<<20 {
		t.Errorf("ended %+v", res)
	}
}

// TestTunnelIdle proves that an idle tunnel is closed.
func TestTunnelIdle(t *testing.T) {
	p := newProxy(t, func(p *proxy, _ *loop.Options) { p.timeouts.Tunnel = spec.Duration(50 * time.Millisecond) })
	p.script(func(c net.Conn, r *bufio.Reader) {
		head(r)
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
		_, _ = io.Copy(io.Discard, r)
	})
	c := p.dial()
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
	if _, err := io.ReadAll(c); err != nil {
		t.Errorf("reading = %v, want the end", err)
	}
	p.wantWhy(1, outcome.TunnelTimeout)
}

// TestTargetDies proves that half an answer never looks whole.
func TestTargetDies(t *testing.T) {
	p := newProxy(t, nil)
	p.script(func(c net.Conn, r *bufio.Reader) {
		if strings.HasPrefix(head(r), "GET /chunked") {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
		} else {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
		}
	})
	for i, path := range []string{"/chunked", "/length"} {
		r, err := client(t).Get(p.url() + path)
		if err == nil { // the reset may even overtake the head
			_, err = io.ReadAll(r.Body)
			_ = r.Body.Close()
		}
		if err == nil {
			t.Errorf("%s: half an answer was taken for a whole one", path)
		}
		p.wantWhy(i+1, outcome.TargetClosed)
	}
}

// TestEarlyAnswer proves that a target that answers without reading the body is
// heard, and its answer is not lost to a reset.
func TestEarlyAnswer(t *testing.T) {
	p := newProxy(t, nil)
	p.script(func(c net.Conn, r *bufio.Reader) {
		head(r)
		_, _ = io.WriteString(c, "HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 5\r\n\r\nlarge")
		_ = c.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, io.LimitReader(r, 1<<20))
	})
	c := p.dial()
	go func() {
		_, _ = io.WriteString(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 50000000\r\n\r\n")
		_, _ = c.Write(make([]byte, 4<<20))
	}()
	r := fetch(t, func() (*http.Response, error) { return http.ReadResponse(bufio.NewReader(c), nil) })
	if got := r.text; got != "large" || r.status != 413 {
		t.Errorf("got %d %q", r.status, got)
	}
}

// TestClientAborts proves that an upload that is cut short never reaches the
// target as a whole one.
func TestClientAborts(t *testing.T) {
	p := newProxy(t, nil)
	result := make(chan error, 1)
	p.serve(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		result <- err
	}))
	c := p.dial()
	_, _ = io.WriteString(c, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
	eventually(t, "the target is asked", func() bool { return p.driver.Stats().Targets == 1 })
	_ = c.Close()
	if err := <-result; err == nil {
		t.Error("the target took half a body for a whole one")
	}
	p.wantWhy(1, outcome.ClientClosed)
}

// blackhole is an address at which connecting takes for ever: a listening socket
// whose queue is full.
func blackhole(tb testing.TB) net.Addr {
	tb.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		tb.Fatal(err)
	}
	if err := unix.Listen(fd, 0); err != nil {
		tb.Fatal(err)
	}
	at, err := unix.Getsockname(fd)
	if err != nil {
		tb.Fatal(err)
	}
	addr := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: at.(*unix.SockaddrInet4).Port}
	for range 8 {
		c, err := net.DialTimeout("tcp", addr.String(), 100*time.Millisecond)
		if err != nil {
			return addr // it is full
		}
		tb.Cleanup(func() { _ = c.Close() })
	}
	tb.Skip("this system's queues do not fill")
	return nil
}

// TestSlowTarget proves the answers to a target that does not answer, and to one
// that cannot be reached.
func TestSlowTarget(t *testing.T) {
	p := newProxy(t, func(p *proxy, _ *loop.Options) {
		p.timeouts.Response = spec.Duration(50 * time.Millisecond)
		p.timeouts.Connect = spec.Duration(50 * time.Millisecond)
	})
	p.script(func(_ net.Conn, r *bufio.Reader) { _, _ = io.Copy(io.Discard, r) })
	c := client(t)
	r := fetch(t, func() (*http.Response, error) { return c.Get(p.url()) })
	if r.status != 504 {
		t.Errorf("status %d, want 504", r.status)
	}
	p.wantWhy(1, outcome.TargetTimeout)
	p.to(blackhole(t))
	r = fetch(t, func() (*http.Response, error) { return c.Get(p.url()) })
	if r.status != 504 {
		t.Errorf("status %d, want 504", r.status)
	}
	if res := p.wantWhy(2, outcome.TargetConnectTimeout); res.Retries != 1 {
		t.Errorf("retries = %d, want 1", res.Retries)
	}
}

// TestSlowHead proves that a head that does not end is answered and cut.
func TestSlowHead(t *testing.T) {
	p := newProxy(t, func(p *proxy, _ *loop.Options) { p.bounds.HeadTimeout = 50 * time.Millisecond })
	c := p.dial()
	_, _ = io.WriteString(c, "GET / HT")
	got, err := io.ReadAll(c)
	if err != nil || !strings.HasPrefix(string(got), "HTTP/1.1 408 ") {
		t.Errorf("got %q, error %v", got, err)
	}
	silent := p.dial()
	if got, err := io.ReadAll(silent); err != nil || len(got) != 0 {
		t.Errorf("a silent client got %q, error %v", got, err)
	}
}

// TestClientResets proves that a request is given up when its client resets the
// connection while it waits for the answer, and goes on when the client only ended
// its sending side.
func TestClientResets(t *testing.T) {
	p := newProxy(t, nil)
	gone := make(chan struct{})
	p.script(func(c net.Conn, r *bufio.Reader) {
		if strings.HasPrefix(head(r), "GET /half") {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			return
		}
		_, _ = io.Copy(io.Discard, r)
		close(gone)
	})
	half := p.dial()
	_, _ = io.WriteString(half, "GET /half HTTP/1.1\r\nHost: x\r\n\r\n")
	_ = half.(*net.TCPConn).CloseWrite()
	if r := fetch(t, func() (*http.Response, error) { return http.ReadResponse(bufio.NewReader(half), nil) }); r.text != "ok" {
		t.Errorf("a client that ended its side got %q", r.text)
	}
	c := p.dial()
	_, _ = io.WriteString(c, "GET /reset HTTP/1.1\r\nHost: x\r\n\r\n")
	eventually(t, "the target is asked", func() bool { return p.driver.Stats().Targets == 1 })
	_ = c.(*net.TCPConn).SetLinger(0)
	_ = c.Close()
	p.wantWhy(2, outcome.ClientClosed)
	select {
	case <-gone:
	case <-time.After(20 * time.Second):
		t.Error("the target's connection is still open")
	}
}
