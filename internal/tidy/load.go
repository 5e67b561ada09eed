package tidy

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"iter"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
)

// module is the path every import of our own begins with.
const module = "portico"

// tree is everything the rules look at, read once.
type tree struct {
	root     fs.FS
	fset     *token.FileSet
	sources  []*source           // every Go file, by path
	packages map[string]*pack    // by folder
	docs     []*document         // every Markdown file, by path
	names    map[string]struct{} // every file and folder, by path
}

// source is one Go file.
type source struct {
	path, folder string
	test         bool
	generated    bool
	lines        int
	file         *ast.File
}

// pack is the Go files of one folder.
type pack struct {
	folder  string
	sources []*source
}

// document is one Markdown file.
type document struct {
	path  string
	lines []string
}

// skipped folders are not ours to judge, or not built.
func skipped(t fs.FS, folder string) bool {
	base := path.Base(folder)
	if folder == "." {
		return false
	}
	if strings.HasPrefix(base, ".") || base == "bin" || base == "testdata" || base == "node_modules" {
		return true
	}
	_, err := fs.Stat(t, path.Join(folder, "go.mod")) // a module of its own
	return err == nil
}

func load(root fs.FS) (*tree, error) {
	t := &tree{root: root, fset: token.NewFileSet(), packages: map[string]*pack{}, names: map[string]struct{}{}}
	err := fs.WalkDir(root, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		t.names[p] = struct{}{}
		if d.IsDir() {
			if skipped(root, p) {
				return fs.SkipDir
			}
			return nil
		}
		switch path.Ext(p) {
		case ".go":
			return t.addSource(p)
		case ".md":
			return t.addDocument(p)
		}
		return nil
	})
	return t, err
}

func (t *tree) addSource(p string) error {
	text, err := fs.ReadFile(t.root, p)
	if err != nil {
		return err
	}
	file, err := parser.ParseFile(t.fset, p, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return fmt.Errorf("parse %w", err)
	}
	s := &source{
		path:      p,
		folder:    path.Dir(p),
		test:      strings.HasSuffix(p, "_test.go"),
		generated: ast.IsGenerated(file),
		lines:     bytes.Count(text, []byte("\n")),
		file:      file,
	}
	t.sources = append(t.sources, s)
	if t.packages[s.folder] == nil {
		t.packages[s.folder] = &pack{folder: s.folder}
	}
	t.packages[s.folder].sources = append(t.packages[s.folder].sources, s)
	return nil
}

func (t *tree) addDocument(p string) error {
	text, err := fs.ReadFile(t.root, p)
	if err != nil {
		return err
	}
	t.docs = append(t.docs, &document{path: p, lines: strings.Split(string(text), "\n")})
	return nil
}

// folders lists the folders that hold Go, in order.
func (t *tree) folders() []string { return slices.Sorted(maps.Keys(t.packages)) }

func (t *tree) doc(p string) *document {
	for _, d := range t.docs {
		if d.path == p {
			return d
		}
	}
	return nil
}

// stories yields the .txtar files of test/, which lie in folders named testdata.
func (t *tree) stories() iter.Seq[string] {
	return func(yield func(string) bool) {
		_ = fs.WalkDir(t.root, "test", func(p string, _ fs.DirEntry, err error) error {
			if err == nil && path.Ext(p) == ".txtar" && !yield(p) {
				return fs.SkipAll
			}
			return nil // without test/ there are no stories
		})
	}
}

func (t *tree) line(n ast.Node) int { return t.fset.Position(n.Pos()).Line }

// imports yields each import of a file with its path.
func (s *source) imports(yield func(*ast.ImportSpec, string) bool) {
	for _, i := range s.file.Imports {
		p, err := strconv.Unquote(i.Path.Value)
		if err == nil && !yield(i, p) {
			return
		}
	}
}

// ours returns the folder of an import of our own module.
func ours(imported string) (folder string, ok bool) {
	return strings.CutPrefix(imported, module+"/")
}

// within reports whether a folder is another or lies below it.
func within(folder, top string) bool {
	return folder == top || strings.HasPrefix(folder, top+"/")
}

// top is the first part of a path.
func top(folder string) string {
	first, _, _ := strings.Cut(folder, "/")
	return first
}
