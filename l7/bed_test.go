package l7_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"portico/internal/netx"
	"portico/l7"
	"portico/spec"
	"portico/target"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bed is a server on real sockets of loopback, between a test's client and targets.
type bed struct {
	t           *testing.T
	server      *l7.Server
	groups      *target.Targets
	log         *lines
	metrics     *prometheus.Registry
	http, https uint16 // ports
	stop        func() // ends Run and waits for it
}

// addr is the only address there is.
var addr = netip.MustParseAddr("127.0.0.1")

// base is a spec of one node that binds the VIP itself, with an http and an
// https listener, and the routes and groups a test adds.
func (b *bed) base() *spec.Spec {
	return &spec.Spec{
		Portico:   spec.Version,
		Drain:     spec.Duration(5 * time.Second),
		AccessLog: spec.AccessLogJSON,
		Sites:     []spec.Site{{Name: "east", Nodes: []spec.Node{{Name: "n1", Address: addr, Roles: []spec.Role{spec.RoleL7}}}}},
		VIPs:      []spec.VIP{{Name: "public", Addresses: map[spec.SiteName][]netip.Addr{"east": {addr}}}},
		Listeners: []spec.Listener{{Name: "http", VIP: "public", Port: b.http, Protocol: spec.ProtocolHTTP}},
	}
}

// newBed starts a server with the spec that edit made of base.
func newBed(t *testing.T, edit func(b *bed, s *spec.Spec)) *bed {
	t.Helper()
	b := &bed{t: t, log: &lines{}, metrics: prometheus.NewRegistry(), http: freePort(t)}
	for b.https = b.http; b.https == b.http; {
		b.https = freePort(t)
	}
	dialer := netx.Dialer{Source: addr}
	b.groups = target.New(target.Options{Dial: dialer.Dial})
	b.server = l7.New(l7.Options{Self: "n1", Groups: b.groups, Dialer: dialer, AccessLog: b.log, Metrics: b.metrics})
	s := b.base()
	edit(b, s)
	if err := b.apply(s); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = b.groups.Run(ctx) })
	running.Go(func() {
		if err := b.server.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	b.stop = sync.OnceFunc(func() { cancel(); running.Wait() })
	t.Cleanup(b.stop)
	return b
}

func (b *bed) apply(s *spec.Spec) error {
	if err := b.groups.Apply(s.TargetGroups); err != nil {
		return err
	}
	if problems := spec.Problems(b.server.Check(s)); problems.Fatal() {
		return problems
	}
	return b.server.Apply(s)
}

// freePort finds a port below those the kernel gives to outgoing connections, so
// that none of these can take it before the server does.
func freePort(t *testing.T) uint16 {
	t.Helper()
	for range 100 {
		port := uint16(10_000 + mathrand.IntN(20_000))
		ln, err := net.Listen("tcp", netip.AddrPortFrom(addr, port).String())
		if err == nil {
			_ = ln.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	return 0
}

// seen is what a target says of the request it got.
type seen struct {
	Target string
	Path   string
	Host   string
	Header http.Header
	Body   string
}

// newTarget starts a target that answers with what it saw.
func newTarget(t *testing.T, name string) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Target", name)
		_ = json.NewEncoder(w).Encode(seen{name, r.RequestURI, r.Host, r.Header, string(body)})
	}))
	t.Cleanup(s.Close)
	return s
}

func addressOf(s *httptest.Server) spec.AddrPort {
	return spec.AddrPort{AddrPort: netip.MustParseAddrPort(s.Listener.Addr().String())}
}

// group is a target group of servers, without a health check.
func group(name spec.TargetGroupName, servers ...*httptest.Server) spec.TargetGroup {
	g := spec.TargetGroup{Name: name, WhenNoneHealthy: spec.FailOpen}
	for _, s := range servers {
		g.Targets = append(g.Targets, spec.Target{Address: addressOf(s), Weight: 1})
	}
	return g
}

