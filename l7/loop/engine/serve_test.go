package engine_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	crand "crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	pp "portico/internal/netx/proxy"
	"portico/l7/exchange/outcome"
	"portico/l7/loop"
)

type addrPort = netip.AddrPort

// selfSigned is a server's configuration with a key of its own.
func selfSigned(tb testing.TB) *tls.Config {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), crand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"x.test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(crand.Reader, cert, cert, &key.PublicKey, key)
	if err != nil {
		tb.Fatal(err)
	}
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		NextProtos:   []string{"http/1.1"},
	}
}

// secureClient trusts anything, under the name x.test.
func (p *proxy) secureClient() (*http.Client, string) {
	c := client(p.t)
	c.Transport.(*http.Transport).TLSClientConfig = &tls.Config{InsecureSkipVerify: true, ServerName: "x.test", NextProtos: []string{"http/1.1"}}
	return c, "https://" + p.ln.Addr().String()
}

// refusedText is what a connection gets that should be refused, maybe before it is made.
func (p *proxy) refusedText(say []byte) string {
	c, err := net.Dial("tcp", p.ln.Addr().String())
	if err != nil {
		return ""
	}
	defer func() { _ = c.Close() }()
	_, _ = c.Write(say)
	got, _ := io.ReadAll(c)
	return string(got)
}

// TestTLS proves that TLS is ended here, with ALPN, and that what is no TLS is refused,
// plain HTTP with a word.
func TestTLS(t *testing.T) {
	p := newProxy(t, func(p *proxy, _ *loop.Options) { p.tls = selfSigned(t) })
	p.serve(http.HandlerFunc(echo))
	c, url := p.secureClient()
	for range 3 {
		r := fetch(t, func() (*http.Response, error) { return c.Post(url, "", strings.NewReader("hi")) })
		if got := r.text; got != "POST hi" || r.alpn != "http/1.1" {
			t.Errorf("got %q over %q", got, r.alpn)
		}
	}
	plain := p.dial()
	_, _ = io.WriteString(plain, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(plain), nil)
	if err != nil {
		t.Fatalf("plain HTTP is not answered: %v", err)
	}
	text, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil || resp.StatusCode != 400 || !strings.Contains(string(text), "https://") || resp.ContentLength != int64(len(text)) {
		t.Errorf("plain HTTP is answered %d %q, %v", resp.StatusCode, text, err)
	}
	if at, err := http.ParseTime(resp.Header.Get("Date")); err != nil || time.Since(at) > time.Minute {
		t.Errorf("plain HTTP is answered with the date %v, %v, want that of now", at, err)
	}
	eventually(t, "the refusal is counted", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return slices.Equal(p.refused, []loop.Refusal{loop.BadHandshake})
	})
}

// TestProxyHeader proves that behind l4 nodes the client is who they say, and
// that nobody else may say so.
func TestProxyHeader(t *testing.T) {
	source, vip := netip.MustParseAddrPort("203.0.113.7:4000"), netip.MustParseAddrPort("192.0.2.10:80")
	head := pp.Append(nil, pp.Header{Source: source, Destination: vip})
	p := newProxy(t, func(p *proxy, _ *loop.Options) { p.from = []netip.Addr{netip.MustParseAddr("127.0.0.1")} })
	p.serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Header.Get("X-Client"))
	}))

	c := p.dial()
	for _, b := range head { // in the smallest pieces
		_, _ = c.Write([]byte{b})
	}
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	r := fetch(t, func() (*http.Response, error) { return http.ReadResponse(bufio.NewReader(c), nil) })
	if got := r.text; got != source.String() {
		t.Errorf("the target saw client %q, want %q", got, source)
	}

	bare := p.dial()
	_, _ = io.WriteString(bare, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if got, _ := io.ReadAll(bare); len(got) != 0 {
		t.Errorf("without a header the answer is %q, want none", got)
	}

	eventually(t, "the connections are gone", func() bool { return p.driver.Stats().Clients == 1 })
	p.mu.Lock()
	p.from = []netip.Addr{netip.MustParseAddr("127.0.0.9")}
	p.mu.Unlock()
	if got := p.refusedText(head); got != "" {
		t.Errorf("a stranger got %q, want nothing", got)
	}
	eventually(t, "the refusals are counted", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return slices.Equal(p.refused, []loop.Refusal{loop.BadProxy, loop.NotTrusted})
	})
}

