package tidy

import (
	"maps"
	"path"
	"slices"
	"strings"
)

const architecturePath = "ARCHITECTURE.md"

// checkArchitecture compares the first fenced tree of ARCHITECTURE.md with the
// folders that are there.
func checkArchitecture(t *tree) []Finding {
	d := t.doc(architecturePath)
	if d == nil {
		return []Finding{findingf(architecturePath, 0, "is missing")}
	}
	listed := listedFolders(d)
	var found []Finding
	for _, folder := range t.folders() {
		if _, ok := listed[folder]; !ok {
			found = append(found, findingf(folder, 0, "is not in the tree of %s", architecturePath))
		}
	}
	for _, folder := range slices.Sorted(maps.Keys(listed)) {
		if _, ok := t.names[folder]; !ok {
			found = append(found, findingf(architecturePath, listed[folder], "lists %s/, which is not there", folder))
		}
	}
	return found
}

// listedFolders reads a tree drawn with indentation, a folder a line, and
// returns the folders with their lines:
//
//	l4/        tier 2
//	  relay/   sockets
func listedFolders(d *document) map[string]int {
	listed := map[string]int{}
	for _, f := range d.fences() {
		if f.Info != "tree" {
			continue
		}
		type level struct {
			indent int
			folder string
		}
		var above []level
		n := f.Line - 1
		for line := range strings.Lines(f.Text) {
			n++
			name, _, _ := strings.Cut(strings.TrimSpace(line), " ")
			if !strings.HasSuffix(name, "/") {
				continue
			}
			indent := len(line) - len(strings.TrimLeft(line, " "))
			for len(above) > 0 && above[len(above)-1].indent >= indent {
				above = above[:len(above)-1]
			}
			folder := path.Clean(name)
			if len(above) > 0 {
				folder = path.Join(above[len(above)-1].folder, name)
			}
			above = append(above, level{indent, folder})
			listed[folder] = n
		}
	}
	return listed
}
