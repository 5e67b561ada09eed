package soak

import (
	"context"
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"portico/internal/testkit"
	"portico/test/bed"
)

func TestMain(m *testing.M) { os.Exit(bed.Main(m)) }

const (
	// hang bounds what must happen soon; it is ten times what it takes.
	hang = 30 * time.Second
	// usual is how long the soak lasts without SOAK.
	usual = 4 * time.Second
	// hup asks a process to read its spec again.
	hup = syscall.SIGHUP
)

// soak is one run.
type soak struct {
	t       *testing.T
	bed     *bed.Bed
	portico *bed.Process
	admin   string
	log     *lines
	targets *targets
	secure  *tls.Config
	seed    uint64
	tallies map[string]*tally // by listener
	begun   uint64            // clients so far
}

// ports are those of the listeners.
var ports = map[string]string{"calm": "8001", "calm-tls": "8441", "rough": "8002", "rough-tls": "8442", "passing": "8003"}

// TestSoak proves that after a time of misuse nothing is left of it: goroutines,
// files and memory are what they were after the first part of it, nothing is in
// flight, and what Portico counted is what it logged and what the clients saw.
func TestSoak(t *testing.T) {
	if testing.Short() {
		t.Skip("a soak takes its time; run without -short")
	}
	span := usual
	if text := os.Getenv("SOAK"); text != "" {
		var err error
		if span, err = time.ParseDuration(text); err != nil {
			t.Fatalf("SOAK: %v", err)
		}
	}
	s := start(t)
	s.load(span / 4) // until every pool and buffer was used
	before := s.calm()
	s.load(span - span/4)
	after := s.calm()
	s.counts(after)
	s.leaks(before, after)
	if err := s.portico.Terminate(); err != nil {
		t.Error(err)
	}
}

// start starts targets and Portico, and waits until every listener is there.
func start(t *testing.T) *soak {
	t.Helper()
	b := bed.New(t)
	s := &soak{
		t: t, bed: b, admin: b.Addr("9:9900"), log: &lines{counts: map[string]int64{}},
		tallies: map[string]*tally{}, seed: rand.Uint64(),
	}
	t.Logf("the clients' draws begin with %d", s.seed)
	for name := range ports {
		s.tallies[name] = &tally{generations: map[string]bool{}}
	}
	ca := testkit.NewCA(t)
	s.secure = &tls.Config{RootCAs: ca.Pool(), ServerName: "soak.example", NextProtos: []string{"http/1.1"}}
	certificate, key := ca.IssueFiles(t, "soak.example")
	for from, to := range map[string]string{certificate: "cert.pem", key: "key.pem"} {
		if err := os.Rename(from, filepath.Join(b.Dir, to)); err != nil {
			t.Fatal(err)
		}
	}
	s.targets = newTargets(t, b)
	b.Stdout = s.log
	args := []string{"--admin", s.admin, "--log-level", "error"}
	if driver := os.Getenv("DRIVER"); driver != "" {
		args = append(args, "--driver", driver)
	}
	s.portico = b.Portico(write(b, 0, "round-robin"), b.Addr("10:8001"), args...)
	s.listens()
	return s
}

// listens waits until every listener of the first spec takes connections: Portico
// binds one after the other.
func (s *soak) listens() {
	s.t.Helper()
	for name, port := range ports {
		if name == "passing" {
			continue
		}
		testkit.Poll(s.t, hang, func() error {
			c, err := net.DialTimeout("tcp", s.bed.Addr("10:"+port), time.Second)
			if err != nil {
				return err
			}
			return c.Close()
		})
	}
}

// load lets clients, targets and specs do their worst for a while.
func (s *soak) load(span time.Duration) {
	ctx, cancel := context.WithTimeout(s.t.Context(), span)
	defer cancel()
	var clients, others sync.WaitGroup
	var died, reloaded int
	others.Go(func() { died = s.targets.flap(ctx.Done()) })
	others.Go(func() { reloaded = reload(s.t, s.bed, s.portico, ctx.Done()) })
	for _, k := range kinds {
		for range k.clients {
			s.begun++
			u := &user{
				ctx: ctx, rnd: rand.New(rand.NewPCG(s.seed, s.begun)), name: k.name,
				addr: s.bed.Addr("10:" + ports[k.listener]), tally: s.tallies[k.listener],
				absent: k.listener == "passing",
			}
			if k.listener == "calm-tls" || k.listener == "rough-tls" {
				u.secure = s.secure
			}
			clients.Go(func() { u.live(k.do) })
		}
	}
	clients.Wait()
	cancel()
	others.Wait()
	s.t.Logf("in %v targets died %d times, and %d specs were applied", span, died, reloaded)
}

// calm ends the targets' connections, and waits until nothing is in flight any
// more and the garbage of the load was collected. It returns the figures of then.
func (s *soak) calm() (f figures) {
	s.t.Helper()
	for i := range s.targets.up {
		s.targets.cut(i)
		s.targets.start(i)
	}
	const collections = "go_gc_duration_seconds_count"
	collected := -1.0
	testkit.Poll(s.t, hang, func() (err error) {
		if f, err = scrape(s.admin); err != nil {
			return err
		}
		for _, gauge := range []string{
			"portico_l7_requests_active", "portico_l7_connections",
			"portico_l7_target_connections_idle", "portico_target_active",
		} {
			if n := f.sum(gauge); n != 0 {
				return fmt.Errorf("%s is %v, want 0", gauge, n)
			}
		}
		// Scraping makes garbage enough: two collections later the figures are of
		// what is held.
		if collected < 0 {
			collected = f[collections]
		}
		if n := f[collections] - collected; n < 2 {
			return fmt.Errorf("%v garbage collections since the load ended, want 2", n)
		}
		return nil
	})
	return f
}
