package framing

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"portico/test/bed"
)

func TestMain(m *testing.M) { os.Exit(bed.Main(m)) }

// suite is the name of the scripts on the page of scores.
const suite = "varnishtest scripts"

// suiteStreams is that of the scripts of HTTP/2.
const suiteStreams = "varnishtest scripts of HTTP/2"

// least is how many scripts there are at least.
const least = 25

// TestScripts proves that Portico passes every script.
func TestScripts(t *testing.T) {
	bed.Suite(t)
	b := bed.New(t)
	b.Portico(b.Write("testdata/portico.yaml"), b.Addr("10:8001"), "--admin", "off")
	names := scripts(t, "")
	if len(names) < least {
		t.Fatalf("%d scripts, want %d or more", len(names), least)
	}
	bed.Publish(t, bed.Score{Suite: suite, Portico: passed(t, b, names)})
}

// TestStreamScripts proves that Portico passes every script of HTTP/2, the last while
// it stops. Peers answer some of these as rightly in another way, and do not play them.
func TestStreamScripts(t *testing.T) {
	bed.Suite(t)
	b := bed.New(t)
	p := b.Portico(b.Write("testdata/portico.yaml"), b.Addr("10:8001"), "--admin", "off")
	names := append(scripts(t, "http2/"), scripts(t, "drain/")...)
	score := passed(t, b, names, "-D", fmt.Sprint("pid=", p.PID()))
	bed.Publish(t, bed.Score{Suite: suiteStreams, Portico: score})
}

// passed plays scripts and says how many of them passed.
func passed(t *testing.T, b *bed.Bed, names []string, more ...string) string {
	t.Helper()
	good := 0
	for _, name := range names {
		if t.Run(name, func(t *testing.T) {
			if out, err := play(t, b, name, hang, more...); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		}) {
			good++
		}
	}
	return fmt.Sprintf("%d/%d", good, len(names))
}

// TestPeersScripts plays the scripts to nginx and HAProxy, and says which they do
// not pass. It proves nothing of Portico.
func TestPeersScripts(t *testing.T) {
	bed.Suite(t)
	score := bed.Score{Suite: suite}
	t.Cleanup(func() { bed.Publish(t, score) })
	names := scripts(t, "")
	for _, peer := range []struct {
		name string
		cell *string
		run  func(*bed.Bed)
	}{
		{"nginx", &score.NGINX, func(b *bed.Bed) { b.NGINX(b.Write("testdata/nginx.conf"), b.Addr("10:8001")) }},
		{"haproxy", &score.HAProxy, func(b *bed.Bed) { b.HAProxy(b.Write("testdata/haproxy.cfg"), b.Addr("10:8001")) }},
	} {
		t.Run(peer.name, func(t *testing.T) {
			t.Parallel()
			bed.Need(t, "varnishtest")
			b := bed.New(t)
			peer.run(b)
			good := 0
			for _, name := range names {
				if out, err := play(t, b, name, patience); err != nil {
					t.Logf("%s: %s", name, complaint(out))
				} else {
					good++
				}
			}
			*peer.cell = fmt.Sprintf("%d/%d", good, len(names))
		})
	}
}

// scripts are the names of all scripts of a folder.
func scripts(t *testing.T, folder string) (names []string) {
	t.Helper()
	paths, err := filepath.Glob("testdata/" + folder + "*.vtc")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no scripts in %q, %v", folder, err)
	}
	for _, p := range paths {
		names = append(names, folder+strings.TrimSuffix(filepath.Base(p), ".vtc"))
	}
	return names
}

const (
	// hang is how long a script may take; it is ten times what the longest takes.
	hang = 20 * time.Second
	// patience is how long one of a peer may, which need not pass it.
	patience = 4 * time.Second
)

// play runs one script and returns what varnishtest printed.
func play(t *testing.T, b *bed.Bed, name string, bound time.Duration, more ...string) ([]byte, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*bound)
	defer cancel()
	at := func(host string) string { return strings.Replace(b.Addr(host), ":", " ", 1) }
	args := append([]string{
		"-v", "-b", "64m", "-t", fmt.Sprint(int(bound.Seconds())),
		"-D", "front=" + at("10:8001"), "-D", "hasty=" + at("10:8002"), "-D", "aged=" + at("10:8003"),
		"-D", "s1=" + at("51:8000"), "-D", "s2=" + at("52:8000"), "-D", "s3=" + at("54:8000"),
	}, more...)
	return exec.CommandContext(ctx, bed.Need(t, "varnishtest"), append(args, filepath.Join("testdata", name+".vtc"))...).CombinedOutput()
}

// complaint is the line in which varnishtest says what it expected.
func complaint(out []byte) string {
	for line := range bytes.Lines(out) {
		if bytes.HasPrefix(line, []byte("----")) {
			return string(bytes.TrimSpace(line))
		}
	}
	return "no complaint"
}
