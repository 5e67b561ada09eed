package docs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"portico/internal/testkit"
	"portico/node"
	"portico/spec"
)

// hang bounds what must happen soon; it is ten times what it takes.
const hang = 30 * time.Second

// TestExamples proves that every example starts as it is: each node of it binds
// its listeners, takes connections there, and stops without leaving anything.
func TestExamples(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join(root, "examples", "*.yaml"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("examples: %v, %v", paths, err)
	}
	for _, p := range paths {
		base := filepath.Base(p)
		t.Run(base, func(t *testing.T) {
			testkit.NoLeaks(t)
			from := source(t, base, relocate(read(t, "examples/"+base)))
			for _, name := range loads(t, from, "") {
				n, _, stop := start(t, from, name)
				listeners := n.Status().Listeners
				if len(listeners) == 0 {
					t.Errorf("node %s has no listener", name)
				}
				for _, l := range listeners {
					connect(t, l.Address.String())
				}
				stop()
			}
		})
	}
}

var address4 = regexp.MustCompile(`\b\d+\.\d+\.\d+\.\d+\b(/\d+)?`)

// relocate moves every address of a spec to one of a random loopback /24, alike
// addresses to the same one. Networks stay.
func relocate(text string) string {
	below := fmt.Sprintf("127.%d.%d.", 16+rand.IntN(230), rand.IntN(256))
	moved := map[string]string{}
	return address4.ReplaceAllStringFunc(text, func(a string) string {
		if strings.Contains(a, "/") {
			return a
		}
		if _, known := moved[a]; !known {
			moved[a] = fmt.Sprint(below, 1+len(moved))
		}
		return moved[a]
	})
}

// start runs one node of a spec. Stop ends it, and fails the test if it does not.
func start(t *testing.T, from spec.Source, name spec.NodeName) (n *node.Node, metrics *prometheus.Registry, stop func()) {
	t.Helper()
	want, report := node.Load([]spec.Source{from}, name)
	if report.Fatal() {
		t.Fatal(written(report))
	}
	metrics = prometheus.NewRegistry()
	n = node.New(node.Options{Name: name, Log: slog.New(slog.DiscardHandler), Metrics: metrics})
	if err := n.Apply(want); err != nil {
		t.Fatalf("node %s: %v", name, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	return n, metrics, func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("node %s stopped: %v", name, err)
			}
		case <-time.After(hang):
			t.Fatalf("node %s did not stop within %v", name, hang)
		}
	}
}

// connect opens a connection and closes it.
func connect(t *testing.T, to string) {
	t.Helper()
	testkit.Poll(t, hang, func() error {
		c, err := net.DialTimeout("tcp", to, time.Second)
		return errors.Join(err, shut(c))
	})
}

func shut(c net.Conn) error {
	if c == nil {
		return nil
	}
	return c.Close()
}
