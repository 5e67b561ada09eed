// Package config turns text into a spec and back, remembering where each value
// was written.
//
// What comes in: one YAML or JSON document, or many files of them that are read
// as one, and the tables of everything that can be chosen by name (spec.Kinds).
//
// What goes out: a *spec.Spec that is complete, with every default filled in and
// every file and secret it names read, and a Report of all problems at once,
// each with its file, line and column.
//
// It never judges what only the whole spec can tell (see spec/check), and never
// changes anything. It is the only door to the YAML library.
//
// Start reading at Load, then decode.go; the schema itself is the struct tags of
// package spec.
package config

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"portico/spec"
)

const (
	// sourceMax bounds one file: a hundred thousand targets fit.
	sourceMax = 8 << 20
	// sourcesMax bounds the files of one spec.
	sourcesMax = 1000
)

// folder is the one that relative paths of a source start from.
func folder(s spec.Source) string {
	dir := s.Dir
	if dir == "" && isFile(s) {
		dir = filepath.Dir(s.Name)
	}
	if abs, err := filepath.Abs(dir); err == nil {
		return abs
	}
	return dir
}

func isFile(s spec.Source) bool { return s.Name != "" && !strings.HasPrefix(s.Name, "<") }

// ReadPath reads a file, or every *.yaml, *.yml and *.json of a folder in the
// order of their names. Folders in it, and names that start with a dot, are
// left out.
func ReadPath(path string) ([]spec.Source, error) {
	names, err := PathFiles(path)
	if err != nil {
		return nil, err
	}
	sources := make([]spec.Source, len(names))
	for i, name := range names {
		text, err := readBounded(name, sourceMax)
		if err != nil {
			return nil, fmt.Errorf("reading the spec: %w", err)
		}
		sources[i] = spec.Source{Name: name, Dir: filepath.Dir(name), Text: text}
	}
	return sources, nil
}

// PathFiles lists, by absolute names, the files that ReadPath reads.
func PathFiles(path string) ([]string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	info, err := os.Stat(abs)
	if err != nil {
		return nil, fmt.Errorf("reading the spec: %w", err)
	}
	if !info.IsDir() {
		return []string{abs}, nil
	}
	names, err := specFiles(abs)
	if err != nil {
		return nil, fmt.Errorf("reading the spec: %w", err)
	}
	return names, nil
}

// specFiles lists the files of a folder that hold a spec.
func specFiles(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		ext := filepath.Ext(e.Name())
		if strings.HasPrefix(e.Name(), ".") || !slices.Contains([]string{".yaml", ".yml", ".json"}, ext) {
			continue
		}
		name := filepath.Join(dir, e.Name())
		if info, err := os.Stat(name); err == nil && info.IsDir() { // follows links, as mounted folders have them
			continue
		}
		names = append(names, name)
	}
	switch {
	case len(names) == 0:
		return nil, fmt.Errorf("%s: no *.yaml, *.yml or *.json in it", dir)
	case len(names) > sourcesMax:
		return nil, fmt.Errorf("%s: %d files in it; at most %d are read as one spec", dir, len(names), sourcesMax)
	}
	return names, nil
}

// readBounded reads a file, or a pipe such as a shell's <( ), of at most limit bytes.
func readBounded(name string, limit int64) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, fmt.Errorf("%s: a folder, not a file", name)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // nothing was written to it
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(text)) > limit {
		return nil, fmt.Errorf("%s: more than %s", name, spec.Size(limit))
	}
	return text, nil
}

// Load reads sources as one spec. The spec is nil when their text could not be
// read at all. When the report is fatal the spec holds what could be read, which
// is good for finding more problems and for nothing else.
func Load(sources []spec.Source, kinds spec.Kinds) (*spec.Spec, *Report) {
	report := newReport(sources)
	if len(sources) > sourcesMax {
		report.at(nil, "", fmt.Sprintf("%d files are too many for one spec", len(sources)), fmt.Sprintf("use at most %d", sourcesMax))
		return nil, report
	}
	var documents []*node
	for i := range report.sources {
		documents = append(documents, parse(report, i)...)
	}
	root := merge(report, documents)
	if root == nil || report.Fatal() && len(documents) == 0 {
		return nil, report
	}
	report.root = root
	return newDecoder(kinds, report).spec(root), report
}
