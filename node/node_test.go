package node_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"portico/internal/handover"
	"portico/internal/testkit"
	"portico/node"
	"portico/spec"
	"portico/spec/status"
)

const pollFor = 20 * time.Second

// network is a /24 of loopback for one test.
func network(t *testing.T) string {
	t.Helper()
	net, release := testkit.Network()
	t.Cleanup(release)
	return net
}

// oneNode is a spec with dns, l4 and l7 on one node, a target that is not there
// unless a test starts it, and room for edits.
func oneNode(net string, edits ...string) string {
	text := `portico: v1
accessLog: off
drain: 5s
sites:
  - name: here
    nodes: [{name: all, address: $NET.9, roles: [dns, l4, l7], dns: ["$NET.53:5300"]}]
vips: [{name: public, addresses: {here: [$NET.10]}, health: {interval: 100ms, timeout: 1s, rise: 1, fall: 1}}]
zones:
  - name: example.com
    nameservers: [{name: ns1, addresses: [$NET.53]}]
    records: [{name: www, vip: public}]
listeners:
  - {name: http, vip: public, port: 8080, protocol: http, routes: [all]}
  - {name: raw, vip: public, port: 9000, protocol: tcp, targetGroups: [web]}
routes: [{name: all, rules: [{targetGroups: [web]}]}]
targetGroups:
  - name: web
    health: {check: tcp, interval: 100ms, timeout: 1s, rise: 1, fall: 1}
    targets: ["$NET.101:3000"]
`
	return strings.ReplaceAll(strings.NewReplacer(edits...).Replace(text), "$NET", net)
}

func load(t *testing.T, text string) *spec.Spec {
	t.Helper()
	want, report := node.Load([]spec.Source{{Name: "test.yaml", Dir: t.TempDir(), Text: []byte(text)}}, "all")
	if report.Fatal() {
		t.Fatalf("spec has problems: %+v", report.Problems())
	}
	return want
}

func newNode() *node.Node {
	return node.New(node.Options{Name: "all", Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry()})
}

// start applies a spec, runs the node, and stops it at the end of the test.
func start(t *testing.T, want *spec.Spec) (n *node.Node, stop func()) {
	t.Helper()
	n = newNode()
	if err := n.Apply(want); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
	t.Cleanup(stop)
	return n, stop
}

// web starts the target of oneNode.
func web(t *testing.T, addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "web")
	})}
	go func() { _ = s.Serve(ln) }()
	t.Cleanup(func() { _ = s.Close() })
}

func fetch(url string) (string, error) {
	c := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := c.Get(url)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	return fmt.Sprint(resp.StatusCode, " ", string(text)), err
}

func serves(t *testing.T, url, want string) {
	t.Helper()
	testkit.Poll(t, pollFor, func() error {
		got, err := fetch(url)
		if err == nil && got != want {
			err = fmt.Errorf("%s answers %q, want %q", url, got, want)
		}
		return err
	})
}

// TestGenerationsAreKept proves that a node which is started again goes on with the
// generations that it had, of every listener that hashes.
func TestGenerationsAreKept(t *testing.T) {
	state := t.TempDir()
	run := func(edits ...string) map[string]uint64 {
		n := node.New(node.Options{Name: "all", Log: slog.New(slog.DiscardHandler), State: state})
		if err := n.Apply(load(t, oneNode(network(t), edits...))); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // it keeps what it has as it ends
		if err := n.Run(ctx); err != nil {
			t.Error(err)
		}
		numbers := map[string]uint64{}
		for _, l := range n.Status().Listeners {
			if l.Slots != nil {
				numbers[l.Name] = l.Slots.Generation
			}
		}
		return numbers
	}
	first := run("drain: 5s", "drain: 100ms")
	next := run("drain: 5s", "drain: 100ms", "$NET.101:3000", "$NET.102:3000")
	if first["raw"] == 0 || next["raw"] <= first["raw"] {
		t.Errorf("generations are %v and after a start with another target %v, want them to go on", first, next)
	}
}

