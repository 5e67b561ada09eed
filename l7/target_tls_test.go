package l7_test

import (
	"crypto/tls"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"portico/internal/testkit"
	"portico/spec"
	"portico/target/health"
)

// secureTarget is a target that speaks TLS, and says what it saw of a client.
type secureTarget struct {
	*httptest.Server
	opened atomic.Int64
}

// greeted is its answer.
type greeted struct {
	Name    string // asked for
	Client  string // common name of the certificate it showed
	Resumed bool
	Version uint16
}

func newSecureTarget(t *testing.T, a *testkit.CA, leaf testkit.Leaf, edit func(*tls.Config)) *secureTarget {
	t.Helper()
	certificate, key := a.IssueLeaf(t, leaf)
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	s := &secureTarget{}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g := greeted{Name: r.TLS.ServerName, Resumed: r.TLS.DidResume, Version: r.TLS.Version}
		if len(r.TLS.PeerCertificates) > 0 {
			g.Client = r.TLS.PeerCertificates[0].Subject.CommonName
		}
		if r.URL.Path == "/last" {
			w.Header().Set("Connection", "close")
		}
		_ = json.NewEncoder(w).Encode(g)
	}))
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.opened.Add(1)
		}
	}
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	if edit != nil {
		edit(s.TLS)
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func (b *bed) greeted(c *client, request string) greeted {
	b.t.Helper()
	a := c.do(request)
	var g greeted
	if err := json.Unmarshal([]byte(a.text), &g); err != nil {
		b.t.Fatalf("%s: %d %q", request, a.StatusCode, a.text)
	}
	return g
}

func caFile(a *testkit.CA) spec.File { return spec.File{Path: "/ca.pem", Bytes: a.PEM()} }

// TestTargetTLS proves how a target is greeted: by which name, with which
// certificate, by whose word it is believed; and that a target that cannot be
// believed gets no request and the client 502 with the reason in the log.
func TestTargetTLS(t *testing.T) {
	ours, theirs := testkit.NewCA(t), testkit.NewCA(t)
	certificate, key := ours.IssueLeaf(t, testkit.Leaf{Subject: pkix.Name{CommonName: "portico"}})
	shown := func(x *spec.TargetTLS) {
		x.Certificate, x.Key = spec.File{Path: "/client.pem", Bytes: certificate}, spec.Secret{File: "/client.key", Value: key}
	}
	named := testkit.Leaf{Hosts: []string{"a.test", "*.b.test"}, IPs: []net.IP{net.ParseIP("127.0.0.1")}}
	mutual := func(c *tls.Config) { c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, ours.Pool() }
	old := func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }
	tests := []struct {
		name   string
		signed *testkit.CA
		leaf   testkit.Leaf
		server func(*tls.Config)
		tls    func(*spec.TargetTLS)
		host   string
		want   greeted
		fails  string // what the log says
	}{
		{"name of the request's host", ours, named, nil, func(*spec.TargetTLS) {}, "a.test:8080", greeted{Name: "a.test", Version: tls.VersionTLS13}, ""},
		{"wildcard", ours, named, nil, func(*spec.TargetTLS) {}, "x.b.test", greeted{Name: "x.b.test", Version: tls.VersionTLS13}, ""},
		{"name of the spec", ours, named, nil, func(x *spec.TargetTLS) { x.ServerName = "a.test" }, "other.test", greeted{Name: "a.test", Version: tls.VersionTLS13}, ""},
		{"address as host", ours, named, nil, func(*spec.TargetTLS) {}, "127.0.0.1", greeted{Version: tls.VersionTLS13}, ""},
		{"client certificate", ours, named, mutual, shown, "a.test", greeted{Name: "a.test", Client: "portico", Version: tls.VersionTLS13}, ""},
		{"TLS 1.2", ours, named, old, func(*spec.TargetTLS) {}, "a.test", greeted{Name: "a.test", Version: tls.VersionTLS12}, ""},
		{"nobody is verified", theirs, testkit.Leaf{Expired: true}, nil, func(x *spec.TargetTLS) { x.CA, x.InsecureSkipVerify = spec.File{}, true }, "a.test", greeted{Name: "a.test", Version: tls.VersionTLS13}, ""},
		{"no certificate to show", ours, named, mutual, func(*spec.TargetTLS) {}, "a.test", greeted{}, "tls: certificate required"},
		{"another name", ours, named, nil, func(*spec.TargetTLS) {}, "c.test", greeted{}, "x509: certificate is valid for a.test, *.b.test, not c.test"},
		{"unknown authority", theirs, named, nil, func(*spec.TargetTLS) {}, "a.test", greeted{}, "x509: certificate signed by unknown authority"},
		{"expired", ours, testkit.Leaf{Hosts: named.Hosts, Expired: true}, nil, func(*spec.TargetTLS) {}, "a.test", greeted{}, "x509: certificate has expired or is not yet valid"},
		{"too old", ours, named, old, func(x *spec.TargetTLS) { x.MinVersion = spec.TLS13 }, "a.test", greeted{}, "tls: protocol version not supported"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSecureTarget(t, tt.signed, tt.leaf, tt.server)
			b := newBed(t, func(_ *bed, want *spec.Spec) {
				g := group("web", s.Server)
				g.TLS = &spec.TargetTLS{CA: caFile(ours)}
				tt.tls(g.TLS)
				toOne(want, g)
			})
			if tt.fails == "" {
				if got := b.greeted(b.dial(), "GET / "+tt.host); got != tt.want {
					t.Errorf("the target saw %+v, want %+v", got, tt.want)
				}
				return
			}
			if got := b.dial().do("GET / " + tt.host); got.StatusCode != 502 {
				t.Errorf("status %d, want 502", got.StatusCode)
			}
			if line := b.log.all(t, 1)[0]; !strings.Contains(line, tt.fails) || !strings.Contains(line, "target-") {
				t.Errorf("the log says %s, want %q", line, tt.fails)
			}
		})
	}
}

