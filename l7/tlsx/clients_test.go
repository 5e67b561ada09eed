package tlsx_test

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"net"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"portico/internal/testkit"
	"portico/l7/message"
	"portico/l7/tlsx"
	"portico/spec"
)

// shows is a client that shows a certificate of an authority.
func shows(t *testing.T, ca *testkit.CA, leaf testkit.Leaf) *tls.Config {
	t.Helper()
	certificate, key := ca.IssueLeaf(t, leaf)
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	// Whatever the server says of its authorities: it must judge for itself.
	return &tls.Config{ServerName: "a.test", GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }}
}

// asks is a listener that asks for certificates of an authority.
func asks(ca *testkit.CA, edit func(*spec.ClientAuth)) *spec.ListenerTLS {
	auth := &spec.ClientAuth{CA: spec.File{Path: "/ca.pem", Bytes: ca.PEM()}}
	if edit != nil {
		edit(auth)
	}
	return &spec.ListenerTLS{ClientAuth: auth}
}

func crl(pem []byte) spec.File { return spec.File{Path: "/ca.crl", Bytes: pem} }

// TestClientAuth proves who is let in, by each mode, list and rule, whether the
// session is new or resumed, and by which reason the others are counted.
func TestClientAuth(t *testing.T) {
	ours, theirs := testkit.NewCA(t), testkit.NewCA(t)
	tomorrow, yesterday := time.Now().Add(24*time.Hour), time.Now().Add(-24*time.Hour)
	mode := func(m spec.ClientAuthMode) *spec.ListenerTLS {
		return asks(ours, func(a *spec.ClientAuth) { a.Mode = m })
	}
	lists := func(expired spec.ExpiredCRL, lists ...[]byte) *spec.ListenerTLS {
		return asks(ours, func(a *spec.ClientAuth) {
			a.ExpiredCRL = expired
			for _, l := range lists {
				a.CRL = append(a.CRL, crl(l))
			}
		})
	}
	allow := func(m ...spec.ClientMatch) *spec.ListenerTLS {
		return asks(ours, func(a *spec.ClientAuth) { a.Allow = m })
	}
	alice := testkit.Leaf{Subject: pkix.Name{CommonName: "alice", Organization: []string{"Shop"}}, Serial: 7}
	nobody := &tls.Config{ServerName: "a.test"}
	expired := alice
	expired.Expired = true
	der, _ := pem.Decode(ours.Revoke(t, tomorrow, 7))
	tests := []struct {
		name     string
		listener *spec.ListenerTLS
		client   *tls.Config
		reason   string // empty when it is let in
	}{
		{"require: one of ours", mode(spec.ClientRequire), shows(t, ours, alice), ""},
		{"require: none", mode(spec.ClientRequire), nobody, "no-certificate"},
		{"require: of others", mode(spec.ClientRequire), shows(t, theirs, alice), "untrusted"},
		{"require: expired", mode(spec.ClientRequire), shows(t, ours, expired), "expired"},
		{"optional: one of ours", mode(spec.ClientOptional), shows(t, ours, alice), ""},
		{"optional: none", mode(spec.ClientOptional), nobody, ""},
		{"optional: of others", mode(spec.ClientOptional), shows(t, theirs, alice), "untrusted"},
		{"request: none", mode(spec.ClientRequest), nobody, ""},
		{"request: of others", mode(spec.ClientRequest), shows(t, theirs, alice), ""},
		{"revoked", lists("", ours.Revoke(t, tomorrow, 5, 7)), shows(t, ours, alice), "revoked"},
		{"revoked, by a list in DER", lists("", der.Bytes), shows(t, ours, alice), "revoked"},
		{"revoked, by the second list", lists("", ours.Revoke(t, tomorrow, 5), ours.Revoke(t, tomorrow, 7)), shows(t, ours, alice), "revoked"},
		{"others are revoked", lists("", ours.Revoke(t, tomorrow, 5, 8)), shows(t, ours, alice), ""},
		{"an expired list", lists("", ours.Revoke(t, yesterday)), shows(t, ours, alice), "expired"},
		{"an expired list that is accepted", lists(spec.ExpiredAccept, ours.Revoke(t, yesterday)), shows(t, ours, alice), ""},
		{"revoked by an expired list", lists(spec.ExpiredAccept, ours.Revoke(t, yesterday, 7)), shows(t, ours, alice), "revoked"},
		{"allowed", allow(spec.ClientMatch{CommonName: "bob"}, spec.ClientMatch{CommonName: "alice", Organization: "Shop"}), shows(t, ours, alice), ""},
		{"not allowed", allow(spec.ClientMatch{CommonName: "bob"}, spec.ClientMatch{CommonName: "alice", Organization: "Bank"}), shows(t, ours, alice), "not-allowed"},
	}
	for _, tt := range tests {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			server := config(t, tt.listener, issue(t, "a", false, "a.test"))
			client := tt.client.Clone()
			client.MaxVersion, client.ClientSessionCache = version, tls.NewLRUClientSessionCache(1)
			for i := range 2 {
				got := shake(t, server, client)
				reason := ""
				if got.serverErr != nil {
					reason = tlsx.Reason(got.serverErr)
				}
				if reason != tt.reason || (got.clientErr == nil) != (reason == "") {
					t.Errorf("%s, TLS %x: %q, want %q (server: %v, client: %v)", tt.name, version, reason, tt.reason, got.serverErr, got.clientErr)
				}
				if reason == "" && got.server.DidResume != (i == 1) {
					t.Errorf("%s, TLS %x, connection %d: resumed %v", tt.name, version, i, got.server.DidResume)
				}
			}
		}
	}
}

