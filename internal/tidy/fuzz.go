package tidy

import (
	"go/ast"
	"slices"
	"strings"
)

// hostilePackages read bytes that anyone may send.
func hostilePackages() []string {
	return []string{
		"config", "dns/wire", "internal/netx/proxy",
		"l7/exchange", "l7/h2", "l7/h2/hpack", "l7/http1", "l7/pairs", "l7/sticky",
	}
}

// checkFuzz holds what reads hostile bytes to a fuzz target, and every target to
// seeds that are in the tree: a run of the usual tests plays those.
func checkFuzz(t *tree) []Finding {
	var found []Finding
	fuzzed := map[string]bool{}
	for _, s := range t.sources {
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || !s.test || f.Recv != nil || !strings.HasPrefix(f.Name.Name, "Fuzz") {
				continue
			}
			fuzzed[s.folder] = true
			if !addsSeeds(f) {
				found = append(found, findingf(s.path, t.line(f), "%s adds no seeds; add what it is to read, good and bad", f.Name.Name))
			}
		}
	}
	for _, folder := range t.folders() {
		if slices.Contains(hostilePackages(), folder) && !fuzzed[folder] {
			found = append(found, findingf(folder, 0, "reads bytes that anyone may send, and has no fuzz target"))
		}
	}
	return found
}

// addsSeeds reports whether a fuzz target calls Add of its parameter.
func addsSeeds(f *ast.FuncDecl) (adds bool) {
	if len(f.Type.Params.List) != 1 || len(f.Type.Params.List[0].Names) != 1 {
		return false
	}
	param := f.Type.Params.List[0].Names[0].Name
	ast.Inspect(f.Body, func(n ast.Node) bool {
		if call, ok := n.(*ast.SelectorExpr); ok && call.Sel.Name == "Add" {
			x, ok := call.X.(*ast.Ident)
			adds = adds || ok && x.Name == param
		}
		return !adds
	})
	return adds
}
