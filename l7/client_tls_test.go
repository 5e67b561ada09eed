package l7_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"portico/internal/testkit"
	"portico/spec"
)

// secureBed is a bed whose https listener has these options.
func secureBed(t *testing.T, ca *testkit.CA, edit func(*spec.Spec, *spec.Listener)) (b *bed, again func(edit func(*spec.Spec, *spec.Listener))) {
	t.Helper()
	certificate, key := ca.IssueLeaf(t, testkit.Leaf{Hosts: []string{"a.test"}})
	origin := newTarget(t, "a")
	with := func(edit func(*spec.Spec, *spec.Listener)) func(b *bed, s *spec.Spec) {
		return func(b *bed, s *spec.Spec) {
			toOne(s, group("g", origin))
			s.Certificates = []spec.Certificate{{Hosts: []string{"a.test"}, Files: spec.CertFiles{
				Certificate: spec.File{Path: "/a.pem", Bytes: certificate}, Key: spec.Secret{Value: key},
			}}}
			l := spec.Listener{Name: "https", VIP: "public", Port: b.https, Protocol: spec.ProtocolHTTPS, Routes: []spec.RouteName{"all"}}
			if edit != nil {
				edit(s, &l)
			}
			s.Listeners = append(s.Listeners, l)
		}
	}
	b = newBed(t, with(edit))
	return b, func(edit func(*spec.Spec, *spec.Listener)) {
		t.Helper()
		s := b.base()
		with(edit)(b, s)
		b.mustApply(s)
	}
}

// withAuth asks clients for certificates of an authority.
func withAuth(ca *testkit.CA, edit func(*spec.ClientAuth)) func(*spec.Spec, *spec.Listener) {
	return func(_ *spec.Spec, l *spec.Listener) {
		l.TLS = &spec.ListenerTLS{ClientAuth: &spec.ClientAuth{CA: caFile(ca)}}
		if edit != nil {
			edit(l.TLS.ClientAuth)
		}
	}
}

// TestClientCertificate proves that a target is told who the client is by its
// certificate, request after request, and that nobody else can tell it: not a
// client without one, on any listener, nor a proxy that is trusted otherwise.
func TestClientCertificate(t *testing.T) {
	ca := testkit.NewCA(t)
	auth := withAuth(ca, func(a *spec.ClientAuth) { a.Mode, a.ForwardCertificate = spec.ClientOptional, true })
	b, _ := secureBed(t, ca, func(s *spec.Spec, l *spec.Listener) {
		auth(s, l)
		l.TrustedProxies = append(l.TrustedProxies, netip.PrefixFrom(addr, 32))
		s.Listeners[0].TrustedProxies = l.TrustedProxies
	})
	certificate, key := ca.IssueLeaf(t, testkit.Leaf{Subject: pkix.Name{CommonName: "alice"}, Hosts: []string{"alice.test"}, Serial: 0x2a})
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	forged := []string{
		"X-Client-Cert-Subject: CN=root", "x-client-cert-verified: true", "X_Client_Cert_Serial: 1", "X-Client-Cert-Chain: x",
		"Client-Cert: :AAAA:", "CLIENT_CERT_CHAIN: :AAAA:", "client-cert: :BBBB:",
	}
	config := &tls.Config{ServerName: "a.test", RootCAs: ca.Pool()}
	anonymous, _ := b.dialTLS(config)
	config = config.Clone()
	config.Certificates = []tls.Certificate{pair}
	alice, _ := b.dialTLS(config)
	for name, c := range map[string]*client{"plain": b.dial(), "anonymous": anonymous} {
		for field := range c.do("GET / a.test", forged...).seen(t).Header {
			if f := strings.ToLower(strings.ReplaceAll(field, "_", "-")); strings.Contains(f, "client-cert") {
				t.Errorf("%s client: the target saw %s", name, field)
			}
		}
	}
	for range 2 {
		h := alice.do("GET / a.test", forged...).seen(t).Header
		for field, want := range map[string]string{
			"X-Client-Cert-Subject": "[CN=alice]", "X-Client-Cert-Issuer": "[CN=Portico test CA]", "X-Client-Cert-San": "[dns:alice.test]",
			"X-Client-Cert-Serial": "[2a]", "X-Client-Cert-Verified": "[true]",
		} {
			if got := fmt.Sprint(h[field]); got != want {
				t.Errorf("%s: %s, want %s", field, got, want)
			}
		}
		if got := h["Client-Cert"]; len(got) != 1 || !strings.HasPrefix(got[0], ":MII") {
			t.Errorf("Client-Cert: %q", got)
		}
		if len(h["X_client_cert_serial"])+len(h["X-Client-Cert-Chain"])+len(h["Client_cert_chain"]) > 0 {
			t.Errorf("the target saw %v", h)
		}
	}
}

