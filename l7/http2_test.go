package l7_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"portico/internal/testkit"
	"portico/l7/filter"
	"portico/spec"
)

// TestHTTP2 proves what listeners and target groups speak: clients HTTP/2 unless the
// listener forbids it, targets what their group says; and that the access log tells.
func TestHTTP2(t *testing.T) {
	ca := testkit.NewCA(t)
	certificate, key := ca.IssueLeaf(t, testkit.Leaf{Hosts: []string{"shop.test"}})
	plain := protocolTarget(t, func(s *httptest.Server) {
		s.Config.Protocols = new(http.Protocols)
		s.Config.Protocols.SetHTTP1(true)
		s.Config.Protocols.SetUnencryptedHTTP2(true)
		s.Start()
	})
	secure := protocolTarget(t, func(s *httptest.Server) { s.EnableHTTP2 = true; s.StartTLS() })
	old := protocolTarget(t, (*httptest.Server).StartTLS)
	off := spec.HTTP2{}
	tests := []struct {
		name     string
		http2    *spec.HTTP2 // of the https listener
		protocol spec.TargetProtocol
		target   *httptest.Server
		client   string
		want     string // what the target was spoken to by
	}{
		{"clients alone", nil, "", plain, "HTTP/2.0", "HTTP/1.1"},
		{"clients may not", &off, spec.TargetHTTP1, plain, "HTTP/1.1", "HTTP/1.1"},
		{"targets in plain text", nil, spec.TargetHTTP2, plain, "HTTP/2.0", "HTTP/2.0"},
		{"targets by TLS", &off, spec.TargetHTTP2, secure, "HTTP/1.1", "HTTP/2.0"},
		{"targets that agree", nil, spec.TargetAuto, secure, "HTTP/2.0", "HTTP/2.0"},
		{"targets that do not", nil, spec.TargetAuto, old, "HTTP/2.0", "HTTP/1.1"},
		{"targets in plain text are not asked", nil, spec.TargetAuto, plain, "HTTP/2.0", "HTTP/1.1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBed(t, func(b *bed, s *spec.Spec) {
				s.Certificates = []spec.Certificate{{Hosts: []string{"shop.test"}, Files: spec.CertFiles{
					Certificate: spec.File{Path: "/shop.pem", Bytes: certificate}, Key: spec.Secret{File: "/shop.key", Value: key},
				}}}
				s.Listeners = append(s.Listeners, spec.Listener{
					Name: "https", VIP: "public", Port: b.https, Protocol: spec.ProtocolHTTPS, HTTP2: tt.http2, Routes: []spec.RouteName{"all"},
				})
				s.Routes = []spec.Route{{Name: "all", Rules: []spec.Rule{
					{Match: []spec.Match{{Path: &spec.PathMatch{Prefix: "/gone"}}}, Filters: []spec.Choice{{Name: "respond", Params: &filter.Respond{Status: 410}}}},
					{TargetGroups: []spec.GroupRef{{Name: "g", Weight: 1}}},
				}}}
				g := spec.TargetGroup{Name: "g", Protocol: tt.protocol, Targets: []spec.Target{{Address: addressOf(tt.target), Weight: 1}}}
				if tt.target.TLS != nil {
					g.TLS = &spec.TargetTLS{InsecureSkipVerify: true}
				}
				s.TargetGroups = []spec.TargetGroup{g}
			})
			tr := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: ca.Pool(), ServerName: "shop.test"}}
			defer tr.CloseIdleConnections()
			c := &http.Client{Transport: tr, Timeout: 20 * time.Second}
			r, err := c.Get(fmt.Sprintf("https://127.0.0.1:%d/", b.https))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = r.Body.Close() }()
			text, err := io.ReadAll(r.Body)
			if err != nil || r.Proto != tt.client || string(text) != tt.want {
				t.Errorf("the client spoke %s, the target heard %s, %v, want %s and %s", r.Proto, text, err, tt.client, tt.want)
			}
			want := fmt.Sprintf(`"protocol":"%s"`, strings.TrimSuffix(tt.client, ".0"))
			if line := b.log.all(t, 1)[0]; !strings.Contains(line, want) {
				t.Errorf("the access log says\n%s\nwant %s", line, want)
			}
			own, err := c.Get(fmt.Sprintf("https://127.0.0.1:%d/gone", b.https))
			if err != nil {
				t.Fatal(err)
			}
			_ = own.Body.Close()
			at, err := http.ParseTime(own.Header.Get("Date"))
			if own.StatusCode != 410 || own.Proto != tt.client || err != nil || time.Since(at) > time.Minute || len(own.Header["Date"]) != 1 {
				t.Errorf("an answer of our own: %d by %s, %v, want one date, that of now", own.StatusCode, own.Proto, own.Header)
			}
		})
	}
}

// protocolTarget answers with the version it was spoken to by.
func protocolTarget(t *testing.T, start func(*httptest.Server)) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) }))
	start(s)
	t.Cleanup(s.Close)
	return s
}
