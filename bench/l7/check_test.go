//go:build linux

package main

import (
	"bytes"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// certified makes the certificate of a run and greets with it.
func certified(t *testing.T) *tls.Config {
	t.Helper()
	temp := t.TempDir()
	if err := certify(temp); err != nil {
		t.Fatal(err)
	}
	c, err := tls.LoadX509KeyPair(filepath.Join(temp, "cert.pem"), filepath.Join(temp, "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{c}}
}

// serve starts a server that answers with a body of n bytes.
func serve(t *testing.T, n int, change func(*httptest.Server), answer http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if answer != nil {
			answer(w, r)
		}
		_, _ = io.WriteString(w, strings.Repeat("x", n))
	}))
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // failures are meant
	if change != nil {
		change(s)
	}
	if s.TLS != nil {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// A proxy that keeps its connection passes in every protocol; one that answers
// otherwise than it was asked does not.
func TestKept(t *testing.T) {
	clear2 := func(s *httptest.Server) {
		s.Config.Protocols = new(http.Protocols)
		s.Config.Protocols.SetUnencryptedHTTP2(true)
	}
	greeted := func(s *httptest.Server) { s.TLS = certified(t) }
	old := func(s *httptest.Server) {
		s.TLS = certified(t)
		s.TLS.MaxVersion = tls.VersionTLS12
	}
	slow := func(s *httptest.Server) {
		s.TLS = certified(t)
		s.TLS.CurvePreferences = []tls.CurveID{tls.CurveP256}
	}
	closing := func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "close") }
	failing := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }
	setting := func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Set-Cookie", "a=b") }
	for _, c := range []struct {
		name     string
		protocol protocol
		change   func(*httptest.Server)
		answer   http.HandlerFunc
		size     int
		want     string // in the error; empty for none
	}{
		{"clear text", clearText, nil, nil, 100, ""},
		{"TLS", overTLS, greeted, nil, 100, ""},
		{"HTTP/2", http2, clear2, nil, 100, ""},
		{"not kept", clearText, nil, closing, 100, "request 2 of one connection"},
		{"another size", clearText, nil, nil, 99, "100 bytes, not 99"},
		{"another size of HTTP/2", http2, clear2, nil, 99, "100 bytes, not 99"},
		{"failing", clearText, nil, failing, 100, "status 503"},
		{"no HTTP/2", http2, nil, nil, 100, "http2:"},
		{"no TLS", overTLS, nil, nil, 100, "TLS handshake"},
		{"old TLS", overTLS, old, nil, 100, "protocol version"},
		{"another curve", overTLS, slow, nil, 100, "handshake failure"},
		{"a cookie each time", clearText, nil, setting, 100, `cookie "a" was set`},
	} {
		address := serve(t, 100, c.change, c.answer)
		err := ask{protocol: c.protocol, path: "/", size: c.size}.kept(t.Context(), address, "")
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v does not say %q", c.name, err, c.want)
		}
	}
}

// A session's cookie is taken from the first answer, where one is wanted.
func TestSessionCookie(t *testing.T) {
	address := serve(t, 10, nil, func(w http.ResponseWriter, _ *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "S", Value: "one"})
	})
	wants := ask{path: "/", size: 10, cookie: true}
	if got, err := wants.sessionCookie(t.Context(), address); err != nil || got != "S=one" {
		t.Errorf("%q, %v; want S=one", got, err)
	}
	if got, err := (ask{path: "/", size: 10}).sessionCookie(t.Context(), address); err != nil || got != "" {
		t.Errorf("%q, %v; want none", got, err)
	}
	if got, err := wants.sessionCookie(t.Context(), serve(t, 10, nil, nil)); err == nil {
		t.Errorf("%q where no cookie was set", got)
	}
}

// A TLS connection unlike those of the others is told.
func TestAsGreeted(t *testing.T) {
	for _, c := range []struct {
		name  string
		state tls.ConnectionState
		want  string
	}{
		{"old", tls.ConnectionState{Version: tls.VersionTLS12}, "TLS 1.2"},
		{"cipher", tls.ConnectionState{Version: tls.VersionTLS13, CipherSuite: tls.TLS_AES_256_GCM_SHA384}, "TLS_AES_256_GCM_SHA384"},
		{"curve", tls.ConnectionState{Version: tls.VersionTLS13, CipherSuite: tls.TLS_AES_128_GCM_SHA256, CurveID: tls.X25519MLKEM768}, "X25519MLKEM768"},
		{"resumed", tls.ConnectionState{Version: tls.VersionTLS13, CipherSuite: tls.TLS_AES_128_GCM_SHA256, CurveID: tls.X25519, DidResume: true}, "resumed"},
		{"stranger", tls.ConnectionState{Version: tls.VersionTLS13, CipherSuite: tls.TLS_AES_128_GCM_SHA256, CurveID: tls.X25519}, "certificate"},
	} {
		if err := asGreeted(c.state); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v does not say %q", c.name, err, c.want)
		}
	}
}

// The loader of handshakes counts its connections, and the first that fails ends it.
func TestHandshakesMain(t *testing.T) {
	good := serve(t, 10, func(s *httptest.Server) { s.TLS = certified(t) }, nil)
	for _, c := range []struct {
		address, size string
		good          bool
	}{{good, "10", true}, {good, "11", false}, {serve(t, 10, nil, nil), "10", false}} {
		var out bytes.Buffer
		args := []string{"-address", c.address, "-path", "/", "-size", c.size, "-connections", "4", "-for", "300ms"}
		if err := handshakesMain(t.Context(), args, &out); err != nil {
			t.Fatal(err)
		}
		if got, err := readShaken(out.Bytes()); (err == nil) != c.good || c.good && got.units == 0 {
			t.Errorf("%s, bodies of %s: %+v, %v", c.address, c.size, got, err)
		}
	}
}

// Connections are opened, used once, and those that the other end closed counted.
func TestHeldConnections(t *testing.T) {
	var closing atomic.Bool
	var idle atomic.Int64 // how often a connection became so
	address := serve(t, 10, func(s *httptest.Server) {
		s.Config.ConnState = func(c net.Conn, state http.ConnState) {
			if state == http.StateIdle && closing.Load() {
				_ = c.Close()
			}
			if state == http.StateIdle {
				idle.Add(1)
			}
		}
	}, nil)
	a := &arm{ask: ask{path: "/", size: 10}, connections: 20}
	conns, err := open(t.Context(), a, &running{entrant: entrant{address: address}})
	if err != nil || len(conns) != 20 {
		t.Fatalf("%d connections, %v", len(conns), err)
	}
	if n := gone(conns); n != 0 {
		t.Errorf("%d are gone", n)
	}
	for deadline := time.Now().Add(5 * time.Second); idle.Load() < 20 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond) // a client has its answer before its connection is idle
	}
	closing.Store(true)
	if _, err := a.ask.over(conns[0], address, "", "keep-alive"); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(5 * time.Second); gone(conns) != 1; {
		if time.Now().After(deadline) {
			t.Fatalf("%d are gone, want 1", gone(conns))
		}
		time.Sleep(time.Millisecond)
	}
	for _, c := range conns {
		_ = c.Close()
	}
	closing.Store(false)
	a.ask.size = 9
	if conns, err := open(t.Context(), a, &running{entrant: entrant{address: address}}); err == nil {
		t.Errorf("%d connections, though the answers were not as asked for", len(conns))
	}
	a.connections = 1 << 40
	if _, err := open(t.Context(), a, &running{}); err == nil || !strings.Contains(err.Error(), "ulimit") {
		t.Errorf("%v does not say what is missing", err)
	}
}
