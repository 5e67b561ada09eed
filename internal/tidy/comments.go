package tidy

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"
)

// tierParagraphs is how many paragraphs open a tier: what comes in, what goes
// out, what it never does, where to start reading.
const tierParagraphs = 4

func checkPackageDoc(t *tree) []Finding {
	var found []Finding
	for _, folder := range t.folders() {
		text := packageDoc(t.packages[folder])
		if strings.TrimSpace(text) == "" {
			found = append(found, findingf(folder, 0, "has no package comment: what does it do, what does it never do, where is it on the path?"))
			continue
		}
		if !isTier(folder) && folder != "target" && folder != "spec" {
			continue
		}
		paragraphs := len(strings.Split(strings.TrimSpace(text), "\n\n"))
		if _, ok := t.names[folder+"/doc.go"]; !ok || paragraphs < tierParagraphs {
			found = append(found, findingf(folder, 0, "opens with %d paragraphs; a tier's doc.go has %d: what comes in, what goes out, what it never does, where to start reading", paragraphs, tierParagraphs))
		}
	}
	return found
}

// packageDoc is the longest package comment of the folder; that of a test counts
// where there is nothing but tests.
func packageDoc(p *pack) string {
	onlyTests := !slices.ContainsFunc(p.sources, func(s *source) bool { return !s.test })
	longest := ""
	for _, s := range p.sources {
		if text := s.file.Doc.Text(); (!s.test || onlyTests) && len(text) > len(longest) {
			longest = text
		}
	}
	return longest
}

func checkExportedDoc(t *tree) []Finding {
	var found []Finding
	for _, s := range t.sources {
		if s.test || s.generated || s.file.Name.Name == "main" {
			continue
		}
		for _, d := range s.file.Decls {
			for _, name := range undocumented(d) {
				found = append(found, findingf(s.path, t.line(name), "%s has no doc comment: say what it is, the unit, what zero means, who closes", name.Name))
			}
		}
	}
	return found
}

// undocumented lists the exported names of a declaration that nothing is said of.
func undocumented(d ast.Decl) []*ast.Ident {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && onExported(d.Recv) && d.Doc == nil {
			return []*ast.Ident{d.Name}
		}
	case *ast.GenDecl:
		if d.Tok == token.IMPORT {
			return nil
		}
		var names []*ast.Ident
		for _, spec := range d.Specs {
			names = append(names, undocumentedSpec(d, spec)...)
		}
		return names
	}
	return nil
}

// undocumentedSpec looks at one type, or one line of constants or variables, for
// which the comment of their group will do.
func undocumentedSpec(d *ast.GenDecl, spec ast.Spec) []*ast.Ident {
	switch spec := spec.(type) {
	case *ast.TypeSpec:
		if spec.Name.IsExported() && spec.Doc == nil && spec.Comment == nil && (d.Doc == nil || d.Lparen.IsValid()) {
			return []*ast.Ident{spec.Name}
		}
	case *ast.ValueSpec:
		if spec.Doc != nil || spec.Comment != nil || d.Doc != nil {
			return nil
		}
		return slices.DeleteFunc(slices.Clone(spec.Names), func(n *ast.Ident) bool { return !n.IsExported() })
	}
	return nil
}

// onExported reports whether a receiver is of an exported type, or there is none.
func onExported(recv *ast.FieldList) bool {
	if recv == nil || len(recv.List) == 0 {
		return true
	}
	e := recv.List[0].Type
	for {
		switch x := e.(type) {
		case *ast.StarExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.IndexListExpr:
			e = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return true
		}
	}
}
