package transport_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"portico/l7/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestNil proves that the nil Transport is HTTP/1.1 in plain text.
func TestNil(t *testing.T) {
	var none *transport.Transport
	to := netip.MustParseAddrPort("10.0.0.1:80")
	if none.Config(to) != nil || none.For([]byte("a.test")) != nil || none.Protocol() != transport.HTTP1 {
		t.Errorf("the nil Transport has TLS %v, name %v, protocol %v", none.Config(to), none.For([]byte("a.test")), none.Protocol())
	}
	a, b := net.Pipe()
	defer func() { _ = b.Close() }()
	defer func() { _ = a.Close() }()
	if conn, err := none.Handshake(t.Context(), a, to); conn != a || err != nil {
		t.Errorf("Handshake() = %v, %v, want the connection itself", conn, err)
	}
}

// TestNames proves that each host has one Transport of its own, without its port
// and in any case, and only where the name comes from the host.
func TestNames(t *testing.T) {
	to := netip.MustParseAddrPort("10.0.0.1:443")
	tests := []struct{ host, name string }{
		{"shop.test", "shop.test"},
		{"Shop.TEST:8443", "shop.test"},
		{"shop.test.", "shop.test"},
		{"10.9.8.7:443", "10.9.8.7"},
		{"[2001:db8::1]:443", "2001:db8::1"},
		{"[2001:db8::1]", "2001:db8::1"},
		{"", "10.0.0.1"},
		{strings.Repeat("x", 256), "10.0.0.1"},
	}
	by := transport.New(transport.Options{TLS: &tls.Config{}, NameFromHost: true})
	for _, tt := range tests {
		got := by.For([]byte(tt.host))
		if name := got.Config(to).ServerName; name != tt.name {
			t.Errorf("For(%q) verifies %q, want %q", tt.host, name, tt.name)
		}
		if by.For([]byte(tt.host)) != got || by.For([]byte(strings.ToUpper(tt.host))) != got {
			t.Errorf("For(%q) is not the same twice", tt.host)
		}
		if got.For([]byte("other.test")) != got {
			t.Errorf("For(%q) is another for another host", tt.host)
		}
	}
	if by.For([]byte("a.test")) == by.For([]byte("b.test")) {
		t.Error("two hosts share a Transport")
	}
	fixed := transport.New(transport.Options{TLS: &tls.Config{ServerName: "fixed.test"}})
	if fixed.For([]byte("a.test")) != fixed || fixed.Config(to).ServerName != "fixed.test" {
		t.Error("a fixed name depends on the host")
	}
}

// TestNamesAreBounded proves that hosts that a client invents cost no memory for
// long, and that an ordinary request allocates nothing.
func TestNamesAreBounded(t *testing.T) {
	by := transport.New(transport.Options{TLS: &tls.Config{}, NameFromHost: true})
	first := by.For([]byte("shop.test"))
	for i := range 1000 {
		by.For(fmt.Appendf(nil, "%d.test", i))
	}
	if by.For([]byte("shop.test")) == first {
		t.Error("a name is remembered after a thousand others")
	}
	host := []byte("shop.test:443")
	if n := testing.AllocsPerRun(100, func() { by.For(host) }); n != 0 {
		t.Errorf("For allocates %v times, want 0", n)
	}
}

// TestConfig proves that an address always has the same configuration, and each
// its own sessions.
func TestConfig(t *testing.T) {
	a, b := netip.MustParseAddrPort("10.0.0.1:443"), netip.MustParseAddrPort("10.0.0.2:443")
	tests := []struct {
		name string
		o    transport.Options
		alpn string
	}{
		{"http/1.1", transport.Options{TLS: &tls.Config{}}, "[http/1.1]"},
		{"http/2", transport.Options{TLS: &tls.Config{}, Protocol: transport.HTTP2}, "[h2]"},
		{"either", transport.Options{TLS: &tls.Config{}, Protocol: transport.Auto}, "[h2 http/1.1]"},
		{"no resumption", transport.Options{TLS: &tls.Config{}, NoResumption: true}, "[http/1.1]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			x := transport.New(tt.o)
			if got := fmt.Sprint(x.Config(a).NextProtos); got != tt.alpn {
				t.Errorf("it offers %s, want %s", got, tt.alpn)
			}
			first, again := x.Config(a), x.Config(a)
			if again != first || x.Config(b) == first {
				t.Error("configurations are not one for each address")
			}
			sessions := x.Config(a).ClientSessionCache
			if (sessions == nil) != tt.o.NoResumption || sessions != nil && sessions == x.Config(b).ClientSessionCache {
				t.Errorf("sessions are %v", sessions)
			}
			if n := testing.AllocsPerRun(100, func() { x.Config(a) }); n != 0 {
				t.Errorf("Config allocates %v times, want 0", n)
			}
		})
	}
}

