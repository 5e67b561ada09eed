package tlsx_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"portico/l7/tlsx"
	"portico/spec"
)

// shaken is how a handshake over a real connection ended, at both ends.
type shaken struct {
	client, server       tls.ConnectionState
	clientErr, serverErr error
}

// shake handshakes and sends a byte each way, so that a client has seen the
// server's judgment of its certificate, and its tickets.
func shake(t *testing.T, server, client *tls.Config) (s shaken) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	done := make(chan struct{})
	go func() {
		defer close(done)
		raw, err := ln.Accept()
		if err != nil {
			s.serverErr = err
			return
		}
		defer func() { _ = raw.Close() }()
		_ = raw.SetDeadline(time.Now().Add(10 * time.Second))
		conn := tls.Server(raw, server)
		if s.serverErr = conn.Handshake(); s.serverErr == nil {
			s.server = conn.ConnectionState()
			_, _ = io.CopyN(conn, conn, 1)
		}
	}()
	raw, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = raw.Close() }()
	_ = raw.SetDeadline(time.Now().Add(10 * time.Second))
	client = client.Clone()
	client.InsecureSkipVerify = true
	conn := tls.Client(raw, client)
	if s.clientErr = conn.Handshake(); s.clientErr == nil {
		s.client = conn.ConnectionState()
		_, err := conn.Write([]byte("x"))
		_, readErr := io.ReadFull(conn, make([]byte, 1))
		s.clientErr = errors.Join(err, readErr)
	}
	_ = raw.Close()
	<-done
	return s
}

// says reports whether an error holds a text; empty wants no error.
func says(err error, text string) bool {
	if text == "" {
		return err == nil
	}
	return err != nil && strings.Contains(err.Error(), text)
}

// TestPresets proves which versions, suites and curves each preset takes.
func TestPresets(t *testing.T) {
	ecdsa, rsa := issue(t, "ecdsa", false, "a.test"), issue(t, "rsa", true, "a.test")
	modern := &spec.ListenerTLS{Preset: spec.PresetModern}
	old := func(suite uint16) *tls.Config {
		return &tls.Config{ServerName: "a.test", MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite}}
	}
	curve := func(id tls.CurveID) *tls.Config {
		return &tls.Config{ServerName: "a.test", CurvePreferences: []tls.CurveID{id}}
	}
	few := &spec.ListenerTLS{Curves: []spec.Curve{spec.P384, spec.X25519}}
	tests := []struct {
		name     string
		listener *spec.ListenerTLS
		client   *tls.Config
		fails    string
	}{
		{"a client of today", nil, &tls.Config{ServerName: "a.test"}, ""},
		{"1.2 with ECDSA", nil, old(tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256), ""},
		{"1.2 with RSA", nil, old(tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384), ""},
		{"1.2 with ChaCha20", nil, old(tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256), ""},
		{"no AEAD", nil, old(tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA), "handshake failure"},
		{"no forward secrecy", nil, old(tls.TLS_RSA_WITH_AES_128_GCM_SHA256), "handshake failure"},
		{"1.1", nil, &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, "protocol version"},
		{"modern takes 1.3", modern, &tls.Config{ServerName: "a.test"}, ""},
		{"modern refuses 1.2", modern, old(tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256), "protocol version"},
		{"post-quantum", nil, curve(tls.X25519MLKEM768), ""},
		{"a curve of the list", few, curve(tls.CurveP384), ""},
		{"a curve that is not on it", few, curve(tls.CurveP256), "handshake failure"},
		{"nothing in common by ALPN", nil, &tls.Config{ServerName: "a.test", NextProtos: []string{"smtp"}}, "no application protocol"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := shake(t, config(t, tt.listener, ecdsa, rsa), tt.client); !says(got.clientErr, tt.fails) {
				t.Errorf("the client ends with %v, want %q", got.clientErr, tt.fails)
			}
		})
	}
}

