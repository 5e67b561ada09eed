package tidy

import (
	"go/ast"
	"slices"
)

// clockCalls are the functions of package time that look at a clock or wait.
func clockCalls() []string {
	return []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}
}

// checkPure holds the decisions to what makes them the same in the data path, in
// explain, in a replay and in a test.
func checkPure(t *tree) []Finding {
	var found []Finding
	for _, s := range t.sources {
		if s.test || !slices.ContainsFunc(purePackages(), func(p string) bool { return within(s.folder, p) }) {
			continue
		}
		for spec, imported := range s.imports {
			if why := importWhy(imported); why != "" {
				found = append(found, findingf(s.path, t.line(spec), "%s", why))
			}
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				found = append(found, findingf(s.path, t.line(n), "starts a goroutine; a decision is stepped by its caller"))
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains(clockCalls(), n.Sel.Name) {
					found = append(found, findingf(s.path, t.line(n), "calls time.%s; a decision is told the time", n.Sel.Name))
				}
			}
			return true
		})
	}
	return found
}

func checkInit(t *tree) []Finding {
	var found []Finding
	for _, s := range t.sources {
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				found = append(found, findingf(s.path, t.line(f), "init runs before main in an order nobody wrote down; use an explicit table"))
			}
		}
	}
	return found
}
