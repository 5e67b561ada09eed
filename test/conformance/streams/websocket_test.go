package streams

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"portico/internal/testkit"
	"portico/test/bed"
)

func TestMain(m *testing.M) { os.Exit(bed.Main(m)) }

const (
	// suite is the name of the cases on the page of scores.
	suite = "WebSocket (ws)"
	// hang bounds what must happen soon; it is ten times what it takes.
	hang = 2 * time.Minute
)

// TestWebSocket proves that a client and a server of npm's ws have the same
// conversation through Portico as without it, plain and over TLS.
func TestWebSocket(t *testing.T) {
	bed.Suite(t)
	s := newSockets(t)
	s.bed.Portico(s.bed.Write("testdata/portico.yaml"), s.bed.Addr("10:8001"), "--admin", "off")
	good, all := s.play(t, t.Errorf)
	bed.Publish(t, bed.Score{Suite: suite, Portico: fmt.Sprintf("%d/%d", good, all)})
}

// TestPeersWebSocket plays the cases to nginx and HAProxy.
func TestPeersWebSocket(t *testing.T) {
	bed.Suite(t)
	score := bed.Score{Suite: suite}
	s := newSockets(t)
	s.bed.NGINX(s.bed.Write("testdata/nginx.conf"), s.bed.Addr("10:8001"))
	good, all := s.play(t, t.Logf)
	score.NGINX = fmt.Sprintf("%d/%d", good, all)
	s = newSockets(t)
	s.bed.HAProxy(s.bed.Write("testdata/haproxy.cfg"), s.bed.Addr("10:8001"))
	good, all = s.play(t, t.Logf)
	score.HAProxy = fmt.Sprintf("%d/%d", good, all)
	bed.Publish(t, score)
}

// sockets is a bed with the server of ws.
type sockets struct {
	bed *bed.Bed
	ca  string // file of the authority
}

func newSockets(t *testing.T) *sockets {
	t.Helper()
	node, npm := bed.Need(t, "node"), bed.Need(t, "npm")
	b := bed.New(t)
	for _, name := range []string{"package.json", "package-lock.json", "server.js", "client.js"} {
		b.Write(filepath.Join("testdata", name))
	}
	ctx, cancel := context.WithTimeout(t.Context(), hang)
	defer cancel()
	install := exec.CommandContext(ctx, npm, "ci", "--prefer-offline", "--no-audit", "--no-fund")
	install.Dir = b.Dir
	if out, err := install.CombinedOutput(); err != nil {
		bed.Skip(t, fmt.Sprintf("npm ci: %v: %s", err, out))
	}
	ca := b.Keys("streams.example")
	b.Start("server.js", b.Addr("51:8000"), node, "server.js", b.Net+".51", "8000")
	return &sockets{bed: b, ca: ca}
}

// play runs the client plain and over TLS, says what failed, and counts.
func (s *sockets) play(t *testing.T, say func(string, ...any)) (good, all int) {
	t.Helper()
	for _, args := range [][]string{
		{"ws://" + s.bed.Addr("10:8001")},
		{"wss://" + s.bed.Addr("10:8441"), s.ca},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), hang)
		client := exec.CommandContext(ctx, bed.Need(t, "node"), append([]string{"client.js"}, args...)...)
		client.Dir = s.bed.Dir
		out, err := client.CombinedOutput()
		cancel()
		if err != nil {
			say("%s: %v: %s", args[0], err, out)
		}
		for line := range strings.Lines(string(out)) {
			if all++; strings.HasPrefix(line, "ok ") {
				good++
				continue
			}
			say("%s: %s", args[0], strings.TrimSpace(line))
		}
	}
	return good, all
}

// TestEvents proves that each server-sent event reaches the client before the next
// is sent, that they go on for longer than a pause, and that the target is told
// when the client leaves; plain and over TLS.
func TestEvents(t *testing.T) {
	b := bed.New(t)
	ca := b.Keys("streams.example")
	next, left := newEvents(t, b.Addr("52:8000"))
	b.Portico(b.Write("testdata/portico.yaml"), b.Addr("10:8001"), "--admin", "off")
	for _, url := range []string{"http://" + b.Addr("10:8001"), "https://" + b.Addr("10:8441")} {
		t.Run(url[:5], func(t *testing.T) {
			stream := openEvents(t, url+"/events", ca)
			for i := range 20 {
				text := fmt.Sprintf("event %d", i)
				next <- text
				if got := stream.read(t); got != "data: "+text {
					t.Fatalf("read %q, want %q", got, text)
				}
			}
			stream.leave()
			testkit.Poll(t, hang, func() error {
				select {
				case <-left:
					return nil
				case next <- "anybody there":
					return fmt.Errorf("the target still sends")
				default:
					return fmt.Errorf("the target was not told")
				}
			})
		})
	}
}