// TestClientRefused proves that a client which may not come in is counted by the
// reason, and that a new spec lets it in without a restart.
func TestClientRefused(t *testing.T) {
	ca := testkit.NewCA(t)
	b, again := secureBed(t, ca, withAuth(ca, nil))
	config := &tls.Config{ServerName: "a.test", RootCAs: ca.Pool()}
	get := func() error {
		h := &http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}, Timeout: 20 * time.Second}
		r, err := h.Get(fmt.Sprintf("https://127.0.0.1:%d/", b.https))
		if err == nil {
			_ = r.Body.Close()
		}
		return err
	}
	counted := func(reason string) int {
		t.Helper()
		families, err := b.metrics.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			for _, m := range f.GetMetric() {
				if f.GetName() == "portico_l7_handshake_failures_total" && m.GetLabel()[0].GetValue() == reason {
					return int(m.GetCounter().GetValue())
				}
			}
		}
		t.Fatalf("nothing is counted by %q", reason)
		return 0
	}
	if err := get(); err == nil {
		t.Fatal("a client without a certificate is served")
	}
	testkit.Poll(t, 10*time.Second, func() error {
		if n := counted("no-certificate"); n != 1 {
			return fmt.Errorf("%d are counted", n)
		}
		return nil
	})
	// A client of TLS 1.3 writes before it reads why it was refused, one of HTTP/2 more than
	// once; none of that must fail.
	c, err := tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", b.https), config)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	testkit.Poll(t, 10*time.Second, func() error {
		if n := counted("no-certificate"); n != 2 {
			return fmt.Errorf("%d are counted", n)
		}
		return nil
	})
	var wrote error
	for range 3 {
		_, err := c.Write([]byte("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"))
		wrote = errors.Join(wrote, err)
	}
	if _, err := c.Read(make([]byte, 1)); wrote != nil || err == nil || !strings.Contains(err.Error(), "certificate required") {
		t.Errorf("the client wrote: %v, and read: %v; want the alert", wrote, err)
	}
	again(nil)
	if err := get(); err != nil {
		t.Errorf("under a spec without clientAuth: %v", err)
	}
	if problems, err := testutil.GatherAndLint(b.metrics, "portico_l7_handshake_failures_total"); err != nil || len(problems) > 0 {
		t.Errorf("the metric: %v, %v", problems, err)
	}
}

