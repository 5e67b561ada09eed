package filter

import (
	"fmt"
	"strings"

	"portico/l7/repath"
	"portico/spec"
)

// Path is how a redirect or a rewrite changes the path; the query is no part of it.
type Path struct {
	// Full replaces the whole path.
	Full string `json:"full,omitempty" oneof:"path"`
	// Prefix replaces the prefix that the rule matched by, by whole segments: a
	// rule for /api with prefix /v2 makes /v2/x of /api/x; with prefix / it makes /x.
	Prefix string `json:"prefix,omitempty" oneof:"path"`
	// Regex replaces paths that it matches, and leaves others alone.
	Regex *PathRegex `json:"regex,omitempty" oneof:"path"`
}

// PathRegex replaces a path by one made of its parts.
type PathRegex struct {
	// Match is a regular expression for the whole path; see spec.CompileRegex.
	Match string `json:"match" required:"true"`
	// Replace is the new path: $1 to $9, ${12} or ${name} is what that group
	// matched, and $$ a dollar.
	Replace string `json:"replace" required:"true"`
}

// pathMax bounds the paths in a spec.
const pathMax = 4 << 10

// check refuses what cannot stand in a request line.
func (p *Path) check() []spec.Problem {
	if p == nil {
		return nil
	}
	problems := append(checkPath("path.full", p.Full), checkPath("path.prefix", p.Prefix)...)
	if given := btoi(p.Full != "") + btoi(p.Prefix != "") + btoi(p.Regex != nil); given > 1 {
		problems = append(problems, spec.Problem{Path: "path", What: "full, prefix and regex exclude each other", Help: "use one of them"})
	}
	if p.Regex != nil {
		problems = append(problems, p.Regex.check("path.regex")...)
	}
	return problems
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func checkPath(at, path string) []spec.Problem {
	switch {
	case path == "":
	case path[0] != '/':
		return []spec.Problem{{Path: at, What: fmt.Sprintf("%q is not a path", path), Help: "begin it with a slash"}}
	case len(path) > pathMax:
		return []spec.Problem{spec.Problemf(at, "the path has %d bytes; at most %d are allowed", len(path), pathMax)}
	case strings.ContainsFunc(path, notInPath):
		return []spec.Problem{{
			Path: at,
			What: fmt.Sprintf("%q holds a character that no path may", path), Help: "write it percent-encoded; a query is kept as it is",
		}}
	case dotted(path):
		return []spec.Problem{spec.Problemf(at, `%q holds a "." or ".." segment`, path)}
	}
	return nil
}

func notInPath(r rune) bool {
	return r <= ' ' || r >= 0x7f || strings.ContainsRune(`?#"<>\^{|}`+"`", r)
}

func dotted(path string) bool {
	for s := range strings.SplitSeq(path, "/") {
		if s == "." || s == ".." {
			return true
		}
	}
	return false
}

// check refuses expressions that are none, and replacements that make no path.
func (r *PathRegex) check(at string) []spec.Problem {
	key, what, help := "", "", ""
	if _, err := spec.CompileRegex(r.Match); err != nil {
		key = "match"
		what, help, _ = strings.Cut(err.Error(), "; ")
	} else if re, err := repath.Compile(r.Match, r.Replace); err != nil {
		key = "replace"
		what, help, _ = strings.Cut(err.Error(), "; ")
	} else {
		return checkPath(spec.At(at, "replace"), re.Literal())
	}
	return []spec.Problem{{Path: spec.At(at, key), What: what, Help: help}}
}

// pathChange is a Path, compiled.
type pathChange struct {
	full, prefix string
	regex        *repath.Regex
}

// newPathChange compiles a checked path; nil is one that changes nothing.
func newPathChange(p *Path) *pathChange {
	if p == nil {
		return nil
	}
	c := &pathChange{full: p.Full, prefix: p.Prefix}
	if p.Regex != nil {
		re, err := repath.Compile(p.Regex.Match, p.Regex.Replace)
		if err != nil {
			panic(fmt.Sprintf("filter: %v, which Check refuses", err))
		}
		c.regex = re
	}
	return c
}

// append writes the new path for one that was matched by prefix. It is false where
// what a regular expression made of it is no path.
func (p *pathChange) append(dst, path []byte, prefix string) ([]byte, bool) {
	switch {
	case p == nil:
		return append(dst, path...), true
	case p.full != "":
		return append(dst, p.full...), true
	case p.regex != nil:
		return p.regex.Append(dst, path)
	case p.prefix == "":
		return append(dst, path...), true
	}
	rest := path[min(len(prefix), len(path)):]
	if len(rest) == 0 {
		return append(dst, p.prefix...), true
	}
	dst = append(dst, strings.TrimRight(p.prefix, "/")...)
	if rest[0] != '/' { // only where the request has no path: the * of OPTIONS
		dst = append(dst, '/')
	}
	return append(dst, rest...), true
}