// TestWholePathInOneNode proves that all tiers of one node serve, that its status
// tells of each, and that it leaves nothing behind.
func TestWholePathInOneNode(t *testing.T) {
	testkit.NoLeaks(t)
	at := network(t)
	web(t, at+".101:3000")
	n, stop := start(t, load(t, oneNode(at)))
	serves(t, "http://"+at+".10:8080/", "200 web")
	serves(t, "http://"+at+".10:9000/", "200 web")
	testkit.Poll(t, pollFor, func() error {
		s := n.Status()
		if len(s.Records) != 1 || s.Records[0].Mode != "healthy" || !s.Records[0].Sites[0].Used {
			return fmt.Errorf("records are %+v, want the VIP healthy and used", s.Records)
		}
		return nil
	})
	s := n.Status()
	if s.State != "serving" || s.Site != "here" || s.Generation != 1 {
		t.Errorf("status is %s at %s, generation %d; want serving at here, generation 1", s.State, s.Site, s.Generation)
	}
	tiers := map[spec.Role]int{}
	for _, l := range s.Listeners {
		tiers[l.Tier]++
	}
	if tiers[spec.RoleDNS] != 1 || tiers[spec.RoleL4] != 2 || tiers[spec.RoleL7] != 1 {
		t.Errorf("listeners by tier are %v, want 1 dns, 2 l4, 1 l7", tiers)
	}
	stop()
	if s := n.Status(); s.State != "stopped" {
		t.Errorf("state after Run is %s, want stopped", s.State)
	}
	if _, err := fetch("http://" + at + ".10:8080/"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("after Run the VIP answers %v, want a refused connection", err)
	}
}

// TestApplyIsWholeOrNot proves that a spec of which any part fails, in whatever
// tier, leaves the one before serving, targets with their verdicts and all.
func TestApplyIsWholeOrNot(t *testing.T) {
	at := network(t)
	web(t, at+".101:3000")
	taken, err := net.Listen("tcp", at+".77:8080")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	udp, err := net.ListenPacket("udp", at+".78:5300")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = udp.Close() })
	n, _ := start(t, load(t, oneNode(at)))
	serves(t, "http://"+at+".10:8080/", "200 web")
	testkit.Poll(t, pollFor, func() error {
		if v := webVerdict(n); v != status.Healthy {
			return fmt.Errorf("the target is %v, want healthy", v)
		}
		return nil
	})

	other := []string{"targets: [\"$NET.101:3000\"]", "targets: [\"$NET.102:3000\"]"}
	for name, edits := range map[string][]string{
		"l4 cannot bind":  append([]string{"[$NET.10]}, health", "[$NET.77]}, health"}, other...),
		"l7 cannot bind":  append([]string{"address: $NET.9", "address: $NET.77"}, other...),
		"dns cannot bind": append([]string{"$NET.53:5300", "$NET.78:5300"}, other...),
	} {
		t.Run(name, func(t *testing.T) {
			err := n.Apply(load(t, oneNode(at, edits...)))
			if err == nil || !strings.Contains(err.Error(), "address already in use") {
				t.Fatalf("Apply = %v, want an address in use", err)
			}
			if got, err := fetch("http://" + at + ".10:8080/"); got != "200 web" {
				t.Errorf("the spec before answers %q, %v; want 200 web", got, err)
			}
			if got, err := fetch("http://" + at + ".10:9000/"); got != "200 web" {
				t.Errorf("the spec before answers %q, %v on tcp; want 200 web", got, err)
			}
			if v := webVerdict(n); v != status.Healthy {
				t.Errorf("the target is %v, want its verdict kept", v)
			}
			if g := n.Status().Generation; g != 1 {
				t.Errorf("generation is %d, want 1", g)
			}
		})
	}
}

// TestCheckNamesTheNode proves that a spec in which the node is not is refused
// with the nearest name.
func TestCheckNamesTheNode(t *testing.T) {
	want := load(t, oneNode(network(t)))
	want.Sites[0].Nodes[0].Name = "alls"
	problems := newNode().Check(want)
	if !problems.Fatal() || !strings.Contains(problems.Error(), `no node named "all"; did you mean "alls"?`) {
		t.Errorf("problems are %v, want that the node is missing and the nearest name", problems)
	}
	want.Sites[0].Nodes = nil
	if problems := newNode().Check(want); !strings.Contains(problems.Error(), "sites: the spec has no node; add a site with one") {
		t.Errorf("problems are %v, want that there is no node", problems)
	}
}

