package engine_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"portico/l7/loop"
)

// hello is the begin of a TLS record whose rest never comes.
const hello = "\x16\x03\x01\x02\x00\x01"

// TestHandshakeGivenUp proves that handshakes which do not end hold up neither a
// drain, once their listener is retired by force, nor the end of the driver.
func TestHandshakeGivenUp(t *testing.T) {
	p := newProxy(t, func(p *proxy, _ *loop.Options) { p.tls = selfSigned(t) })
	p.serve(http.HandlerFunc(echo))
	stuck := func() net.Conn {
		c := p.dial()
		_, _ = io.WriteString(c, hello)
		return c
	}
	first, second := stuck(), stuck()
	eventually(t, "both are open", func() bool { return p.open.Load() == 2 })
	p.driver.Retire(func(loop.Listener) bool { return true }, true)
	eventually(t, "both are gone", func() bool { return p.open.Load() == 0 })
	for _, c := range []net.Conn{first, second} {
		if _, err := c.Read(make([]byte, 1)); err == nil {
			t.Error("a handshake that was given up said something")
		}
	}
	_ = stuck()
	eventually(t, "another is open", func() bool { return p.open.Load() == 1 })
	p.ln.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := p.driver.Drain(ctx); err == nil {
		t.Error("Drain() = nil with a handshake going on")
	}
	_ = p.driver.Close() // which returns
}

// TestDrainDuringHandshake proves that a connection whose handshake ends after a
// drain began serves its request and then closes.
func TestDrainDuringHandshake(t *testing.T) {
	p := newProxy(t, func(p *proxy, _ *loop.Options) { p.tls = selfSigned(t) })
	p.serve(http.HandlerFunc(echo))
	raw := p.dial()
	eventually(t, "it is open", func() bool { return p.open.Load() == 1 })
	p.ln.Close()
	drained := make(chan error, 1)
	go func() { drained <- p.driver.Drain(t.Context()) }()
	c := tls.Client(raw, &tls.Config{InsecureSkipVerify: true, ServerName: "x.test"})
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if b, err := io.ReadAll(resp.Body); err != nil || string(b) != "GET " {
		t.Errorf("got %q, error %v", b, err)
	}
	_ = c.Close()
	if err := <-drained; err != nil {
		t.Errorf("Drain() = %v", err)
	}
}

// TestSlowSecureClient proves that a client that takes its bytes slowly over TLS
// gets them whole, though records do not fit its socket, and that requests sent
// together with the end of the handshake are read.
func TestSlowSecureClient(t *testing.T) {
	p := newProxy(t, func(p *proxy, _ *loop.Options) { p.tls = selfSigned(t) })
	big := random(8 << 20)
	p.serve(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(big) }))
	raw := p.dial().(*net.TCPConn)
	_ = raw.SetReadBuffer(16 << 10)
	c := tls.Client(raw, &tls.Config{InsecureSkipVerify: true, ServerName: "x.test"})
	const ask = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
	_, _ = io.WriteString(c, ask+ask)
	r := bufio.NewReader(c)
	for i := range 2 {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		var got bytes.Buffer
		for {
			n, err := io.CopyN(&got, resp.Body, 300<<10)
			if n == 0 || err != nil {
				break
			}
		}
		if !bytes.Equal(got.Bytes(), big) {
			t.Fatalf("answer %d: got %d bytes, want %d, or they differ", i, got.Len(), len(big))
		}
	}
}

// TestUploadOverTLS proves that a target that reads slowly holds back a client
// that sends over TLS, to a target that is reached over TLS too.
func TestUploadOverTLS(t *testing.T) {
	p := newProxy(t, func(p *proxy, _ *loop.Options) { p.tls = selfSigned(t) })
	in := random(8 << 20)
	roots, _ := p.secure(func(w http.ResponseWriter, r *http.Request) {
		var got bytes.Buffer
		for {
			n, err := io.CopyN(&got, r.Body, 500<<10)
			if n == 0 || err != nil {
				break
			}
		}
		if bytes.Equal(got.Bytes(), in) {
			_, _ = io.WriteString(w, "same")
		}
	})
	p.via.Store(secureTransport(roots))
	c, url := p.secureClient()
	r := fetch(t, func() (*http.Response, error) { return c.Post(url, "", bytes.NewReader(in)) })
	if r.status != 200 || r.text != "same" {
		t.Errorf("got %d %q", r.status, r.text)
	}
}
