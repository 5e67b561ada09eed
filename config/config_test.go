package config_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"portico/config"
	"portico/spec"
	"portico/spec/check"
)

var update = flag.Bool("update", false, "rewrite the messages expected of bad files")

// loaded reads a file or a folder the way a node does: decoded, then checked.
func loaded(t *testing.T, path string) (*spec.Spec, *config.Report) {
	t.Helper()
	t.Setenv("PORTICO_TEST_SHORT", "short")
	sources, err := config.ReadPath(path)
	if err != nil {
		t.Fatal(err)
	}
	s, report := config.Load(sources, kinds())
	if s != nil {
		report.Add(check.Spec(s))
	}
	return s, report
}

func written(t *testing.T, report *config.Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := report.Write(&b); err != nil {
		t.Fatal(err)
	}
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(b.String(), wd+string(filepath.Separator), "")
}

func good(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob("testdata/*.good.*")
	if err != nil || len(names) == 0 {
		t.Fatalf("no good files: %v", err)
	}
	return names
}

// Good files have no problem at all.
func TestGood(t *testing.T) {
	for _, name := range good(t) {
		t.Run(filepath.Base(name), func(t *testing.T) {
			if _, report := loaded(t, name); len(report.Problems()) > 0 {
				t.Error(written(t, report))
			}
		})
	}
}

// Bad files, and folders of them, have exactly the problems that are written in
// the .txt beside them.
func TestBad(t *testing.T) {
	names, err := filepath.Glob("testdata/*.bad*")
	if err != nil {
		t.Fatal(err)
	}
	cases := 0
	for _, name := range names {
		if strings.HasSuffix(name, ".txt") {
			continue
		}
		cases++
		t.Run(filepath.Base(name), func(t *testing.T) {
			_, report := loaded(t, name)
			got := written(t, report)
			golden := name[:strings.Index(name, ".bad")] + ".bad.txt"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got:\n%s\nwant:\n%s\n(-update rewrites it)", got, want)
			}
		})
	}
	if cases < 25 {
		t.Errorf("only %d bad files", cases)
	}
}
