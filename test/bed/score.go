package bed

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	// page holds the scores, for people.
	page = "docs/reference/conformance.md"
	// writes makes the tests put what they found into the page.
	writes = "PORTICO_SCORES"
)

// Score is what Portico and its peers reached in one suite; a cell is empty where
// one did not run.
type Score struct {
	Suite                   string
	Portico, NGINX, HAProxy string
}

// Publish compares Portico's score with what the page of scores says, and fails
// the test where the page is wrong. The scores of peers depend on their versions:
// those that differ are only said. Where PORTICO_SCORES is "write" the page is
// made right instead.
func Publish(tb testing.TB, s Score) {
	tb.Helper()
	names := []string{"suite", "portico", "nginx", "haproxy"}
	found := []string{s.Suite, s.Portico, s.NGINX, s.HAProxy}
	for j := 1; j < len(found); j++ {
		if found[j] != "" {
			tb.Logf("%s: %s has %s", s.Suite, names[j], found[j])
		}
	}
	path := filepath.Join(root(tb), page)
	text, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	i := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, "| "+s.Suite+" |") })
	if i < 0 {
		tb.Fatalf("%s has no row that begins with %q", page, s.Suite)
	}
	row := strings.Split(strings.Trim(lines[i], "| "), "|")
	for j := range row {
		row[j] = strings.TrimSpace(row[j])
	}
	if len(row) != len(found) {
		tb.Fatalf("%s:%d: %d cells, want %d", page, i+1, len(row), len(found))
	}
	if os.Getenv(writes) == "write" {
		for j := range found {
			if found[j] == "" {
				found[j] = row[j]
			}
		}
		lines[i] = "| " + strings.Join(found, " | ") + " |"
		if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
			tb.Fatal(err)
		}
		return
	}
	for j := 1; j < len(found); j++ {
		switch {
		case found[j] == "" || found[j] == row[j]:
		case j == 1:
			tb.Errorf("%s:%d: says that Portico has %q in %s; it has %q now", page, i+1, row[j], s.Suite, found[j])
		default:
			tb.Logf("%s:%d: says that %s has %q; here it has %q", page, i+1, names[j], row[j], found[j])
		}
	}
}

// root is the top of the tree: the folder with go.mod above this package's.
func root(tb testing.TB) string {
	tb.Helper()
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	for dir != filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		dir = filepath.Dir(dir)
	}
	tb.Fatal("no go.mod above the test's folder")
	return ""
}