// TestUnknownName proves that a listener which refuses names nobody certified
// does so for every one, and tells the client why.
func TestUnknownName(t *testing.T) {
	refusing := config(t, &spec.ListenerTLS{UnknownName: spec.UnknownRefuse}, issue(t, "a", false, "a.test", "*.b.test"))
	for name, known := range map[string]bool{"a.test": true, "x.b.test": true, "b.test": false, "c.test": false, "": false} {
		fails := "unrecognized name"
		if known {
			fails = ""
		}
		if got := shake(t, refusing, &tls.Config{ServerName: name}); !says(got.clientErr, fails) {
			t.Errorf("%q: the client ends with %v, want %q", name, got.clientErr, fails)
		}
	}
}

// TestUnknownNameResumes proves that a session of another listener opens no door
// to a name that is refused.
func TestUnknownNameResumes(t *testing.T) {
	certificate := issue(t, "a", false, "a.test")
	open, refusing := config(t, nil, certificate), config(t, &spec.ListenerTLS{UnknownName: spec.UnknownRefuse}, certificate)
	var tickets tlsx.Tickets
	tickets.Use(nil, []*tls.Config{open, refusing})
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		client := &tls.Config{ServerName: "c.test", MaxVersion: version, ClientSessionCache: tls.NewLRUClientSessionCache(1)}
		if got := shake(t, open, client); got.clientErr != nil {
			t.Fatal(got.clientErr)
		}
		if got := shake(t, refusing, client); got.serverErr == nil {
			t.Errorf("TLS %x: a session under a refused name is resumed", version)
		}
	}
}

// TestSessionsKeepTheirName proves that a session is not resumed under another
// name, though the keys are the same.
func TestSessionsKeepTheirName(t *testing.T) {
	server := config(t, nil, issue(t, "a", false, "a.test", "b.test"))
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		kept := &oneSession{}
		for i, name := range []string{"a.test", "a.test", "b.test", "B.test", "a.test"} {
			got := shake(t, server, &tls.Config{ServerName: name, MaxVersion: version, ClientSessionCache: kept})
			if got.clientErr != nil {
				t.Fatal(got.clientErr)
			}
			if want := i == 1 || i == 3; got.server.DidResume != want {
				t.Errorf("TLS %x, connection %d for %s: resumed %v, want %v", version, i, name, got.server.DidResume, want)
			}
		}
	}
}

// oneSession offers the last session for every name, as a hostile client may.
type oneSession struct{ last *tls.ClientSessionState }

func (o *oneSession) Get(string) (*tls.ClientSessionState, bool) { return o.last, o.last != nil }

func (o *oneSession) Put(_ string, s *tls.ClientSessionState) {
	if s != nil {
		o.last = s
	}
}

// TestExplain proves what is said of each name.
func TestExplain(t *testing.T) {
	set := parse(t, issue(t, "a", false, "a.test"), issue(t, "b", false, "*.b.test"))
	day := time.Now().Add(time.Hour).UTC().Format(time.DateOnly)
	refusing := &spec.ListenerTLS{UnknownName: spec.UnknownRefuse}
	tests := []struct {
		name, host string
		listener   *spec.ListenerTLS
		want       string
	}{
		{"exact", "A.test", nil, `"a.test" is named: certificate of a.test, valid until ` + day},
		{"wildcard", "x.b.test", nil, `"x.b.test" is named: certificate of *.b.test, valid until ` + day},
		{"unknown", "c.test", nil, `no certificate is for "c.test": the first is used: certificate of a.test, valid until ` + day},
		{"refused", "c.test", refusing, `no certificate is for "c.test": the handshake fails`},
	}
	for _, tt := range tests {
		if got := set.Explain(tt.host, tt.listener); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
	if got := parse(t).Explain("a.test", nil); got != "there is no certificate: the handshake fails" {
		t.Errorf("without certificates: %s", got)
	}
}

// BenchmarkHandshake is a whole handshake and one that resumes, both ends.
func BenchmarkHandshake(b *testing.B) {
	for _, resume := range []bool{false, true} {
		b.Run(map[bool]string{false: "whole", true: "resumed"}[resume], func(b *testing.B) {
			t := &testing.T{}
			server := config(t, nil, issue(t, "a", false, "a.test"))
			var kept tls.ClientSessionCache
			if resume {
				kept = &oneSession{}
				inMemory(t, server, kept)
			}
			for b.Loop() {
				if got := inMemory(t, server, kept); got != resume {
					b.Fatalf("resumed %v", got)
				}
			}
		})
	}
}