// TestRevokedSession proves that a new list ends the session of a client that was
// let in before, and that a new authority does.
func TestRevokedSession(t *testing.T) {
	ours, theirs := testkit.NewCA(t), testkit.NewCA(t)
	certificate := issue(t, "a", false, "a.test")
	before := config(t, asks(ours, nil), certificate)
	revoking := config(t, asks(ours, func(a *spec.ClientAuth) { a.CRL = []spec.File{crl(ours.Revoke(t, time.Now().Add(time.Hour), 7))} }), certificate)
	others := config(t, asks(theirs, nil), certificate)
	var tickets tlsx.Tickets
	tickets.Use(nil, []*tls.Config{before, revoking, others})
	for name, after := range map[string]*tls.Config{"revoked": revoking, "untrusted": others} {
		client := shows(t, ours, testkit.Leaf{Serial: 7})
		client.ClientSessionCache = tls.NewLRUClientSessionCache(1)
		if got := shake(t, before, client); got.clientErr != nil {
			t.Fatal(got.clientErr)
		}
		if got := shake(t, after, client); got.serverErr == nil || tlsx.Reason(got.serverErr) != name {
			t.Errorf("then the client is %v, want %s", got.serverErr, name)
		}
	}
}

// TestClientMatch proves what each key of a match compares.
func TestClientMatch(t *testing.T) {
	ca := testkit.NewCA(t)
	uri, err := url.Parse("spiffe://prod/shop/cart")
	if err != nil {
		t.Fatal(err)
	}
	leaf := testkit.Leaf{
		Subject: pkix.Name{CommonName: "alice", Organization: []string{"Shop"}, OrganizationalUnit: []string{"Cart", "Pay"}},
		Hosts:   []string{"Node1.shop.test"}, Emails: []string{"alice@shop.test"}, IPs: []net.IP{net.ParseIP("10.1.2.3")}, URIs: []*url.URL{uri},
	}
	client := shows(t, ca, leaf)
	pair, _ := client.GetClientCertificate(nil)
	sum := fingerprint(t, pair)
	tests := []struct {
		match spec.ClientMatch
		want  bool
	}{
		{spec.ClientMatch{CommonName: "alice"}, true},
		{spec.ClientMatch{CommonName: "Alice"}, false},
		{spec.ClientMatch{Organization: "Shop", Unit: "Pay"}, true},
		{spec.ClientMatch{Organization: "Shop", Unit: "Ship"}, false},
		{spec.ClientMatch{SAN: "node1.shop.test"}, true},
		{spec.ClientMatch{SAN: "*.shop.test"}, true},
		{spec.ClientMatch{SAN: "*.test"}, false},
		{spec.ClientMatch{SAN: "alice@shop.test"}, true},
		{spec.ClientMatch{SAN: "10.1.2.3"}, true},
		{spec.ClientMatch{SAN: "10.1.2.4"}, false},
		{spec.ClientMatch{SAN: "spiffe://prod/shop/cart"}, true},
		{spec.ClientMatch{SAN: "spiffe://prod/shop/*"}, true},
		{spec.ClientMatch{SAN: "spiffe://prod/bank/*"}, false},
		{spec.ClientMatch{Fingerprint: sum}, true},
		{spec.ClientMatch{Fingerprint: strings.ToUpper(sum[:2] + ":" + sum[2:])}, true},
		{spec.ClientMatch{Fingerprint: strings.Repeat("0", 64)}, false},
	}
	certificate := issue(t, "a", false, "a.test")
	for _, tt := range tests {
		server := config(t, asks(ca, func(a *spec.ClientAuth) { a.Allow = []spec.ClientMatch{tt.match} }), certificate)
		if got := shake(t, server, client); (got.serverErr == nil) != tt.want {
			t.Errorf("%+v: %v, want let in %v", tt.match, got.serverErr, tt.want)
		}
	}
}