func refs(names ...spec.TargetGroupName) []spec.GroupRef {
	var list []spec.GroupRef
	for _, n := range names {
		list = append(list, spec.GroupRef{Name: n, Weight: 1})
	}
	return list
}

// toOne routes every request of the http listener to one group.
func toOne(s *spec.Spec, g spec.TargetGroup) {
	s.TargetGroups = append(s.TargetGroups, g)
	s.Routes = append(s.Routes, spec.Route{Name: "all", Rules: []spec.Rule{{TargetGroups: refs(g.Name)}}})
	s.Listeners[0].Routes = append(s.Listeners[0].Routes, "all")
}

// client is one keep-alive connection, so that a test knows what it is on.
type client struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
}

func (b *bed) dial() *client {
	b.t.Helper()
	conn, err := net.Dial("tcp", netip.AddrPortFrom(addr, b.http).String())
	if err != nil {
		b.t.Fatal(err)
	}
	return newClient(b.t, conn)
}

func (b *bed) dialTLS(config *tls.Config) (*client, *tls.Conn) {
	b.t.Helper()
	conn, err := tls.Dial("tcp", netip.AddrPortFrom(addr, b.https).String(), config)
	if err != nil {
		b.t.Fatal(err)
	}
	return newClient(b.t, conn), conn
}

func newClient(t *testing.T, conn net.Conn) *client {
	t.Helper()
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	return &client{t: t, conn: conn, r: bufio.NewReader(conn)}
}

// send writes what no well-behaved client would.
func (c *client) send(format string, args ...any) {
	c.t.Helper()
	if _, err := fmt.Fprintf(c.conn, format, args...); err != nil {
		c.t.Fatal(err)
	}
}

// status reads an answer without a body and returns its status, or the error.
func (c *client) status() string {
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return err.Error()
	}
	_ = resp.Body.Close()
	return resp.Status
}

// answer is one answer, read to its end.
type answer struct {
	*http.Response
	text string
}

// seen decodes what a target of newTarget said.
func (a answer) seen(t *testing.T) seen {
	t.Helper()
	var s seen
	if err := json.Unmarshal([]byte(a.text), &s); err != nil {
		t.Fatalf("answer %d %q: %v", a.StatusCode, a.text, err)
	}
	return s
}

// try sends "METHOD path host" with header lines and reads the answer.
func (c *client) try(request string, headers ...string) (answer, error) {
	c.t.Helper()
	parts := strings.Fields(request)
	head := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: %s\r\n", parts[0], parts[1], parts[2])
	for _, h := range headers {
		head += h + "\r\n"
	}
	if _, err := io.WriteString(c.conn, head+"\r\n"); err != nil {
		return answer{}, err
	}
	resp, err := http.ReadResponse(c.r, &http.Request{Method: parts[0]})
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	return answer{resp, string(body)}, err
}

func (c *client) do(request string, headers ...string) answer {
	c.t.Helper()
	a, err := c.try(request, headers...)
	if err != nil {
		c.t.Fatalf("%s: %v", request, err)
	}
	return a
}

// lines collects the access log.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

// all returns the lines once n are there.
func (l *lines) all(t *testing.T, n int) []string {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		l.mu.Lock()
		list := strings.Split(strings.TrimSuffix(l.buf.String(), "\n"), "\n")
		l.mu.Unlock()
		if len(list) >= n && list[0] != "" {
			return list
		}
		if time.Now().After(deadline) {
			t.Fatalf("the access log has %d lines, want %d: %q", len(list), n, list)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// issue makes a self-signed certificate for hosts; label is its common name.
func issue(t *testing.T, label string, hosts ...string) spec.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: label}, DNSNames: hosts,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return spec.Certificate{Hosts: hosts, Files: spec.CertFiles{
		Certificate: spec.File{Bytes: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})},
		Key:         spec.Secret{Value: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})},
	}}
}
