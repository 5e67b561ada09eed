package demo

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"portico/client"
	"portico/internal/testkit"
	"portico/node"
	"portico/spec"
)

// demoSpec is the spec of the demo, with its keys in a folder.
func demoSpec(t *testing.T) *spec.Spec {
	t.Helper()
	dir := t.TempDir()
	if err := prepare(dir); err != nil {
		t.Fatal(err)
	}
	want, report := node.Load([]spec.Source{{Name: filepath.Join(dir, specFile), Dir: dir, Text: specText}}, "")
	if problems := report.Problems(); len(problems) > 0 {
		t.Fatalf("the demo's spec has problems: %v", problems)
	}
	return want
}

// TestPlan proves that each site has the parts that the demo promises, and that
// they start from the end of the path, so that nothing is probed too early.
func TestPlan(t *testing.T) {
	want := map[string]bool{}
	for _, site := range []string{"east", "west"} {
		for _, p := range []string{
			"dns", "l4", "l7-1", "l7-2", "shop-1", "shop-2", "shop-3", "login-1", "login-2", "cart-1", "cart-2", "echo-1", "echo-2",
		} {
			want[site+"/"+p] = true
		}
	}
	order := map[spec.Role]int{"": 0, spec.RoleL7: 1, spec.RoleL4: 2, spec.RoleDNS: 3}
	last := 0
	for _, p := range plan(demoSpec(t)) {
		if !want[p.name] {
			t.Errorf("part %q is not promised, or twice there", p.name)
		}
		delete(want, p.name)
		var role spec.Role
		if p.is != nil {
			role = p.is.Roles[0]
		}
		if order[role] < last {
			t.Errorf("%s starts after what comes before it on the path", p.name)
		}
		last = order[role]
	}
	if len(want) > 0 {
		t.Errorf("parts are missing: %v", want)
	}
}

// TestKeys proves that the CA vouches for the names of the demo, that only the
// owner may read the keys, and that each start makes new ones.
func TestKeys(t *testing.T) {
	dir := t.TempDir()
	if err := WriteKeys(dir, []string{"www.example.com"}); err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, CertFile), filepath.Join(dir, KeyFile))
	if err != nil {
		t.Fatal(err)
	}
	ca, err := os.ReadFile(filepath.Join(dir, CAFile))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	if _, err := pair.Leaf.Verify(x509.VerifyOptions{DNSName: "www.example.com", Roots: roots}); err != nil {
		t.Errorf("the CA does not vouch for the certificate: %v", err)
	}
	for _, name := range []string{CAFile, CertFile, KeyFile, StickyFile} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v (%v), want 0600", name, info.Mode().Perm(), err)
		}
	}
	before, _ := os.ReadFile(filepath.Join(dir, StickyFile))
	if err := WriteKeys(dir, nil); err != nil {
		t.Fatal(err)
	}
	if after, _ := os.ReadFile(filepath.Join(dir, StickyFile)); bytes.Equal(before, after) {
		t.Error("the key of sticky cookies is the same after another start")
	}
}

// TestEvents proves that warnings are shown as lines with their node, and that
// everything goes to the log.
func TestEvents(t *testing.T) {
	var screen, file bytes.Buffer
	log := slog.New(newEvents(&screen, slog.NewTextHandler(&file, nil)))
	log.With("node", "east-l4").With("tier", "l4").Warn("target is unhealthy", "target", "shop-1")
	log.WithGroup("g").Info("quiet")
	if got := screen.String(); !strings.Contains(got, "east-l4") || !strings.Contains(got, "target is unhealthy  target=shop-1\n") || strings.Contains(got, "quiet") {
		t.Errorf("the screen shows %q, want one line, of the warning", got)
	}
	if got := file.String(); strings.Count(got, "\n") != 2 || !strings.Contains(got, "tier=l4") {
		t.Errorf("the log holds %q, want both events whole", got)
	}
}

// TestDrills proves, on other addresses than the demo's own, so that it may run
// beside one, that killing and healing do
// each part once, that a spec is applied to all nodes or none, and that nothing
// is left after Stop.
func TestDrills(t *testing.T) {
	testkit.NoLeaks(t)
	net := fmt.Sprintf("127.%d.", 16+rand.IntN(230))
	text := bytes.ReplaceAll(bytes.ReplaceAll(specText, []byte("127.0.1."), []byte(net+"1.")), []byte("127.0.2."), []byte(net+"2."))
	d, err := start(Options{Dir: t.TempDir(), Events: io.Discard}, text)
	if err != nil {
		t.Fatal(err)
	}
	stopped := false
	defer func() {
		if !stopped {
			_ = d.Stop()
		}
	}()
	step := func(do func(string) (string, error), part, want string) {
		t.Helper()
		if got, err := do(part); err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", part, got, err, want)
		}
	}
	step(d.Kill, "east/shop-2", "killed east/shop-2")
	step(d.Kill, "east/shop-2", "east/shop-2 was killed already")
	step(d.Kill, "east-l7-1", "killed east/l7-1")
	step(d.Heal, "east/shop-2", "healed east/shop-2")
	for _, n := range d.Status() {
		if killed := n.State == "killed"; killed != (n.Name == "east-l7-1") {
			t.Errorf("node %s is %s", n.Name, n.State)
		}
	}
	if _, err := d.Kill("nothing"); err == nil || !strings.Contains(err.Error(), `"nothing"`) {
		t.Errorf("killing nothing: %v, want an error with the name", err)
	}
	bad := []spec.Source{{Name: "x", Dir: d.dir, Text: []byte("portico: v2")}}
	if _, err := d.Apply(bad); err == nil {
		t.Error("a spec with a problem was applied")
	} else if refused, ok := errors.AsType[*client.Error](err); !ok || len(refused.Problems) == 0 {
		t.Errorf("a spec with a problem: %v, want its problems", err)
	}
	if a, err := d.Apply([]spec.Source{{Name: "x", Dir: d.dir, Text: text}}); err != nil || a.Generation != 2 {
		t.Errorf("Apply = %+v, %v; want generation 2", a, err)
	}
	if families, err := d.Gather(); err != nil || len(families) == 0 {
		t.Errorf("%d metrics, %v", len(families), err)
	}
	stopped = true
	if err := d.Stop(); err != nil {
		t.Error(err)
	}
}

// TestIsName proves which name servers are known as the demo's.
func TestIsName(t *testing.T) {
	for addr, want := range map[string]bool{"127.0.1.53:5300": true, "127.0.2.53:5300": true, "127.0.1.53:53": false, "192.0.2.1:5300": false} {
		if got := IsName(netip.MustParseAddrPort(addr)); got != want {
			t.Errorf("IsName(%s) = %v, want %v", addr, got, want)
		}
	}
}
