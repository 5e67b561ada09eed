package tidy

import (
	"go/ast"
	"go/token"
)

// The hard limits; the habit is far below (STYLE.md).
const (
	fileLinesMax     = 500
	functionLinesMax = 70
	packageLinesMax  = 2500
)

func checkFileSize(t *tree) []Finding {
	var found []Finding
	for _, s := range t.sources {
		if s.lines > fileLinesMax && !s.generated {
			found = append(found, findingf(s.path, 0, "has %d lines, of %d allowed; one idea a file", s.lines, fileLinesMax))
		}
	}
	return found
}

func checkPackageSize(t *tree) []Finding {
	var found []Finding
	for _, folder := range t.folders() {
		lines := 0
		for _, s := range t.packages[folder].sources {
			if !s.test && !s.generated {
				lines += s.lines
			}
		}
		if lines > packageLinesMax {
			found = append(found, findingf(folder, 0, "has %d lines without tests, of %d allowed; split it along an interface", lines, packageLinesMax))
		}
	}
	return found
}

// checkFunctionSize counts the lines of a body less those that hold a comment
// alone, as the linter does.
func checkFunctionSize(t *tree) []Finding {
	var found []Finding
	for _, s := range t.sources {
		if s.test || s.generated {
			continue
		}
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Body == nil {
				continue
			}
			lines := t.at(f.Body.Rbrace) - t.at(f.Body.Lbrace) - 1 - t.commentLines(s, f.Body)
			if lines > functionLinesMax {
				found = append(found, findingf(s.path, t.line(f), "%s has %d lines, of %d allowed", f.Name.Name, lines, functionLinesMax))
			}
		}
	}
	return found
}

func (t *tree) at(p token.Pos) int { return t.fset.Position(p).Line }

func (t *tree) commentLines(s *source, body *ast.BlockStmt) int {
	code := map[int]bool{}
	ast.Inspect(body, func(n ast.Node) bool {
		if n != nil {
			code[t.at(n.Pos())], code[t.at(n.End()-1)] = true, true
		}
		return true
	})
	lines := 0
	for _, group := range s.file.Comments {
		for _, c := range group.List {
			if c.Pos() < body.Pos() || c.End() > body.End() {
				continue
			}
			for l := t.at(c.Pos()); l <= t.at(c.End()-1); l++ {
				if !code[l] {
					lines++
				}
			}
		}
	}
	return lines
}
