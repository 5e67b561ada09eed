package spec

import (
	"fmt"
	"strings"
)

// Level says how bad a Problem is.
type Level uint8

// The levels of a Problem.
const (
	Error   Level = iota // the spec is refused
	Warning              // the spec is applied; someone should look
)

// Problem is one thing wrong with a spec: where, what, and what would be right.
// It is rendered with a position in a file, as JSON, as a condition on a
// Kubernetes object, or beside a form field.
type Problem struct {
	// Path is the same for a file, the API and a form: targetGroups[0].balance.
	Path string `json:"path"`
	// What is wrong, with the value quoted; no full stop.
	What string `json:"what"`
	// Help is what would be right; empty when What says it.
	Help  string `json:"help,omitempty"`
	Level Level  `json:"level,omitempty"`
}

// String writes the problem on one line: path: what; help.
func (p Problem) String() string {
	var b strings.Builder
	if p.Level == Warning {
		b.WriteString("warning: ")
	}
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	b.WriteString(p.What)
	if p.Help != "" {
		b.WriteString("; " + p.Help)
	}
	return b.String()
}

// Problems is a list that is also an error, one problem a line.
type Problems []Problem

// Error writes all problems, one a line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// Fatal reports whether any problem is more than a warning.
func (ps Problems) Fatal() bool {
	for _, p := range ps {
		if p.Level == Error {
			return true
		}
	}
	return false
}

// Problemf makes a Problem without help, the way fmt.Errorf makes an error.
func Problemf(path, format string, args ...any) Problem {
	return Problem{Path: path, What: fmt.Sprintf(format, args...)}
}

// At joins the parts of a path: At("routes", 2, "rules", 0) is routes[2].rules[0].
// A string that starts with a bracket or comes first is joined without a dot.
func At(parts ...any) string {
	var b strings.Builder
	for _, p := range parts {
		switch p := p.(type) {
		case int:
			fmt.Fprintf(&b, "[%d]", p)
		default:
			s := fmt.Sprint(p)
			if s == "" {
				continue
			}
			if b.Len() > 0 && s[0] != '[' {
				b.WriteByte('.')
			}
			b.WriteString(s)
		}
	}
	return b.String()
}
