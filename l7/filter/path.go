package filter

import (
	"fmt"
	"strings"

	"portico/spec"
)

// Path is how a redirect or a rewrite changes the path; the query stays.
type Path struct {
	// Full replaces the whole path.
	Full string `json:"full,omitempty" oneof:"path"`
	// Prefix replaces the prefix that the rule matched by, by whole segments: a
	// rule for /api with prefix /v2 makes /v2/x of /api/x; with prefix / it makes /x.
	Prefix string `json:"prefix,omitempty" oneof:"path"`
}

// pathMax bounds the paths in a spec.
const pathMax = 4 << 10

// check refuses what cannot stand in a request line.
func (p *Path) check() []spec.Problem {
	if p == nil {
		return nil
	}
	var problems []spec.Problem
	for _, part := range []struct{ key, path string }{{"path.full", p.Full}, {"path.prefix", p.Prefix}} {
		switch {
		case part.path == "":
		case part.path[0] != '/':
			problems = append(problems, spec.Problem{
				Path: part.key,
				What: fmt.Sprintf("%q is not a path", part.path), Help: "begin it with a slash",
			})
		case len(part.path) > pathMax:
			problems = append(problems, spec.Problemf(part.key, "the path has %d bytes; at most %d are allowed", len(part.path), pathMax))
		case strings.ContainsFunc(part.path, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`?#"<>\^{|}`+"`", r) }):
			problems = append(problems, spec.Problem{
				Path: part.key,
				What: fmt.Sprintf("%q holds a character that no path may", part.path), Help: "write it percent-encoded; a query is kept as it is",
			})
		case dotted(part.path):
			problems = append(problems, spec.Problemf(part.key, `%q holds a "." or ".." segment`, part.path))
		}
	}
	if p.Full != "" && p.Prefix != "" {
		problems = append(problems, spec.Problem{Path: "path", What: "full and prefix exclude each other", Help: "use one of them"})
	}
	return problems
}

func dotted(path string) bool {
	for s := range strings.SplitSeq(path, "/") {
		if s == "." || s == ".." {
			return true
		}
	}
	return false
}

// append writes the new path for one that was matched by prefix.
func (p *Path) append(dst, path []byte, prefix string) []byte {
	switch {
	case p == nil:
		return append(dst, path...)
	case p.Full != "":
		return append(dst, p.Full...)
	case p.Prefix == "":
		return append(dst, path...)
	}
	rest := path[min(len(prefix), len(path)):]
	if len(rest) == 0 {
		return append(dst, p.Prefix...)
	}
	dst = append(dst, strings.TrimRight(p.Prefix, "/")...)
	if rest[0] != '/' { // only where the request has no path: the * of OPTIONS
		dst = append(dst, '/')
	}
	return append(dst, rest...)
}
