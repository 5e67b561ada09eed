package tlsx_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"portico/l7/tlsx"
	"portico/spec"
)

// issue makes a self-signed certificate whose common name is its label.
func issue(t *testing.T, label string, useRSA bool, hosts ...string) spec.Certificate {
	t.Helper()
	var signer any
	var public any
	if useRSA {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		signer, public = key, &key.PublicKey
	} else {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		signer, public = key, &key.PublicKey
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: label}, DNSNames: hosts,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, signer)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(signer)
	if err != nil {
		t.Fatal(err)
	}
	return spec.Certificate{Hosts: hosts, Files: spec.CertFiles{
		Certificate: spec.File{Path: "/" + label + ".pem", Bytes: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})},
		Key:         spec.Secret{Value: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})},
	}}
}

func parse(t *testing.T, certificates ...spec.Certificate) *tlsx.Set {
	t.Helper()
	set, problems := tlsx.Parse(certificates)
	if len(problems) > 0 {
		t.Fatal(spec.Problems(problems))
	}
	return set
}

// config is how a listener with these certificates greets.
func config(t *testing.T, l *spec.ListenerTLS, certificates ...spec.Certificate) *tls.Config {
	t.Helper()
	c, problems := tlsx.Greet(tlsx.Options{
		Listener: l, Set: parse(t, certificates...), Tickets: &tlsx.Tickets{}, Protocols: []string{"h2", "http/1.1"},
	})
	if len(problems) > 0 {
		t.Fatal(spec.Problems(problems))
	}
	return c
}

// greet handshakes and returns the common name of the certificate.
func greet(t *testing.T, server, client *tls.Config) (string, *tls.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	go func() { // echoes until the client is gone
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		s := tls.Server(conn, server)
		_, _ = io.Copy(s, s)
		_ = s.Close()
	}()
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	client = client.Clone()
	client.InsecureSkipVerify = true
	c := tls.Client(conn, client)
	if err := c.Handshake(); err != nil {
		return err.Error(), c
	}
	return c.ConnectionState().PeerCertificates[0].Subject.CommonName, c
}

// The certificate is chosen by name: exact, then one wildcard label, then the first.
func TestChoose(t *testing.T) {
	config := config(t, nil,
		issue(t, "first", false, "first.test"),
		issue(t, "exact", false, "www.example.com"),
		issue(t, "wild", false, "*.example.com", "Other.Test."))
	tests := []struct{ name, sni, want string }{
		{"exact", "www.example.com", "exact"},
		{"wildcard", "api.example.com", "wild"},
		{"case and dot are nothing", "other.TEST", "wild"},
		{"a wildcard is one label", "a.b.example.com", "first"},
		{"a wildcard needs a label", "example.com", "first"},
		{"unknown", "nobody.test", "first"},
		{"no name at all", "", "first"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, _ := greet(t, config, &tls.Config{ServerName: tt.sni}); got != tt.want {
				t.Errorf("%q is greeted with %q, want %q", tt.sni, got, tt.want)
			}
		})
	}
}

// Of two certificates for a name a client gets the one it can verify.
func TestChooseByAlgorithm(t *testing.T) {
	config := config(t, nil, issue(t, "ecdsa", false, "a.test"), issue(t, "rsa", true, "a.test"))
	old := &tls.Config{
		ServerName: "a.test", MaxVersion: tls.VersionTLS12,
		CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256},
	}
	if got, _ := greet(t, config, old); got != "rsa" {
		t.Errorf("a client with RSA suites is greeted with %q", got)
	}
	if got, _ := greet(t, config, &tls.Config{ServerName: "a.test"}); got != "ecdsa" {
		t.Errorf("a client of today is greeted with %q", got)
	}
}

// What is offered first is negotiated, sessions resume, and TLS 1.1 is refused.
func TestConfig(t *testing.T) {
	config := config(t, nil, issue(t, "a", false, "a.test"))
	client := &tls.Config{ServerName: "a.test", NextProtos: []string{"h2", "http/1.1"}, ClientSessionCache: tls.NewLRUClientSessionCache(1)}
	for i := range 2 {
		_, c := greet(t, config, client)
		if _, err := c.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(make([]byte, 1)); err != nil { // takes the session ticket, too
			t.Fatal(err)
		}
		state := c.ConnectionState()
		if state.NegotiatedProtocol != "h2" || state.DidResume != (i == 1) || state.Version != tls.VersionTLS13 {
			t.Errorf("connection %d: protocol %q, resumed %v, version %x", i, state.NegotiatedProtocol, state.DidResume, state.Version)
		}
	}
	if got, _ := greet(t, config, &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}); !strings.Contains(got, "protocol version") {
		t.Errorf("TLS 1.1 is answered with %q", got)
	}
}

// Every certificate that cannot be used is a problem; the rest are read.
func TestParse(t *testing.T) {
	good, other := issue(t, "good", false, "a.test"), issue(t, "other", false, "b.test")
	mixed := good
	mixed.Files.Key = other.Files.Key
	empty := spec.Certificate{Hosts: []string{"c.test"}, Files: spec.CertFiles{Certificate: spec.File{Path: "/c.pem"}}}
	set, problems := tlsx.Parse([]spec.Certificate{mixed, good, empty})
	if len(problems) != 2 || problems[0].Path != "certificates[0].files" || problems[1].Path != "certificates[2].files" {
		t.Errorf("problems: %v", problems)
	}
	if !strings.Contains(problems[0].What, "private key does not match") || !strings.Contains(problems[1].What, `"/c.pem"`) {
		t.Errorf("problems: %v", problems)
	}
	if len(set.For("a.test")) != 1 {
		t.Error("the good certificate is not there")
	}
}

// Without certificates a handshake fails.
func TestNoCertificate(t *testing.T) {
	if got, _ := greet(t, config(t, nil), &tls.Config{ServerName: "a.test"}); !strings.Contains(got, "unrecognized name") {
		t.Errorf("without certificates the client sees %q", got)
	}
}
