package docs

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"portico/config"
	"portico/internal/tidy"
	"portico/node"
	"portico/spec"
)

// TestSpecs proves that every spec a document shows can be applied, by each of
// its nodes. A fragment must be made of keys and values that exist.
func TestSpecs(t *testing.T) {
	whole := 0
	for _, below := range []string{"README.md", "docs"} {
		fences, err := tidy.Fences(os.DirFS(root), below, "yaml")
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range fences {
			if !strings.HasPrefix(f.Text, "portico:") {
				decodes(t, f)
				continue
			}
			whole++
			for _, name := range append(loads(t, source(t, f.Path, f.Text), ""), "") {
				loads(t, source(t, f.Path, f.Text), name)
			}
		}
	}
	if whole == 0 {
		t.Error("no document shows a spec; are fences found?")
	}
}

// source is text as if it stood in a file of the examples, whose keys it may name.
func source(t *testing.T, name, text string) spec.Source {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join(root, "examples"))
	if err != nil {
		t.Fatal(err)
	}
	return spec.Source{Name: filepath.Join(dir, filepath.Base(name)), Dir: dir, Text: []byte(text)}
}

// loads reads a spec as the named node and returns the nodes it has.
func loads(t *testing.T, from spec.Source, name spec.NodeName) []spec.NodeName {
	t.Helper()
	want, report := node.Load([]spec.Source{from}, name)
	if report.Fatal() {
		t.Errorf("as node %q:\n%s", name, written(report))
		return nil
	}
	var names []spec.NodeName
	for _, s := range want.Sites {
		for _, n := range s.Nodes {
			names = append(names, n.Name)
		}
	}
	return names
}

// decodes reads a fragment, which may refer to what it does not show.
func decodes(t *testing.T, f tidy.Fence) {
	t.Helper()
	if _, report := config.Load([]spec.Source{source(t, f.Path, "portico: v1\n"+f.Text)}, node.Kinds()); report.Fatal() {
		t.Errorf("%s:%d: a fragment that does not decode:\n%s", f.Path, f.Line, written(report))
	}
}

func written(report *config.Report) string {
	var b bytes.Buffer
	_ = report.Write(&b) // a buffer takes everything
	return b.String()
}
