package bed_test

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"portico/test/bed"
)

func TestMain(m *testing.M) { os.Exit(bed.Main(m)) }

// TestPortico proves that a node starts with addresses of its own, tells what it
// printed, and ends when it is asked to.
func TestPortico(t *testing.T) {
	b := bed.New(t)
	b.Keys("a.example")
	spec := b.Write("testdata/portico.yaml", "$STATUS", "204")
	text, err := os.ReadFile(spec)
	if err != nil || !strings.Contains(string(text), b.Addr("10")) || !strings.Contains(string(text), "status: 204") {
		t.Fatalf("the spec is %q, %v", text, err)
	}
	p := b.Portico(spec, b.Addr("10:8001"), "--admin", "off", "--log-level", "info")
	if p.Ended() || p.PID() <= 0 {
		t.Errorf("it ended: %v, process %d", p.Ended(), p.PID())
	}
	if err := p.Terminate(); err != nil {
		t.Error(err)
	}
	if !p.Ended() || p.Err.String() == "" {
		t.Errorf("it ended: %v, and said %q", p.Ended(), p.Err)
	}
}

// TestBedsDiffer proves that two beds share neither addresses nor folders.
func TestBedsDiffer(t *testing.T) {
	a, b := bed.New(t), bed.New(t)
	if a.Dir == b.Dir || a.Addr("1:80") == b.Addr("1:80") {
		t.Errorf("%s and %s, %s and %s", a.Dir, b.Dir, a.Net, b.Net)
	}
}

// TestKeys proves that a bed's keys are where configurations look for them.
func TestKeys(t *testing.T) {
	b := bed.New(t)
	ca := b.Keys("a.example")
	for _, path := range []string{ca, filepath.Join(b.Dir, "cert.pem"), filepath.Join(b.Dir, "key.pem"), filepath.Join(b.Dir, "both.pem")} {
		if text, err := os.ReadFile(path); err != nil || !strings.HasPrefix(string(text), "-----BEGIN ") {
			t.Errorf("%s: %.20q, %v", path, text, err)
		}
	}
}

// TestOutput proves that lines are whole ones, however they were written.
func TestOutput(t *testing.T) {
	var o bed.Output
	if got := o.Lines(); len(got) != 0 {
		t.Errorf("lines of nothing are %q", got)
	}
	for _, piece := range []string{"one\ntw", "o\n", "thr"} {
		_, _ = o.Write([]byte(piece))
	}
	if got, want := o.Lines(), []string{"one", "two"}; !slices.Equal(got, want) {
		t.Errorf("lines are %q, want %q", got, want)
	}
	if got := o.String(); got != "one\ntwo\nthr" {
		t.Errorf("all is %q", got)
	}
}

// TestPublish proves that the page is held to Portico's score alone, and written
// where that is asked for.
func TestPublish(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	const page = "docs/reference/conformance.md"
	if err := os.MkdirAll(filepath.Dir(page), 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(path, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("go.mod", "module x\n")
	const head = "| suite | Portico | nginx | HAProxy |\n|---|---|---|---|\n"
	write(page, head+"| a b | 1/2 | 1/2 | 2/2 |\n")
	tests := []struct {
		name  string
		mode  string
		score bed.Score
		fails bool
		want  string // the row then
	}{
		{"as it says", "", bed.Score{Suite: "a b", Portico: "1/2", NGINX: "1/2", HAProxy: "2/2"}, false, "| a b | 1/2 | 1/2 | 2/2 |"},
		{"a peer differs", "", bed.Score{Suite: "a b", NGINX: "2/2"}, false, "| a b | 1/2 | 1/2 | 2/2 |"},
		{"Portico differs", "", bed.Score{Suite: "a b", Portico: "2/2"}, true, "| a b | 1/2 | 1/2 | 2/2 |"},
		{"no such row", "", bed.Score{Suite: "c", Portico: "2/2"}, true, "| a b | 1/2 | 1/2 | 2/2 |"},
		{"written", "write", bed.Score{Suite: "a b", Portico: "2/2"}, false, "| a b | 2/2 | 1/2 | 2/2 |"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("PORTICO_SCORES", tt.mode)
			r := &recorder{TB: t}
			var done sync.WaitGroup
			done.Go(func() { bed.Publish(r, tt.score) })
			done.Wait()
			text, err := os.ReadFile(page)
			if r.failed != tt.fails || err != nil || !strings.Contains(string(text), tt.want) {
				t.Errorf("failed: %v, want %v; the page is %q, %v", r.failed, tt.fails, text, err)
			}
		})
	}
}

// recorder is a test whose failure is looked at. A fatal one ends its goroutine.
type recorder struct {
	testing.TB
	failed bool
}

func (r *recorder) Errorf(string, ...any) { r.failed = true }

func (r *recorder) Fatalf(string, ...any) {
	r.failed = true
	runtime.Goexit()
}