func fingerprint(t *testing.T, pair *tls.Certificate) string {
	t.Helper()
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	id := tlsx.Identify(&tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}})
	return field(id, "X-Client-Cert-Fingerprint")
}

func field(id *message.Identity, name string) string {
	for _, f := range id.Fields {
		if string(f.Name) == name {
			return string(f.Value)
		}
	}
	return ""
}

// TestClientAuthProblems proves what is said of files that will not do.
func TestClientAuthProblems(t *testing.T) {
	ours, theirs := testkit.NewCA(t), testkit.NewCA(t)
	next := time.Now().Add(time.Hour)
	tests := []struct {
		name string
		edit func(*spec.ClientAuth)
		want string
	}{
		{"no authority", func(a *spec.ClientAuth) { a.CA.Bytes = []byte("x") }, `clientAuth.ca: "/ca.pem" holds no certificate`},
		{"no list", func(a *spec.ClientAuth) { a.CRL = []spec.File{crl(ours.PEM())} }, `clientAuth.crl[0]: "/ca.crl": no X509 CRL block; use a list that one of ca has signed, as PEM or DER`},
		{"not DER", func(a *spec.ClientAuth) { a.CRL = []spec.File{crl([]byte("x"))} }, `clientAuth.crl[0]: "/ca.crl": x509: malformed crl; use a list that one of ca has signed, as PEM or DER`},
		{"of others", func(a *spec.ClientAuth) {
			a.CRL = []spec.File{crl(ours.Revoke(t, next)), crl(theirs.Revoke(t, next))}
		}, `clientAuth.crl[1]: "/ca.crl": it is not signed by "CN=Portico test CA", whom it names: x509: ECDSA verification failure; use a list that one of ca has signed, as PEM or DER`},
	}
	for _, tt := range tests {
		_, problems := tlsx.Greet(tlsx.Options{Listener: asks(ours, tt.edit), Set: parse(t), Tickets: &tlsx.Tickets{}})
		if len(problems) != 1 || problems[0].String() != tt.want {
			t.Errorf("%s: %v, want %s", tt.name, problems, tt.want)
		}
	}
}

// listening is a spec of one listener.
func listening(l *spec.ListenerTLS) *spec.Spec {
	return &spec.Spec{Listeners: []spec.Listener{{Name: "https", Protocol: spec.ProtocolHTTPS, TLS: l}}}
}

// TestExpired proves that lists which should have been replaced are warned of,
// with what that does to clients.
func TestExpired(t *testing.T) {
	ca, now := testkit.NewCA(t), time.Now()
	old, fresh := crl(ca.Revoke(t, now.Add(-time.Hour))), crl(ca.Revoke(t, now.Add(time.Hour)))
	day := now.Add(-time.Hour).UTC().Format(time.DateOnly)
	for expired, fate := range map[spec.ExpiredCRL]string{
		spec.ExpiredRefuse: "every client of its authority is refused", spec.ExpiredAccept: "clients revoked since then are let in",
	} {
		l := asks(ca, func(a *spec.ClientAuth) { a.CRL, a.ExpiredCRL = []spec.File{fresh, old}, expired })
		want := `warning: listeners[0].tls.clientAuth.crl[1]: "/ca.crl" should have been replaced on ` + day + ": " + fate + "; fetch the list of today"
		if got := tlsx.Expired(listening(l), now); len(got) != 1 || got[0].String() != want {
			t.Errorf("%v, want %s", got, want)
		}
	}
	if got := tlsx.Expired(listening(nil), now); got != nil {
		t.Errorf("a listener without tls: %v", got)
	}
}

