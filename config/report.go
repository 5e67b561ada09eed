package config

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"portico/spec"
)

// problemsMax bounds what is kept of a spec that is wrong everywhere.
const problemsMax = 1000

// located is a problem, its place among the sources, and whether the line there
// holds a secret.
type located struct {
	spec.Located
	place  place
	secret bool
}

// Report is what Load found: all problems, with their places, and the files that
// the spec depends on. It is not safe for use by several goroutines at once.
type Report struct {
	sources  []spec.Source
	root     *node
	files    map[string]bool
	problems []located
	errors   int // all of them, those that were not kept included
	warnings int
	seen     map[located]bool
	// wrong holds the paths that could not be read, and may be zero for that.
	wrong pathSet
}

func newReport(sources []spec.Source) *Report {
	r := &Report{sources: sources, files: map[string]bool{}, seen: map[located]bool{}, wrong: pathSet{}}
	for i := range sources {
		if isFile(sources[i]) {
			r.files[sources[i].Name] = true
		}
	}
	return r
}

// Add takes problems that were found in the spec after it was loaded, and finds
// their places by their paths. A problem at, in or around a value that could not
// be read is left out: it is an echo.
func (r *Report) Add(problems []spec.Problem) {
	wrong := r.wrong.clone()
	for _, p := range problems {
		if !wrong.touches(p.Path) {
			r.add(p, r.place(p.Path, r.root))
		}
	}
}

// Fatal reports whether the spec must not be used.
func (r *Report) Fatal() bool { return r.errors > 0 }

// Problems lists the problems in the order of their places.
func (r *Report) Problems() []spec.Located {
	sorted := r.sorted()
	list := make([]spec.Located, len(sorted))
	for i, p := range sorted {
		list[i] = p.Located
	}
	return list
}

func (r *Report) sorted() []located {
	sorted := slices.Clone(r.problems)
	slices.SortStableFunc(sorted, func(a, b located) int {
		return cmp.Or(cmp.Compare(a.place.source, b.place.source), cmp.Compare(a.place.line, b.place.line), cmp.Compare(a.place.column, b.place.column))
	})
	return sorted
}

// Files lists every file that was read, or looked for, in order: those of the
// spec, and the certificates and secrets it names. A change of any of them may
// change the spec.
func (r *Report) Files() []string {
	var names []string
	for name := range r.files {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// at reports a problem of a node; without one it was written nowhere.
func (r *Report) at(n *node, path, what, help string) {
	r.add(spec.Problem{Path: path, What: what, Help: help}, n)
	r.wrong.add(path)
}

func (r *Report) add(p spec.Problem, n *node) {
	l := located{Located: spec.Located{Problem: p}}
	if n != nil && n.place.line > 0 && n.place.source < len(r.sources) {
		l.File, l.Line, l.Column = r.sources[n.place.source].Name, n.place.line, n.place.column
		l.place, l.secret = n.place, n.secret
	}
	if r.seen[l] {
		return
	}
	r.seen[l] = true
	if p.Level == spec.Warning {
		r.warnings++
	} else {
		r.errors++
	}
	if len(r.problems) < problemsMax {
		r.problems = append(r.problems, l)
	}
}

// place finds the node that a path speaks of, or the nearest one around it.
func (r *Report) place(path string, otherwise *node) *node {
	if r.root == nil {
		return otherwise
	}
	n := r.root.find(path)
	if n == r.root && path != "" && otherwise != nil {
		return otherwise
	}
	return n
}

// short writes a place as file:line:column, the file as people would name it.
func (r *Report) short(p place) string {
	return fmt.Sprintf("%s:%d:%d", shortName(r.sources[p.source].Name), p.line, p.column)
}

// shortName is a file's name relative to the working directory, if that is shorter.
func shortName(name string) string {
	wd, err := os.Getwd()
	if err != nil || !filepath.IsAbs(name) {
		return name
	}
	if rel, err := filepath.Rel(wd, name); err == nil && len(rel) < len(name) {
		return rel
	}
	return name
}

// pathSet knows whether a path is, is in, or is around one of its own.
type pathSet map[string]bool

func (s pathSet) add(path string) {
	if path == "" {
		return
	}
	s[path] = true
}

// clone adds to the paths everything around them, marked as false.
func (s pathSet) clone() pathSet {
	all := pathSet{}
	for path := range s {
		for p := around(path); p != ""; p = around(p) {
			if !all[p] {
				all[p] = false
			}
		}
		all[path] = true
	}
	return all
}

func (s pathSet) touches(path string) bool {
	if _, ok := s[path]; ok {
		return true
	}
	for p := around(path); p != ""; p = around(p) {
		if s[p] {
			return true
		}
	}
	return false
}

// around is the path of what holds a path's value, or "".
func around(path string) string { return path[:max(strings.LastIndexAny(path, ".["), 0)] }
