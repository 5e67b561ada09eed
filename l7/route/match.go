package route

import (
	"slices"
	"strings"

	"portico/l7/message"
	"portico/spec"
)

// pathKind is how an alternative looks at the path.
type pathKind uint8

const (
	pathAny pathKind = iota
	pathExact
	pathPrefix
)

// alternative is one spec.Match, ready to be compared. Everything in it must hold.
type alternative struct {
	rule    *Rule
	kind    pathKind
	path    string // without a trailing slash where kind is pathPrefix
	methods []string
	headers []header
}

// header must be present with exactly this value.
type header struct{ name, value string }

// verdict says that an alternative holds, or what failed first: a path, a
// method, or failsHeader plus the index of the header.
type verdict int

const (
	holds verdict = iota
	failsPath
	failsMethod
	failsHeader
)

// newAlternatives compiles the matches of a rule; a rule without any has one
// that always holds.
func newAlternatives(r *Rule) []alternative {
	if len(r.Spec.Match) == 0 {
		return []alternative{{rule: r}}
	}
	alternatives := make([]alternative, len(r.Spec.Match))
	for i, m := range r.Spec.Match {
		alternatives[i] = newAlternative(r, m)
	}
	return alternatives
}

func newAlternative(r *Rule, m spec.Match) alternative {
	a := alternative{rule: r, methods: m.Methods}
	switch {
	case m.Path == nil:
	case m.Path.Exact != "":
		a.kind, a.path = pathExact, m.Path.Exact
	case strings.Trim(m.Path.Prefix, "/") != "":
		a.kind, a.path = pathPrefix, strings.TrimRight(m.Path.Prefix, "/")
	}
	for name, value := range m.Headers {
		a.headers = append(a.headers, header{strings.ToLower(name), value})
	}
	// One order, so that explain says the same twice.
	slices.SortFunc(a.headers, func(x, y header) int { return strings.Compare(x.name, y.name) })
	return a
}

// check compares a request with the alternative, and says what failed first.
func (a *alternative) check(r *message.Request) verdict {
	switch a.kind {
	case pathExact:
		if string(r.Path) != a.path {
			return failsPath
		}
	case pathPrefix:
		if !under(r.Path, a.path) {
			return failsPath
		}
	case pathAny:
	}
	if !a.method(r.Method) {
		return failsMethod
	}
	for i := range a.headers {
		if !a.headers[i].in(r.Fields) {
			return failsHeader + verdict(i)
		}
	}
	return holds
}

// under reports whether path is prefix or lies below it, by whole segments.
func under(path []byte, prefix string) bool {
	n := len(prefix)
	return len(path) >= n && string(path[:n]) == prefix && (len(path) == n || path[n] == '/')
}

func (a *alternative) method(method []byte) bool {
	return len(a.methods) == 0 || slices.Contains(a.methods, string(method))
}

// in reports whether any line of the header has the value.
func (h *header) in(fields []message.Field) bool {
	for i := range fields {
		if message.EqualFold(fields[i].Name, h.name) && string(fields[i].Value) == h.value {
			return true
		}
	}
	return false
}
