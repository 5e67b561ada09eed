package docs

import (
	"strings"
	"testing"

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
