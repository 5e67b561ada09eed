package docs

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"portico/internal/tidy"
	"portico/node"
)

// TestKindsAreTold proves that everything that can be chosen by name in a spec
// is on the features page and in a guide.
func TestKindsAreTold(t *testing.T) {
	var guides strings.Builder
	for _, p := range pages(t) {
		if strings.HasPrefix(p.path, "docs/guide/") {
			guides.WriteString(strings.Join(p.lines, "\n"))
		}
	}
	features := read(t, "docs/reference/features.md")
	for of, kinds := range node.Kinds() {
		for _, k := range kinds {
			if !strings.Contains(features, "`"+k.Name+"`") {
				t.Errorf("docs/reference/features.md does not tell of the %s `%s`", of, k.Name)
			}
			if !strings.Contains(guides.String(), "`"+k.Name) {
				t.Errorf("no guide tells of the %s `%s`", of, k.Name)
			}
		}
	}
}

// TestKindsAreShown proves that a guide has an example of everything that can be chosen
// by name, in a spec that TestSpecs reads.
func TestKindsAreShown(t *testing.T) {
	fences, err := tidy.Fences(os.DirFS(root), "docs/guide", "yaml")
	if err != nil {
		t.Fatal(err)
	}
	var shown strings.Builder
	for _, f := range fences {
		shown.WriteString(f.Text)
	}
	for of, kinds := range node.Kinds() {
		for _, k := range kinds {
			// A filter is a key in a list; of the others one is chosen.
			as := `(?m)\b%[1]s:\s*\{?\s*%[2]s(?:[:,}\]\s]|$)`
			if of == "filter" {
				as = `[-{\[]\s*%[2]s:`
			}
			if !regexp.MustCompile(fmt.Sprintf(as, of, regexp.QuoteMeta(k.Name))).MatchString(shown.String()) {
				t.Errorf("no guide shows an example of the %s `%s`", of, k.Name)
			}
		}
	}
}