// TestIdentify proves what targets are told of a certificate, and that nothing in
// it can end a field or pass for another name.
func TestIdentify(t *testing.T) {
	ca := testkit.NewCA(t)
	uri := &url.URL{Scheme: "spiffe", Host: "prod", Path: "/a,dns:b.test"}
	client := shows(t, ca, testkit.Leaf{
		Subject: pkix.Name{CommonName: "al\r\nice: ü 100%", Organization: []string{"A, B"}}, Serial: 0x1f,
		Hosts: []string{"a.test", "b.test"}, Emails: []string{"a@a.test"}, IPs: []net.IP{net.ParseIP("2001:db8::1")}, URIs: []*url.URL{uri},
	})
	for _, mode := range []spec.ClientAuthMode{spec.ClientRequire, spec.ClientRequest} {
		got := shake(t, config(t, asks(ca, func(a *spec.ClientAuth) { a.Mode = mode }), issue(t, "a", false, "a.test")), client)
		if got.serverErr != nil {
			t.Fatal(got.serverErr)
		}
		id := tlsx.Identify(&got.server)
		verified := map[spec.ClientAuthMode]string{spec.ClientRequire: "true", spec.ClientRequest: "false"}[mode]
		for name, want := range map[string]string{
			"X-Client-Cert-Verified": verified,
			"X-Client-Cert-Subject":  `CN=al%0D%0Aice: %C3%BC 100%25,O=A\, B`,
			"X-Client-Cert-Issuer":   "CN=Portico test CA",
			"X-Client-Cert-SAN":      "dns:a.test, dns:b.test, email:a@a.test, ip:2001:db8::1, uri:spiffe://prod/a%2Cdns:b.test",
			"X-Client-Cert-Serial":   "1f",
		} {
			if v := field(id, name); v != want {
				t.Errorf("%s: %s, want %s", name, v, want)
			}
		}
		if v := string(id.Certificate.Value); !strings.HasPrefix(v, ":MII") || !strings.HasSuffix(v, ":") {
			t.Errorf("Client-Cert: %s", v)
		}
	}
	if tlsx.Identify(&tls.ConnectionState{}) != nil {
		t.Error("a client without a certificate has an identity")
	}
}

// TestIdentifyLong proves that a name too long for a field is left out, not cut.
func TestIdentifyLong(t *testing.T) {
	var hosts []string
	for range 200 {
		hosts = append(hosts, strings.Repeat("x", 60)+".test")
	}
	certificate, _ := testkit.NewCA(t).IssueLeaf(t, testkit.Leaf{Hosts: hosts})
	block, _ := pem.Decode(certificate)
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	id := tlsx.Identify(&tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}})
	if field(id, "X-Client-Cert-SAN") != "" || len(id.Certificate.Name) > 0 {
		t.Error("a field of more than 8 KiB is sent")
	}
	if field(id, "X-Client-Cert-Fingerprint") == "" {
		t.Error("the fingerprint is missing")
	}
}

// TestReason proves that each way a client can fail has the word it is counted by.
func TestReason(t *testing.T) {
	certificate := issue(t, "a", false, "a.test")
	good := config(t, nil, certificate)
	say := func(text string) error {
		c, s := ends()
		c.loose = true
		s.feed([]byte(text))
		s.gone = true
		return tls.Server(s, good).Handshake()
	}
	tests := []struct {
		want string
		err  error
	}{
		{"not-tls", say("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")},
		{"client-closed", say("")},
		{"client-closed", say("\x16\x03\x01")},
		{"no-version", shake(t, good, &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}).serverErr},
		{"no-cipher", shake(t, good, &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}}).serverErr},
		{"no-curve", shake(t, config(t, &spec.ListenerTLS{Curves: []spec.Curve{spec.P521}}, certificate), &tls.Config{CurvePreferences: []tls.CurveID{tls.X25519}}).serverErr},
		{"no-protocol", shake(t, good, &tls.Config{NextProtos: []string{"smtp"}}).serverErr},
		{"unknown-name", shake(t, config(t, &spec.ListenerTLS{UnknownName: spec.UnknownRefuse}, certificate), &tls.Config{ServerName: "c.test"}).serverErr},
		{"client-alert", shake(t, good, &tls.Config{VerifyConnection: func(tls.ConnectionState) error { return x509.UnknownAuthorityError{} }}).serverErr},
	}
	for _, tt := range tests {
		if tt.err == nil {
			t.Errorf("%s: the handshake succeeds", tt.want)
		} else if got := tlsx.Reason(tt.err); got != tt.want || !slices.Contains(tlsx.Reasons(), got) {
			t.Errorf("%v is counted as %q, want %q", tt.err, got, tt.want)
		}
	}
}
