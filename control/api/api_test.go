package api_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"portico/client"
	"portico/control/api"
	"portico/spec"
	"portico/spec/status"
)

// host is a process that remembers what it was asked.
type host struct {
	asked   status.Question
	tier    spec.Role
	applied []spec.Source
	refuse  error
}

func (h *host) Status() []status.Node {
	return []status.Node{{Name: "edge", Groups: []status.Group{{Name: "web", Targets: []status.Target{{
		Address: spec.AddrPort{AddrPort: netip.MustParseAddrPort("10.0.0.1:80")},
		Verdict: status.Unhealthy,
	}}}}}}
}

func (h *host) Explain(tier spec.Role, q status.Question) ([]status.Answer, error) {
	h.tier, h.asked = tier, q
	return []status.Answer{{Tier: spec.RoleL7, Result: "goes on"}}, h.refuse
}

func (h *host) Apply(sources []spec.Source) (client.Applied, error) {
	h.applied = sources
	return client.Applied{Generation: 7}, h.refuse
}

func (h *host) Kill(part string) (string, error) { return "killed " + part, nil }
func (h *host) Heal(part string) (string, error) { return "healed " + part, nil }

func start(t *testing.T, h *host) (*api.API, string) {
	t.Helper()
	a := api.New(api.Options{Host: h, Metrics: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler)})
	dir, err := os.MkdirTemp("", "api") //nolint:usetesting // a socket's path is bounded, and t.TempDir is long
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "sub", "node.sock")
	wait, err := a.ServeSocket(t.Context(), socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := wait(); err != nil {
			t.Errorf("serve: %v", err)
		}
		_ = os.RemoveAll(dir)
	})
	return a, socket
}

// TestClient proves that what the client asks is what the host hears, and that
// its answers and refusals come back whole.
func TestClient(t *testing.T) {
	h := &host{}
	_, socket := start(t, h)
	c := client.Unix(socket)

	nodes, err := c.Status(t.Context())
	if err != nil || len(nodes) != 1 || nodes[0].Groups[0].Targets[0].Verdict != status.Unhealthy {
		t.Errorf("Status = %+v, %v, want the host's node with its unhealthy target", nodes, err)
	}
	q := status.Question{URL: "https://a/b?c=d&e", From: netip.MustParseAddr("203.0.113.7"), Header: map[string][]string{"Cookie": {"a=b; c"}}}
	if a, ok, err := c.ExplainTier(spec.RoleL7, q); err != nil || !ok || a.Result != "goes on" {
		t.Errorf("ExplainTier = %+v, %v, %v", a, ok, err)
	}
	if h.tier != spec.RoleL7 || h.asked.URL != q.URL || h.asked.From != q.From || h.asked.Header["Cookie"][0] != "a=b; c" {
		t.Errorf("the host was asked %q %+v, want l7 %+v", h.tier, h.asked, q)
	}
	applied, err := c.Apply(t.Context(), []spec.Source{{Name: "/a.yaml", Dir: "/", Text: []byte("portico: v1")}})
	if err != nil || applied.Generation != 7 || string(h.applied[0].Text) != "portico: v1" {
		t.Errorf("Apply = %+v, %v; host took %+v", applied, err, h.applied)
	}
	if done, err := c.Kill(t.Context(), "east/l7-1"); err != nil || done != "killed east/l7-1" {
		t.Errorf("Kill = %q, %v", done, err)
	}

	h.refuse = &client.Error{Message: "no", Problems: []spec.Located{{File: "/a.yaml", Line: 3, Problem: spec.Problem{What: "bad"}}}, Text: "a:3: bad\n"}
	_, err = c.Apply(t.Context(), nil)
	var refused *client.Error
	if !errors.As(err, &refused) || refused.Text != "a:3: bad\n" || len(refused.Problems) != 1 || refused.Problems[0].What != "bad" {
		t.Errorf("refused Apply = %#v, want the host's problems", err)
	}
}

// TestSocketIsPrivate proves that only the owner may open the control socket.
func TestSocketIsPrivate(t *testing.T) {
	_, socket := start(t, &host{})
	info, err := os.Stat(socket)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode of the socket is %v (%v), want 0600", info.Mode().Perm(), err)
	}
	dir, err := os.Stat(filepath.Dir(socket))
	if err != nil || dir.Mode().Perm() != 0o700 {
		t.Errorf("mode of its folder is %v (%v), want 0700", dir.Mode().Perm(), err)
	}
}

