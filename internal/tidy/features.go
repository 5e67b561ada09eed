package tidy

import (
	"go/ast"
	"path"
	"slices"
	"strings"
)

const featuresPath = "docs/reference/features.md"

// checkFeatures reads the tables of features.md that have a column "Test". A
// cell there names one or more tests in backquotes: `TestName`, with its folder
// before a dot where the name alone is not enough (`l7/http1.TestName`), or a
// story by its file (`drain.txtar`).
func checkFeatures(t *tree) []Finding {
	d := t.doc(featuresPath)
	if d == nil {
		return nil
	}
	known := t.tests()
	var found []Finding
	column := -1
	for n, line := range d.prose {
		cells := row(line)
		switch {
		case cells == nil:
			column = -1
		case slices.Contains(cells, "Test"):
			column = slices.Index(cells, "Test")
		case column < 0 || strings.Trim(cells[0], "-: ") == "":
		case column >= len(cells):
			found = append(found, findingf(d.path, n, "row %q has no cell for its test", cells[0]))
		default:
			found = append(found, cellProblems(known, n, cells[0], cells[column])...)
		}
	}
	return found
}

func cellProblems(known map[string]bool, n int, feature, cell string) []Finding {
	var found []Finding
	names := codePattern.FindAllString(cell, -1)
	if len(names) == 0 {
		found = append(found, findingf(featuresPath, n, "row %q names no test", feature))
	}
	for _, name := range names {
		if name = strings.Trim(name, "`"); !known[name] {
			found = append(found, findingf(featuresPath, n, "row %q names the test %s, which does not exist", feature, name))
		}
	}
	return found
}

// row splits a line of a table; nil means that it is none.
func row(line string) []string {
	line = strings.TrimSpace(line)
	if len(line) < 2 || line[0] != '|' {
		return nil
	}
	cells := strings.Split(strings.Trim(line, "|"), "|")
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
	}
	return cells
}

// tests lists everything a row may name.
func (t *tree) tests() map[string]bool {
	known := map[string]bool{}
	for _, s := range t.sources {
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || !s.test || f.Recv != nil {
				continue
			}
			for _, kind := range []string{"Test", "Fuzz", "Benchmark", "Example"} {
				if strings.HasPrefix(f.Name.Name, kind) {
					known[f.Name.Name], known[s.folder+"."+f.Name.Name] = true, true
				}
			}
		}
	}
	for p := range t.stories() {
		known[p], known[path.Base(p)] = true, true
	}
	return known
}