// TestCut proves that a node that is cut resets what it has instead of waiting.
func TestCut(t *testing.T) {
	testkit.NoLeaks(t)
	at := network(t)
	mute(t, at)
	n, stop := start(t, load(t, oneNode(at)))
	conns := underWay(t, n, at)
	n.Cut()
	stop()
	areReset(t, conns)
}

// mute is a target of oneNode that accepts and says nothing.
func mute(t *testing.T, at string) {
	t.Helper()
	ln, err := net.Listen("tcp", at+".101:3000")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
}

// underWay opens a connection to each listener of oneNode, and asks for what its
// target does not answer.
func underWay(t *testing.T, n *node.Node, at string) []net.Conn {
	t.Helper()
	var conns []net.Conn
	for _, port := range []string{"8080", "9000"} {
		c, err := net.Dial("tcp", at+".10:"+port)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
	}
	testkit.Poll(t, pollFor, func() error {
		var active int64
		for _, l := range n.Status().Listeners {
			active += l.Active
		}
		if active < 3 { // an l4 flow for each, and a connection at l7
			return fmt.Errorf("%d flows and connections, want 3", active)
		}
		return nil
	})
	return conns
}

func areReset(t *testing.T, conns []net.Conn) {
	t.Helper()
	for _, c := range conns {
		_ = c.SetReadDeadline(time.Now().Add(pollFor))
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("a read gives %v, want a reset", err)
		}
	}
}

// TestHandOver proves that a node that ends for a successor waits for nothing: its
// sockets are reset long before the drain bound.
func TestHandOver(t *testing.T) {
	testkit.NoLeaks(t)
	at := network(t)
	mute(t, at)
	n := newNode()
	if err := n.Apply(load(t, oneNode(at, "drain: 5s", "drain: 1h"))); err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancelCause(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	conns := underWay(t, n, at)
	end(handover.Err)
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("Run: %v", err)
		}
	case <-time.After(pollFor):
		t.Fatal("the node waits, with a successor waiting for it")
	}
	areReset(t, conns)
}

// TestApplyWhileRunning proves that a target that goes takes its requests along
// to the next spec, and that generations count what was applied.
func TestApplyWhileRunning(t *testing.T) {
	at := network(t)
	web(t, at+".101:3000")
	n, _ := start(t, load(t, oneNode(at)))
	serves(t, "http://"+at+".10:8080/", "200 web")
	testkit.Poll(t, pollFor, func() error {
		if v := webVerdict(n); v != status.Healthy {
			return fmt.Errorf("the target is %v, want healthy", v)
		}
		return nil
	})
	if err := n.Apply(load(t, oneNode(at, "[{targetGroups: [web]}]", "[{filters: [{respond: {status: 404, body: no}}]}]"))); err != nil {
		t.Fatal(err)
	}
	if got, err := fetch("http://" + at + ".10:8080/"); got != "404 no" {
		t.Errorf("after Apply the listener answers %q, %v; want 404 no", got, err)
	}
	if g := n.Status().Generation; g != 2 {
		t.Errorf("generation is %d, want 2", g)
	}
	if v := webVerdict(n); v != status.Healthy {
		t.Errorf("the target is %v after Apply, want its verdict kept", v)
	}
}

// TestApplyWhenStopped proves that a node that was told to stop keeps its spec
// and says why.
func TestApplyWhenStopped(t *testing.T) {
	at := network(t)
	want := load(t, oneNode(at))
	n, stop := start(t, want)
	stop()
	err := n.Apply(load(t, oneNode(at, "$NET.101:3000", "$NET.102:3000")))
	if err == nil || !strings.Contains(err.Error(), "takes no other spec") {
		t.Errorf("Apply = %v, want a refusal", err)
	}
	if n.Spec() != want {
		t.Error("its spec is another one now")
	}
}

func webVerdict(n *node.Node) status.Verdict {
	for _, g := range n.Status().Groups {
		if g.Name == "web" {
			return g.Targets[0].Verdict
		}
	}
	return status.Unknown
}