// target is a TLS server that says how often it saw a session again.
func target(t *testing.T) (s *httptest.Server, to netip.AddrPort, roots *x509.CertPool) {
	t.Helper()
	s = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "%v %s", r.TLS.DidResume, r.TLS.ServerName)
	}))
	t.Cleanup(s.Close)
	roots = x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return s, netip.MustParseAddrPort(s.Listener.Addr().String()), roots
}

// ask sends a request over a new connection and returns the answer's body.
func ask(t *testing.T, x *transport.Transport, to netip.AddrPort) (string, error) {
	t.Helper()
	raw, err := net.Dial("tcp", to.String())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := x.Handshake(t.Context(), raw, to)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	if _, err := fmt.Fprintf(conn, "GET / HTTP/1.0\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 4096)
	n := 0
	for err == nil {
		var m int
		m, err = conn.Read(b[n:])
		n += m
	}
	_, body, _ := strings.Cut(string(b[:n]), "\r\n\r\n")
	return body, nil
}

// TestHandshake proves that a target is verified, asked for by name, and greeted
// faster the second time, over a real connection.
func TestHandshake(t *testing.T) {
	_, to, roots := target(t)
	tests := []struct {
		name string
		o    transport.Options
		want [2]string // of the first connection and the second
		err  string
	}{
		{"by name, resumed", transport.Options{TLS: &tls.Config{RootCAs: roots, ServerName: "example.com"}}, [2]string{"false example.com", "true example.com"}, ""},
		{"by address, no SNI", transport.Options{TLS: &tls.Config{RootCAs: roots}}, [2]string{"false ", "true "}, ""},
		{"never resumed", transport.Options{TLS: &tls.Config{RootCAs: roots}, NoResumption: true}, [2]string{"false ", "false "}, ""},
		{
			"unknown authority",
			transport.Options{TLS: &tls.Config{RootCAs: x509.NewCertPool()}},
			[2]string{},
			"TLS handshake with " + to.String() + ": tls: failed to verify certificate: x509: certificate signed by unknown authority",
		},
		{
			"another name",
			transport.Options{TLS: &tls.Config{RootCAs: roots, ServerName: "other.test"}},
			[2]string{},
			"TLS handshake with " + to.String() + ": tls: failed to verify certificate: x509: certificate is valid for example.com, *.example.com, not other.test",
		},
		{
			"no common protocol",
			transport.Options{TLS: &tls.Config{RootCAs: roots}, Protocol: transport.HTTP2},
			[2]string{},
			"TLS handshake with " + to.String() + ": remote error: tls: no application protocol",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			x := transport.New(tt.o)
			for i, want := range tt.want {
				got, err := ask(t, x, to)
				if fmt.Sprint(err) != tt.err && (err != nil || tt.err != "") {
					t.Fatalf("connection %d: %v, want %q", i, err, tt.err)
				}
				if got != want {
					t.Errorf("connection %d saw %q, want %q", i, got, want)
				}
			}
		})
	}
}

// TestHandshakeEnds proves that a handshake ends with its context, and closes
// the connection.
func TestHandshakeEnds(t *testing.T) {
	silent, far := net.Pipe()
	defer func() { _ = far.Close() }()
	go func() { // what a server that never answers does
		var b [1024]byte
		for {
			if _, err := far.Read(b[:]); err != nil {
				return
			}
		}
	}()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	x := transport.New(transport.Options{TLS: &tls.Config{}})
	if _, err := x.Handshake(ctx, silent, netip.MustParseAddrPort("10.0.0.1:443")); err == nil {
		t.Fatal("a handshake with nobody succeeded")
	}
	if _, err := silent.Write([]byte("x")); err == nil {
		t.Error("the connection was not closed")
	}
}
