// Package repath makes the path of a request anew from the parts of the old one.
//
// What comes in: a regular expression and a replacement of a spec, and the path of
// a request. What goes out: a path in the normal form that requests have, or the
// word that there is none. It is pure. Finding the groups of an expression is the
// one thing that allocates: 16 bytes for each of them.
// Start reading at Compile, then Regex.Append.
package repath

import (
	"fmt"
	"regexp"
	"strings"

	"portico/l7/http1"
	"portico/spec"
)

// Regex makes new paths of those that it matches.
type Regex struct {
	match *regexp.Regexp
	parts []replacement
}

// Compile reads an expression, which must match the whole path (see
// spec.CompileRegex), and what to put in its place: $1 to $9, ${12} or ${name} is
// what that group matched, and $$ a dollar. Errors read "what; help".
func Compile(match, replace string) (*Regex, error) {
	re, err := spec.CompileRegex(match)
	if err != nil {
		return nil, err
	}
	parts, err := parse(replace, re)
	if err != nil {
		return nil, err
	}
	if first := parts[0].literal; first != "" && first[0] != '/' || first == "" && parts[0].group < 0 {
		return nil, fmt.Errorf("%q is not a path; begin it with a slash", replace)
	}
	return &Regex{re, parts}, nil
}

// Literal is the new path with an x for each group, for who checks what else a path
// must be.
func (r *Regex) Literal() string {
	var b strings.Builder
	for _, p := range r.parts {
		b.WriteString(p.literal)
		if p.group >= 0 {
			b.WriteByte('x')
		}
	}
	return "/" + strings.TrimPrefix(b.String(), "/")
}

// Append writes the new path, or the old one where the expression does not match.
// It is false where what the groups make is no path: they may put dots together to
// a segment that leads to a folder above, or take an escape apart.
func (r *Regex) Append(dst, path []byte) ([]byte, bool) {
	at := r.match.FindSubmatchIndex(path)
	if at == nil {
		return append(dst, path...), true
	}
	from := len(dst)
	for _, p := range r.parts {
		dst = append(dst, p.literal...)
		if p.group >= 0 && at[2*p.group] >= 0 {
			dst = append(dst, path[at[2*p.group]:at[2*p.group+1]]...)
		}
	}
	if len(dst) == from || dst[from] != '/' { // a group that matched no slash came first
		dst = append(dst, 0)
		copy(dst[from+1:], dst[from:])
		dst[from] = '/'
	}
	return dst, http1.Normal(dst[from:])
}

// replacement is some text, then what a group matched.
type replacement struct {
	literal string
	group   int // -1 for none
}

// parse reads a replacement for an expression. Errors read "what; help".
func parse(text string, re *regexp.Regexp) ([]replacement, error) {
	var parts []replacement
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(text, "$")
		b.WriteString(before)
		if !ok {
			break
		}
		if strings.HasPrefix(rest, "$") {
			b.WriteByte('$')
			text = rest[1:]
			continue
		}
		name, after, ok := groupName(rest)
		if !ok {
			return nil, fmt.Errorf("a $ in %q names no group; write $1, ${12}, ${name}, or $$ for a dollar", text)
		}
		group := numberOf(name, re)
		if group < 0 {
			return nil, fmt.Errorf("the expression has no group %q; it has %d", name, re.NumSubexp())
		}
		parts = append(parts, replacement{b.String(), group})
		b.Reset()
		text = after
	}
	if b.Len() > 0 || len(parts) == 0 {
		parts = append(parts, replacement{b.String(), -1})
	}
	return parts, nil
}

// groupName takes the name of a group from what follows a dollar.
func groupName(text string) (name, after string, ok bool) {
	if inner, isLong := strings.CutPrefix(text, "{"); isLong {
		return strings.Cut(inner, "}")
	}
	if text == "" || text[0] < '0' || text[0] > '9' {
		return "", "", false
	}
	return text[:1], text[1:], true
}

// numberOf is the number of a group by its number or its name; -1 for none.
func numberOf(name string, re *regexp.Regexp) int {
	if i := re.SubexpIndex(name); i >= 0 {
		return i
	}
	for i := range re.NumSubexp() + 1 {
		if name == fmt.Sprint(i) {
			return i
		}
	}
	return -1
}