// TestReadiness proves the answer to an l4 node's probe.
func TestReadiness(t *testing.T) {
	p := newProxy(t, func(p *proxy, _ *loop.Options) { p.from = []netip.Addr{netip.MustParseAddr("127.0.0.1")} })
	for _, want := range []string{"ready\n", "draining\n"} {
		p.ready.Store(want == "ready\n")
		c := p.dial()
		_, _ = c.Write(pp.AppendReadiness(nil))
		got, err := io.ReadAll(c)
		if err != nil || string(got) != want {
			t.Errorf("answer = %q, error %v, want %q", got, err, want)
		}
	}
	if len(p.refused) != 0 {
		t.Errorf("probes were counted as refused: %v", p.refused)
	}
}

// TestLimit proves that connections above the limit are refused and others served.
func TestLimit(t *testing.T) {
	p := newProxy(t, func(p *proxy, _ *loop.Options) { p.limit = 2 })
	p.serve(http.HandlerFunc(echo))
	first, second := p.dial(), p.dial()
	eventually(t, "both are open", func() bool { return p.open.Load() == 2 })
	if got := p.refusedText(nil); got != "" {
		t.Errorf("a third connection got %q", got)
	}
	_ = first.Close()
	eventually(t, "one is closed", func() bool { return p.open.Load() == 1 })
	for _, c := range []net.Conn{second, p.dial()} {
		_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		r := fetch(t, func() (*http.Response, error) { return http.ReadResponse(bufio.NewReader(c), nil) })
		if got := r.text; got != "GET " {
			t.Errorf("got %q", got)
		}
	}
}

// TestPool proves that target connections are used again, that one which died is
// noticed, and that those of targets that are gone are closed.
func TestPool(t *testing.T) {
	p := newProxy(t, nil)
	var conns, active atomic.Int64
	s := httpServer(p, echo, func(_ net.Conn, st http.ConnState) {
		switch st {
		case http.StateNew:
			conns.Add(1)
			active.Add(1)
		case http.StateClosed:
			active.Add(-1)
		default:
		}
	})
	c := client(t)
	get := func() {
		t.Helper()
		r := fetch(t, func() (*http.Response, error) { return c.Get(p.url()) })
		if got := r.text; got != "GET " {
			t.Fatalf("got %q", got)
		}
	}
	for range 5 {
		get()
	}
	if n := conns.Load(); n != 1 {
		t.Errorf("five requests used %d connections, want 1", n)
	}
	s.CloseClientConnections()
	get()
	if n := conns.Load(); n != 2 {
		t.Errorf("after the target closed %d connections were made, want 2", n)
	}
	if res := p.wantWhy(6, outcome.OK); res.Status != 200 {
		t.Errorf("ended %+v", res)
	}
	p.driver.Retain(func(netip.AddrPort) bool { return false })
	eventually(t, "the idle connection is closed", func() bool { return active.Load() == 0 && p.driver.Stats().Idle == 0 })
}

// TestStalePooled proves that a request is sent again where a pooled connection
// dies under it: the target takes each second request of a connection and closes.
func TestStalePooled(t *testing.T) {
	p := newProxy(t, nil)
	p.script(func(c net.Conn, r *bufio.Reader) {
		head(r)
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		head(r)
	})
	c := client(t)
	for i := range 10 {
		r := fetch(t, func() (*http.Response, error) { return c.Get(p.url()) })
		if got := r.text; got != "ok" {
			t.Fatalf("request %d = %d %q", i, r.status, got)
		}
	}
	retried := 0
	for _, r := range p.results() {
		retried += r.Retries
	}
	if retried == 0 {
		t.Error("nothing was sent again")
	}
}

