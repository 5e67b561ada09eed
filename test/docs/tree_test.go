package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// root is the top of the tree, from this folder.
const root = "../.."

// page is one Markdown file that tells people what to type.
type page struct {
	path  string // from the root
	lines []string
}

// pages reads README.md and everything below docs.
func pages(t *testing.T) []page {
	t.Helper()
	paths := []string{"README.md"}
	err := fs.WalkDir(os.DirFS(root), "docs", func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && filepath.Ext(p) == ".md" {
			paths = append(paths, p)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var all []page
	for _, p := range paths {
		all = append(all, page{p, strings.Split(read(t, p), "\n")})
	}
	return all
}

// read returns the text of a file, by its path from the root.
func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// cells splits a line of a table; nil means that it is none, or its ruler.
func cells(line string) []string {
	if !strings.HasPrefix(line, "|") || strings.Trim(line, "|-: ") == "" {
		return nil
	}
	row := strings.Split(strings.Trim(line, "|"), "|")
	for i := range row {
		row[i] = strings.TrimSpace(row[i])
	}
	return row
}

// quoted lists what stands in backquotes.
func quoted(text string) []string {
	var words []string
	for i, part := range strings.Split(text, "`") {
		if i%2 == 1 {
			words = append(words, part)
		}
	}
	return words
}

// TestCells proves that tables are read as they are written.
func TestCells(t *testing.T) {
	tests := []struct {
		line string
		want []string
	}{
		{"| `a` | b, `c` | |", []string{"`a`", "b, `c`", ""}},
		{"|---|:-:|", nil},
		{"no table", nil},
		{"", nil},
	}
	for _, tt := range tests {
		if got := cells(tt.line); !slices.Equal(got, tt.want) {
			t.Errorf("cells(%q) = %q, want %q", tt.line, got, tt.want)
		}
	}
	if got := quoted("`a`, b and `c d`"); !slices.Equal(got, []string{"a", "c d"}) {
		t.Errorf("quoted = %q, want a and c d", got)
	}
}