// TestResumption proves that sessions are resumed through the loop, across specs,
// and at another node that has the same key and then another one beside it.
func TestResumption(t *testing.T) {
	ca := testkit.NewCA(t)
	key, newer := spec.Secret{Value: bytes.Repeat([]byte("k"), 80)}, spec.Secret{Value: bytes.Repeat([]byte("n"), 80)}
	keys := func(keys ...spec.Secret) func(*spec.Spec, *spec.Listener) {
		return func(s *spec.Spec, _ *spec.Listener) { s.Secrets.Tickets = keys }
	}
	own, ownAgain := secureBed(t, ca, nil)
	here, _ := secureBed(t, ca, keys(key))
	there, thereAgain := secureBed(t, ca, keys(key))
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		config := &tls.Config{ServerName: "a.test", InsecureSkipVerify: true, MaxVersion: version, ClientSessionCache: tls.NewLRUClientSessionCache(1)}
		resumes := func(b *bed) bool {
			c, conn := b.dialTLS(config)
			c.do("GET / a.test") // with the answer come the tickets
			defer func() { _ = conn.Close() }()
			return conn.ConnectionState().DidResume
		}
		steps := []struct {
			name string
			do   func()
			at   *bed
			want bool
		}{
			{"a first connection", func() {}, here, false},
			{"a second", func() {}, here, true},
			{"at another node", func() {}, there, true},
			{"with a newer key", func() { thereAgain(keys(newer, key)) }, there, true},
			{"with the newer alone", func() { thereAgain(keys(newer)) }, there, true},
			{"where the key is not known", func() {}, own, false},
			{"with a key of its own", func() {}, own, true},
			{"after a new spec", func() { ownAgain(nil) }, own, true},
		}
		for _, step := range steps {
			step.do()
			if got := resumes(step.at); got != step.want {
				t.Errorf("TLS %x, %s: resumed %v, want %v", version, step.name, got, step.want)
			}
		}
		thereAgain(keys(key))
	}
}

// TestOpenSSL proves that the loop understands another implementation of TLS: its
// handshakes, a key update in the middle of a connection, and its goodbye.
func TestOpenSSL(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("needs openssl")
	}
	ca := testkit.NewCA(t)
	b, _ := secureBed(t, ca, withAuth(ca, nil))
	folder := t.TempDir()
	certificate, key := ca.IssueLeaf(t, testkit.Leaf{Subject: pkix.Name{CommonName: "alice"}})
	for name, content := range map[string][]byte{"ca.pem": ca.PEM(), "alice.pem": certificate, "alice.key": key} {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, version := range []string{"-tls1_2", "-tls1_3"} {
		cmd := exec.CommandContext(t.Context(), openssl, "s_client", version, "-connect", fmt.Sprintf("127.0.0.1:%d", b.https), "-servername", "a.test",
			"-CAfile", "ca.pem", "-cert", "alice.pem", "-key", "alice.key", "-verify_return_error", "-nocommands", "-quiet")
		if version == "-tls1_3" {
			cmd.Args = append(cmd.Args[:len(cmd.Args)-2], "-no_ign_eof") // K and Q are commands then
		}
		cmd.Dir = folder
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		cmd.Stderr = cmd.Stdout
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		request := "GET /%s HTTP/1.1\nHost: a.test\n\n"
		_, _ = fmt.Fprintf(in, strings.ReplaceAll(request, "\n", "\r\n"), "first")
		seen := awaitText(t, out, `"/first"`)
		if version == "-tls1_3" {
			_, _ = io.WriteString(in, "K\n") // asks for our update, too
			seen += awaitText(t, out, "KEYUPDATE")
			_, _ = fmt.Fprintf(in, strings.ReplaceAll(request, "\n", "\r\n"), "second")
			seen += awaitText(t, out, `"/second"`)
		}
		if !strings.Contains(seen, "CN=alice") {
			t.Errorf("%s: the target was not told of the client:\n%s", version, seen)
		}
		_ = in.Close()
		_ = cmd.Process.Kill()
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait()
	}
}

// awaitText reads until a text came, and returns all that did.
func awaitText(t *testing.T, r io.Reader, text string) string {
	t.Helper()
	var all strings.Builder
	b := make([]byte, 4096)
	for !strings.Contains(all.String(), text) {
		n, err := r.Read(b)
		all.Write(b[:n])
		if err != nil {
			t.Fatalf("%v before %q, after:\n%s", err, text, all.String())
		}
	}
	return all.String()
}
