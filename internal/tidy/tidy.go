// Package tidy keeps what linters cannot see: who may import whom, how large a
// file may grow, that decisions stay pure, and that the documents tell of the
// tree that is there.
//
// What comes in: a file tree. What goes out: findings, each of which states the
// rule it breaks. It never runs a command, never writes, and needs no network;
// the whole tree takes well under a second or two.
//
// Exceptions are lines in exceptions.txt, each with its reason. One that nothing
// needs any more is a finding itself, so that the list can only shrink.
//
// Start reading at Rules; each rule is a function in the file named after its
// subject. To add one: write the function, add its line to Rules, and a failing
// tree to testdata.
package tidy

import (
	"cmp"
	"fmt"
	"io/fs"
	"slices"
)

// Finding is one place that breaks a rule.
type Finding struct {
	Path string // of a file or folder, from the root of the tree
	Line int    // from 1; 0 where the finding is about the whole
	Rule string // by its name in Rules
	What string // what is wrong, and what would be right
}

// String writes the finding so that an editor can jump to it.
func (f Finding) String() string {
	if f.Line == 0 {
		return fmt.Sprintf("%s: %s: %s", f.Path, f.Rule, f.What)
	}
	return fmt.Sprintf("%s:%d: %s: %s", f.Path, f.Line, f.Rule, f.What)
}

// Rule is one thing that holds everywhere but for the exceptions.
type Rule struct {
	Name    string
	Summary string
	check   func(*tree) []Finding
}

// Rules lists every rule.
func Rules() []Rule {
	return []Rule{
		{"layers", "a folder imports only what ARCHITECTURE.md lets it", checkLayers},
		{"doors", "a heavy library enters by one folder", checkDoors},
		{"depth", "a chain of imports from node down to spec is at most 8 packages long", checkDepth},
		{"blank-import", "no blank import outside package main and but for embed", checkBlankImports},
		{"no-init", "no init function: registration is a visible table", checkInit},
		{"pure", "decisions hold no clock, socket, file or goroutine", checkPure},
		{"file-size", "a file has at most 500 lines", checkFileSize},
		{"function-size", "a function has at most 70 lines", checkFunctionSize},
		{"package-size", "a package has at most 2,500 lines without tests", checkPackageSize},
		{"package-doc", "every package says what it does; a tier in four paragraphs", checkPackageDoc},
		{"exported-doc", "every exported name has a doc comment", checkExportedDoc},
		{"fuzz", "what reads hostile bytes is fuzzed, from seeds that are here", checkFuzz},
		{"words", "one word for one thing; see STYLE.md", checkWords},
		{"architecture", "ARCHITECTURE.md lists every folder of Go, and no other", checkArchitecture},
		{"readme", "README.md has the sections a visitor looks for", checkReadme},
		{"features", "every row of docs/reference/features.md names a test that exists", checkFeatures},
		{"links", "every link from one document to another resolves", checkLinks},
		{"decisions", "docs/design is numbered, and a decision has all its parts", checkDecisions},
		{"changes", "a fragment in changes/ says what kind of change it is", checkChanges},
	}
}

// Check loads a tree and returns what breaks the rules, in the order of the
// paths, less the exceptions. Exceptions is the text of exceptions.txt, or
// empty. The error is about reading, and about Go that does not parse.
func Check(root fs.FS, exceptions string) ([]Finding, error) {
	t, err := load(root)
	if err != nil {
		return nil, err
	}
	var found []Finding
	for _, r := range Rules() {
		for _, f := range r.check(t) {
			f.Rule = r.Name
			found = append(found, f)
		}
	}
	found = except(found, exceptions)
	slices.SortStableFunc(found, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Line, b.Line))
	})
	return found, nil
}

// Fences lists the fenced blocks of one kind, such as "yaml", in the Markdown
// files below a folder: what a test of the documents loads or runs.
func Fences(root fs.FS, below, info string) ([]Fence, error) {
	t, err := load(root)
	if err != nil {
		return nil, err
	}
	var fences []Fence
	for _, d := range t.docs {
		if !within(d.path, below) {
			continue
		}
		for _, f := range d.fences() {
			if f.Info == info {
				fences = append(fences, f)
			}
		}
	}
	return fences, nil
}

func findingf(path string, line int, format string, args ...any) Finding {
	return Finding{Path: path, Line: line, What: fmt.Sprintf(format, args...)}
}