// TestTargetTLSResumes proves that a new connection takes up the session of an
// older one, unless the spec does not want it.
func TestTargetTLSResumes(t *testing.T) {
	a := testkit.NewCA(t)
	no := false
	for _, resumption := range []*bool{nil, &no} {
		s := newSecureTarget(t, a, testkit.Leaf{Hosts: []string{"a.test"}}, nil)
		b := newBed(t, func(_ *bed, want *spec.Spec) {
			g := group("web", s.Server)
			g.TLS = &spec.TargetTLS{CA: caFile(a), Resumption: resumption}
			toOne(want, g)
		})
		c := b.dial()
		for i := range 3 {
			if got := b.greeted(c, "GET /last a.test"); got.Resumed != (i > 0 && resumption == nil) {
				t.Errorf("connection %d, resumption %v: resumed %v", i, resumption == nil, got.Resumed)
			}
		}
	}
}

// TestTargetTLSPools proves that a connection serves the requests of one group
// and one host, across specs that leave the group's tls alone, and no others.
func TestTargetTLSPools(t *testing.T) {
	a := testkit.NewCA(t)
	s := newSecureTarget(t, a, testkit.Leaf{Hosts: []string{"a.test", "b.test"}}, nil)
	edit := func(oldest spec.TLSVersion) func(b *bed, want *spec.Spec) {
		return func(_ *bed, want *spec.Spec) {
			g := group("web", s.Server)
			g.TLS = &spec.TargetTLS{CA: caFile(a), MinVersion: oldest}
			toOne(want, g)
		}
	}
	b := newBed(t, edit(spec.TLS12))
	c := b.dial()
	steps := []struct {
		what string
		do   func()
		want int64 // connections to the target so far
	}{
		{"one host twice", func() { b.greeted(c, "GET / a.test"); b.greeted(c, "GET / a.test:80") }, 1},
		{"another host", func() { b.greeted(c, "GET / b.test") }, 2},
		{"the first again", func() { b.greeted(c, "GET / a.test") }, 2},
		{"the same spec", func() { s := b.base(); edit(spec.TLS12)(b, s); b.mustApply(s); b.greeted(c, "GET / a.test") }, 2},
		{"another tls", func() { s := b.base(); edit(spec.TLS13)(b, s); b.mustApply(s); b.greeted(c, "GET / a.test") }, 3},
	}
	for _, step := range steps {
		step.do()
		if got := s.opened.Load(); got != step.want {
			t.Errorf("%s: %d connections, want %d", step.what, got, step.want)
		}
	}
}

func (b *bed) mustApply(s *spec.Spec) {
	b.t.Helper()
	if err := b.apply(s); err != nil {
		b.t.Fatal(err)
	}
}

// TestTargetTLSHealth proves that an https check greets targets as requests do,
// and notices when they cannot be greeted so any more.
func TestTargetTLSHealth(t *testing.T) {
	ours, theirs := testkit.NewCA(t), testkit.NewCA(t)
	s := newSecureTarget(t, ours, testkit.Leaf{Hosts: []string{"a.test"}}, nil)
	with := func(a *testkit.CA) func(*bed, *spec.Spec) {
		return func(_ *bed, want *spec.Spec) {
			g := group("web", s.Server)
			g.TLS = &spec.TargetTLS{CA: caFile(a), ServerName: "a.test"}
			g.Health = &spec.Health{
				Check:  spec.Choice{Name: health.HTTPSName},
				Timing: spec.Timing{Interval: spec.Duration(20 * time.Millisecond), Timeout: spec.Duration(5 * time.Second), Rise: 1, Fall: 1},
			}
			toOne(want, g)
		}
	}
	b := newBed(t, with(ours))
	verdict := func() string {
		x := b.groups.Group("web").Status().Targets[0]
		return fmt.Sprint(x.Verdict, ": ", x.Reason)
	}
	await := func(want string) {
		t.Helper()
		for deadline := time.Now().Add(10 * time.Second); !strings.Contains(verdict(), want); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("the target is %s, want %s", verdict(), want)
			}
		}
	}
	await("healthy: ")
	next := b.base()
	with(theirs)(b, next)
	b.mustApply(next)
	await("unknown authority")
}

// TestTargetTLSRefused proves that a spec whose files hold nothing is refused,
// however it came.
func TestTargetTLSRefused(t *testing.T) {
	b := newBed(t, func(_ *bed, want *spec.Spec) { toOne(want, group("web", newTarget(t, "a"))) })
	next := b.base()
	g := group("web", newTarget(t, "b"))
	g.TLS = &spec.TargetTLS{CA: spec.File{Path: "/ca.pem", Bytes: []byte("nothing")}}
	toOne(next, g)
	problems := b.groups.Check(next.TargetGroups)
	if want := `targetGroups[0].tls: "/ca.pem" holds no certificate`; len(problems) != 1 || problems[0].String() != want {
		t.Errorf("Check() = %v, want %s", problems, want)
	}
	if a := b.dial().do("GET / x"); a.StatusCode != 200 {
		t.Errorf("what was served before: status %d", a.StatusCode)
	}
}
