package config

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode"

	"portico/spec"
)

const (
	// excerptMax bounds the characters shown of a line: one document of JSON may
	// be one line.
	excerptMax = 100
	// excerptBefore is how many of them stand before the place.
	excerptBefore = 40
)

// Write writes Text.
func (r *Report) Write(w io.Writer) error {
	_, err := io.WriteString(w, r.Text())
	return err
}

// Text renders the problems in order, each with its line and a mark under what
// is wrong. When the report is fatal the last line says how many there are.
func (r *Report) Text() string {
	var out strings.Builder
	lines := lineIndex{sources: r.sources, lines: map[int][][]byte{}}
	problems := r.sorted()
	hidden := map[place]bool{} // lines that hold a secret
	for _, p := range problems {
		if p.secret {
			hidden[place{source: p.place.source, line: p.Line}] = true
		}
	}
	for _, p := range problems {
		if p.Line > 0 {
			fmt.Fprintf(&out, "%s:%d:%d: ", shortName(p.File), p.Line, p.Column)
		}
		out.WriteString(printable(p.String()) + "\n")
		if p.Line > 0 && !hidden[place{source: p.place.source, line: p.Line}] {
			excerpt(&out, lines.line(p.place), p.place)
		}
	}
	if more := r.errors + r.warnings - len(r.problems); more > 0 {
		fmt.Fprintf(&out, "… and %d more\n", more)
	}
	if r.Fatal() {
		fmt.Fprintf(&out, "%s%s; nothing was changed\n", r.count(), r.in())
	}
	return out.String()
}

func (r *Report) count() string {
	s := plural(r.errors, "problem")
	if r.warnings > 0 {
		s += " and " + plural(r.warnings, "warning")
	}
	return s
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// in says which files have the problems.
func (r *Report) in() string {
	files := map[string]bool{}
	last := ""
	for _, p := range r.problems {
		if p.File != "" && p.Level == spec.Error {
			files[p.File] = true
			last = p.File
		}
	}
	switch len(files) {
	case 0:
		return ""
	case 1:
		return " in " + shortName(last)
	}
	return fmt.Sprintf(" in %d files", len(files))
}

// lineIndex splits sources into lines when one is first asked for.
type lineIndex struct {
	sources []spec.Source
	lines   map[int][][]byte
}

func (x *lineIndex) line(p place) string {
	if p.source >= len(x.sources) {
		return ""
	}
	if x.lines[p.source] == nil {
		text := bytes.TrimPrefix(x.sources[p.source].Text, []byte("\ufeff"))
		x.lines[p.source] = bytes.Split(text, []byte("\n"))
	}
	if p.line > len(x.lines[p.source]) {
		return ""
	}
	return strings.TrimRight(string(x.lines[p.source][p.line-1]), "\r")
}

// excerpt writes a line and a mark under the characters that a place speaks of.
func excerpt(w *strings.Builder, line string, p place) {
	chars := []rune(line)
	if strings.TrimSpace(line) == "" {
		return
	}
	column := min(p.column, len(chars)+1)
	from := 0
	if len(chars) > excerptMax {
		from = max(min(column-excerptBefore, len(chars)-excerptMax), 0)
	}
	to := min(from+excerptMax, len(chars))
	if from > 0 {
		chars[from] = '…'
	}
	shown := printable(string(chars[from:to]))
	if to < len(chars) {
		shown += "…"
	}
	width := max(min(p.width, to-column+1), 1)
	fmt.Fprintf(w, "%5d | %s\n", p.line, strings.TrimRight(shown, " "))
	fmt.Fprintf(w, "      | %s%s\n", strings.Repeat(" ", column-1-from), strings.Repeat("^", width))
}

// printable replaces what a terminal would act on, and keeps text on one line.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case !unicode.IsPrint(r):
			return '·'
		}
		return r
	}, s)
}
