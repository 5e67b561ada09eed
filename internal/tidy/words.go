package tidy

import (
	"go/ast"
	"iter"
	"path"
	"slices"
	"strings"
)

// notOurWords are what others call our things, and what to say instead.
func notOurWords() map[string]string {
	return map[string]string{
		"backend":  "a target, or a target group",
		"upstream": "a target, or a target group",
	}
}

// emptyNames say nothing about what a package or type is for.
func emptyNames() []string {
	return []string{"util", "utils", "helper", "helpers", "manager", "common", "misc"}
}

// checkWords looks at the names we declare. Those of libraries are theirs, as
// are those of Kubernetes in kube, and of our peers in bench.
func checkWords(t *tree) []Finding {
	var found []Finding
	for _, folder := range t.folders() {
		if slices.Contains(emptyNames(), path.Base(folder)) {
			found = append(found, findingf(folder, 0, "%q does not say what the package is for", path.Base(folder)))
		}
	}
	for _, s := range t.sources {
		if s.test || s.generated || within(s.folder, "bench") || within(s.folder, "kube") || within(s.folder, "internal/tidy") {
			continue
		}
		for name, isType := range declared(s.file) {
			if what := wordProblem(name.Name, isType); what != "" {
				found = append(found, findingf(s.path, t.line(name), "%s", what))
			}
		}
	}
	return found
}

func wordProblem(name string, isType bool) string {
	lower := strings.ToLower(name)
	for word, ours := range notOurWords() {
		if strings.Contains(lower, word) {
			return "the name " + name + " holds \"" + word + "\"; here that is " + ours
		}
	}
	for _, word := range emptyNames() {
		if isType && strings.HasSuffix(lower, word) {
			return "the name " + name + " ends in \"" + word + "\", which does not say what it is for"
		}
	}
	return ""
}

// declared yields every name that a file declares, and whether it is a type's.
func declared(f *ast.File) iter.Seq2[*ast.Ident, bool] {
	return func(yield func(*ast.Ident, bool) bool) {
		done := false
		each := func(isType bool, names ...*ast.Ident) {
			for _, n := range names {
				done = done || !yield(n, isType)
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				each(false, n.Name)
			case *ast.TypeSpec:
				each(true, n.Name)
			case *ast.ValueSpec:
				each(false, n.Names...)
			case *ast.Field:
				each(false, n.Names...)
			case *ast.AssignStmt:
				for _, e := range n.Lhs {
					if i, ok := e.(*ast.Ident); ok && n.Tok.String() == ":=" {
						each(false, i)
					}
				}
			}
			return !done
		})
	}
}
