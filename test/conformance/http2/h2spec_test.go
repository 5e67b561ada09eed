package http2

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"portico/demo/app"
	"portico/test/bed"
)

func TestMain(m *testing.M) { os.Exit(bed.Main(m)) }

const (
	// hang bounds one run of h2spec; it is far more than one takes.
	hang = 3 * time.Minute
	// waitOurs and waitPeers are for how many seconds h2spec waits for what should
	// come. Peers that do otherwise make it wait often.
	waitOurs, waitPeers = 5, 1
)

// runs are the two ways to speak HTTP/2; suite is the name on the page of scores.
// Otherwise is what Portico does in its own way.
var runs = []struct {
	suite     string
	host      string
	flags     []string
	otherwise string
}{
	{"h2spec over TLS", "10:8441", []string{"-t", "-k"}, ""},
	// The listener speaks HTTP/1.1 too: what is neither gets 400, and the end.
	{"h2spec in plain text", "10:8001", nil, "Sends invalid connection preface"},
}

// TestH2Spec proves that Portico passes h2spec, over TLS and in plain text.
func TestH2Spec(t *testing.T) {
	bed.Suite(t)
	b := newBed(t)
	b.Portico(b.Write("testdata/portico.yaml"), b.Addr("10:8001"), "--admin", "off")
	bed.NeedHTTP2(t, b.Addr("10:8001"))
	h2spec := b.Program("github.com/summerwind/h2spec/cmd/h2spec")
	for _, r := range runs {
		passed, failures := run(t, h2spec, b.Addr(r.host), waitOurs, r.flags)
		if failures != "" && (r.otherwise == "" || strings.Count(failures, "×") > 1 || !strings.Contains(failures, r.otherwise)) {
			t.Errorf("%s:\n%s", r.suite, failures)
		}
		bed.Publish(t, bed.Score{Suite: r.suite, Portico: passed})
	}
}

// TestPeersH2Spec runs h2spec against nginx and HAProxy.
func TestPeersH2Spec(t *testing.T) {
	bed.Suite(t)
	scores := make([]bed.Score, len(runs))
	for _, peer := range []struct {
		start func(*bed.Bed)
		cell  func(*bed.Score) *string
	}{
		{func(b *bed.Bed) { b.NGINX(b.Write("testdata/nginx.conf"), b.Addr("10:8001")) }, func(s *bed.Score) *string { return &s.NGINX }},
		{func(b *bed.Bed) { b.HAProxy(b.Write("testdata/haproxy.cfg"), b.Addr("10:8001")) }, func(s *bed.Score) *string { return &s.HAProxy }},
	} {
		b := newBed(t)
		peer.start(b)
		h2spec := b.Program("github.com/summerwind/h2spec/cmd/h2spec")
		for i, r := range runs {
			scores[i].Suite = r.suite
			passed, failures := run(t, h2spec, b.Addr(r.host), waitPeers, r.flags)
			*peer.cell(&scores[i]) = passed
			if failures != "" {
				t.Logf("%s: %s", r.suite, failures)
			}
		}
	}
	for _, s := range scores {
		bed.Publish(t, s)
	}
}

// newBed is a bed with keys and a target.
func newBed(t *testing.T) *bed.Bed {
	t.Helper()
	b := bed.New(t)
	b.Keys("http2.example")
	target, err := app.HTTP("web", b.Addr("51:8000"), app.Named("a target that says enough to be cut into pieces"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(target.Cut)
	return b
}

var summary = regexp.MustCompile(`(?m)^(\d+) tests, (\d+) passed, (\d+) skipped, (\d+) failed`)

// run returns how many of the tests an address passes, and what h2spec says of the
// others, when it waits so many seconds for each.
func run(t *testing.T, h2spec, address string, wait int, flags []string) (passed, failures string) {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), hang)
	defer cancel()
	out, err := exec.CommandContext(ctx, h2spec, append([]string{"-h", host, "-p", port, "-o", strconv.Itoa(wait)}, flags...)...).CombinedOutput()
	found := summary.FindSubmatch(out)
	if found == nil {
		t.Fatalf("h2spec: %v: %s", err, out)
	}
	passed = fmt.Sprintf("%s/%s", found[2], found[1])
	if _, after, ok := strings.Cut(string(out), "Failures:"); ok {
		failures = after
	}
	return passed, failures
}