// TestSocketTakeover proves that a socket left by a dead process is taken over,
// and that one of a living process is not.
func TestSocketTakeover(t *testing.T) {
	a, socket := start(t, &host{})
	if _, err := a.ServeSocket(t.Context(), socket); err == nil || !strings.Contains(err.Error(), "another portico") {
		t.Errorf("a second server on a living socket: %v, want a refusal", err)
	}
	dead := filepath.Join(filepath.Dir(socket), "dead.sock")
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: dead, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	ln.SetUnlinkOnClose(false)
	_ = ln.Close()
	if _, err := a.ServeSocket(t.Context(), dead); err != nil {
		t.Errorf("a dead socket was not taken over: %v", err)
	}
}

// TestSocketRefusals proves that a control socket never takes the place of a
// file, and that a name the system cannot take is explained.
func TestSocketRefusals(t *testing.T) {
	a, socket := start(t, &host{})
	file := filepath.Join(filepath.Dir(socket), "portico.yaml")
	if err := os.WriteFile(file, []byte("portico: v1"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(filepath.Dir(socket), "link.sock")
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		file:                      "it is not a socket",
		link:                      "it is not a socket",
		filepath.Dir(socket):      "it is not a socket",
		filepath.Join(file, "a"):  "folder of the control socket",
		strings.Repeat("/a", 100): "the system takes 103",
	} {
		if _, err := a.ServeSocket(t.Context(), path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ServeSocket(%s) = %v, want an error with %q", path, err, want)
		}
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "portico: v1" {
		t.Errorf("the file holds %q now (%v)", text, err)
	}
}

// TestSocketIsRemoved proves that a server that ended leaves no socket behind.
func TestSocketIsRemoved(t *testing.T) {
	a, socket := start(t, &host{})
	ctx, cancel := context.WithCancel(t.Context())
	second := filepath.Join(filepath.Dir(socket), "second.sock")
	wait, err := a.ServeSocket(ctx, second)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := wait(); err != nil {
		t.Errorf("serve: %v", err)
	}
	if _, err := os.Lstat(second); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is still there (%v)", err)
	}
}

// TestTCPOnlyReads proves that the admin address answers reads of this machine
// alone, whatever name the request carries, and changes nothing.
func TestTCPOnlyReads(t *testing.T) {
	h := &host{}
	a, _ := start(t, h)
	addr := freeAddr(t)
	ctx, cancel := context.WithCancel(t.Context())
	wait, err := a.ServeTCP(ctx, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { cancel(); _ = wait() }()

	tests := []struct {
		name, method, path, host string
		want                     int
	}{
		{"status", "GET", "/v1/status", "", 200},
		{"metrics", "GET", "/metrics", "", 200},
		{"explain", "GET", "/v1/explain?url=http://a/&from=192.0.2.1", "", 200},
		{"explain of nothing", "GET", "/v1/explain", "", 400},
		{"explain to nobody", "GET", "/v1/explain?url=http://a/&from=nowhere", "", 400},
		{"as localhost", "GET", "/v1/status", "localhost:1", 200},
		{"by a name of others", "GET", "/v1/status", "evil.example", 421},
		{"apply", "POST", "/v1/apply", "", 404},
		{"kill", "POST", "/v1/demo/kill?part=east", "", 404},
		{"unknown", "GET", "/v2", "", 404},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), tt.method, "http://"+addr+tt.path, strings.NewReader("[]"))
			if err != nil {
				t.Fatal(err)
			}
			req.Host = tt.host
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = resp.Body.Close() }()
			_, _ = io.Copy(io.Discard, resp.Body)
			if resp.StatusCode != tt.want {
				t.Errorf("%s %s as %q: %s, want %d", tt.method, tt.path, tt.host, resp.Status, tt.want)
			}
		})
	}
	http.DefaultClient.CloseIdleConnections()
	if h.applied != nil {
		t.Error("a write came through the admin address")
	}
}

// TestTCPRefusals proves that the admin address is refused beyond loopback, and
// that a taken one says what to do.
func TestTCPRefusals(t *testing.T) {
	a, _ := start(t, &host{})
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	for addr, want := range map[string]string{
		"0.0.0.0:9900":         "not on loopback",
		"192.0.2.1:9900":       "not on loopback",
		"localhost":            "use an address with a port",
		taken.Addr().String():  "--admin off",
		"[2001:db8::1]:9900":   "not on loopback",
		"127.0.0.1:notaport":   "use an address with a port",
		"127.0.0.1:9900:extra": "use an address with a port",
	} {
		if _, err := a.ServeTCP(t.Context(), addr); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ServeTCP(%s) = %v, want an error with %q", addr, err, want)
		}
	}
}

func freeAddr(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	return ln.Addr().String()
}
