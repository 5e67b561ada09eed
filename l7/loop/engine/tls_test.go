package engine_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"portico/l7/exchange/outcome"
	"portico/l7/transport"
)

// secure makes a Go handler that is served over TLS the target, and counts the
// connections to it.
func (p *proxy) secure(h http.HandlerFunc) (roots *x509.CertPool, opened *atomic.Int64) {
	opened = new(atomic.Int64)
	s := httptest.NewUnstartedServer(h)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	s.StartTLS()
	p.t.Cleanup(s.Close)
	p.to(s.Listener.Addr())
	roots = x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return roots, opened
}

// secureTransport is a new one to targets that secure made.
func secureTransport(roots *x509.CertPool) *transport.Transport {
	return transport.New(transport.Options{TLS: &tls.Config{RootCAs: roots, ServerName: "example.com"}})
}

// TestTargetTLS proves that targets are greeted as their Transport says, that a
// connection serves the next request of the same Transport and no other's, and
// that a target which cannot be verified gets no request.
func TestTargetTLS(t *testing.T) {
	p := newProxy(t, nil)
	roots, opened := p.secure(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.TLS.ServerName) })
	c := client(t)
	get := func(x *transport.Transport) answer {
		t.Helper()
		p.via.Store(x)
		return fetch(t, func() (*http.Response, error) { return c.Get(p.url()) })
	}
	first, second := secureTransport(roots), secureTransport(roots)
	for i, x := range []*transport.Transport{first, first, second, first, second} {
		if got := get(x); got.status != 200 || got.text != "example.com" {
			t.Fatalf("request %d: status %d, %q", i, got.status, got.text)
		}
	}
	if n := opened.Load(); n != 2 {
		t.Errorf("5 requests of 2 transports took %d connections, want 2", n)
	}
	if got := get(transport.New(transport.Options{TLS: &tls.Config{ServerName: "example.com"}})); got.status != 502 {
		t.Errorf("a target of an unknown authority: status %d, want 502", got.status)
	}
	eventually(t, "every request has ended", func() bool { return len(p.results()) == 6 })
	last := p.results()[5]
	if last.Why != outcome.TargetHandshakeFailed || last.Detail == "" {
		t.Errorf("it ended with %s, %q", last.Why, last.Detail)
	}
}