// TestDrain proves that a drain under load fails no request.
func TestDrain(t *testing.T) {
	p := newProxy(t, nil)
	p.serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			time.Sleep(300 * time.Millisecond)
		}
		echo(w, r)
	}))
	var wg sync.WaitGroup
	var failed, served atomic.Int64
	for i := range 8 {
		wg.Go(func() {
			c := p.dial()
			r := bufio.NewReader(c)
			path := "/"
			if i == 0 {
				path = "/slow"
			}
			for {
				if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path); err != nil {
					failed.Add(1)
					return
				}
				resp, err := http.ReadResponse(r, nil)
				if err != nil {
					failed.Add(1)
					return
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
				served.Add(1)
				if resp.Close {
					return
				}
			}
		})
	}
	eventually(t, "requests are served", func() bool { return served.Load() > 200 })
	p.ln.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := p.driver.Drain(ctx); err != nil {
		t.Error(err)
	}
	wg.Wait()
	if n := failed.Load(); n != 0 {
		t.Errorf("%d of %d requests failed", n, served.Load())
	}
}

// TestLeave proves that connections end with their next answer, new ones too, and
// idle ones not before.
func TestLeave(t *testing.T) {
	p := newProxy(t, nil)
	p.serve(http.HandlerFunc(echo))
	get := func(c net.Conn) (closes bool) {
		t.Helper()
		_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		_, _ = io.Copy(io.Discard, resp.Body)
		return resp.Close
	}
	idle, fresh := p.dial(), p.dial()
	if get(idle) {
		t.Error("a connection ends before it was asked to")
	}
	p.driver.Leave()
	_ = idle.SetReadDeadline(time.Now().Add(700 * time.Millisecond)) // more than the grace of a drain
	if _, err := idle.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the idle connection ends with %v, want it left alone", err)
	}
	_ = idle.SetReadDeadline(time.Now().Add(20 * time.Second))
	for name, c := range map[string]net.Conn{"idle": idle, "accepted before": fresh, "new": p.dial()} {
		if !get(c) {
			t.Errorf("the %s connection goes on after its answer", name)
		}
	}
}

// TestDrainBound proves that Drain gives up with its context, and Close ends the rest.
func TestDrainBound(t *testing.T) {
	p := newProxy(t, nil)
	p.script(func(_ net.Conn, r *bufio.Reader) { _, _ = io.Copy(io.Discard, r) })
	c := p.dial()
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	eventually(t, "the target is asked", func() bool { return p.driver.Stats().Targets == 1 })
	p.ln.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := p.driver.Drain(ctx); err == nil {
		t.Error("Drain() = nil with a request going on")
	}
	_ = p.driver.Close()
	p.wantWhy(1, outcome.Drained)
}

// TestRetire proves that the connections of a listener that is gone end: kindly,
// with the answer under way whole, or at once.
func TestRetire(t *testing.T) {
	for _, reset := range []bool{false, true} {
		t.Run(fmt.Sprintf("reset=%v", reset), func(t *testing.T) {
			p := newProxy(t, nil)
			asked, answer := make(chan struct{}), make(chan struct{})
			p.serve(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				close(asked)
				<-answer
				_, _ = io.WriteString(w, "whole")
			}))
			idle, busy := p.dial(), p.dial()
			eventually(t, "both are open", func() bool { return p.open.Load() == 2 })
			_, _ = io.WriteString(busy, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			<-asked
			p.driver.Retire(func(l loop.Listener) bool { return l == loop.Listener(p) }, reset)
			if reset {
				eventually(t, "all are gone", func() bool { return p.open.Load() == 0 })
				close(answer)
				return
			}
			if _, err := io.ReadAll(idle); err != nil {
				t.Errorf("the idle connection ends with %v", err)
			}
			close(answer)
			r := fetch(t, func() (*http.Response, error) { return http.ReadResponse(bufio.NewReader(busy), nil) })
			if r.text != "whole" {
				t.Errorf("the answer under way is %q", r.text)
			}
		})
	}
}

// TestRefusals proves that every refusal has a name of its own.
func TestRefusals(t *testing.T) {
	seen := map[string]bool{}
	for r := loop.TooMany; r <= loop.BadHandshake; r++ {
		if seen[r.String()] || r.String() == "unknown" {
			t.Errorf("refusal %d is named %q", r, r)
		}
		seen[r.String()] = true
	}
}
