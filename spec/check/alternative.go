package check

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	"portico/spec"
)

// pathKind is how an alternative compares its path.
type pathKind uint8

const (
	prefixPath pathKind = iota
	exactPath
	regexPath
	// mistakenPath is that of a match that is a mistake, or what is left of one. What
	// it was to take is not known: it takes nothing from others, nor they all of it.
	mistakenPath
)

// alternative is one match of a rule, as requests are compared with it.
type alternative struct {
	rule    string // the path of the rule
	connect bool   // it takes CONNECT, and nothing else does
	kind    pathKind
	// path is that of exactPath; of a prefix without its last slash, "" being every
	// path; of regexPath the text that every match begins with.
	path  string
	regex string
	*spec.Match
	headers map[string]spec.TextMatch // by lower-case name
}

// alternatives lists what a rule takes.
func alternatives(r *spec.Rule, path string) []alternative {
	if len(r.Match) == 0 {
		return []alternative{{rule: path, connect: r.Connect, Match: &spec.Match{}}}
	}
	list := make([]alternative, 0, len(r.Match))
	for i := range r.Match {
		m := &r.Match[i]
		a := alternative{rule: path, connect: r.Connect, Match: m, headers: make(map[string]spec.TextMatch, len(m.Headers))}
		a.setPath(m)
		for name, value := range m.Headers {
			a.headers[strings.ToLower(name)] = value
		}
		list = append(list, a)
	}
	return list
}

func (a *alternative) setPath(m *spec.Match) {
	switch p := m.Path; {
	case isEmpty(m), p != nil && *p == (spec.PathMatch{}):
		a.kind = mistakenPath
	case m.GRPC != nil && m.GRPC.Service != "" && m.GRPC.Method != "":
		a.kind, a.path = exactPath, "/"+m.GRPC.Service+"/"+m.GRPC.Method
	case m.GRPC != nil && m.GRPC.Service != "":
		a.path = "/" + m.GRPC.Service
	case m.GRPC != nil, p == nil:
	case p.Exact != "":
		a.kind, a.path = exactPath, p.Exact
	case p.Regex != "":
		a.kind, a.regex, a.path = regexPath, p.Regex, spec.RegexLiteral(p.Regex)
	default:
		a.path = strings.TrimRight(p.Prefix, "/")
	}
}

// segments is the part of the path that is whole segments of whatever b takes.
func (a *alternative) segments() string {
	if a.kind == regexPath {
		return a.path[:max(strings.LastIndexByte(a.path, '/'), 0)]
	}
	return a.path
}

// values lists the exact values that the alternative asks for, each with its name,
// in one order.
func (a *alternative) values() []string {
	var all []string
	for _, part := range []struct {
		key   string
		texts map[string]spec.TextMatch
	}{{"header", a.headers}, {"query", a.Query}, {"cookie", a.Cookies}} {
		for _, name := range slices.Sorted(maps.Keys(part.texts)) {
			if m := part.texts[name]; isExact(m) {
				all = append(all, part.key+"\x00"+name+"\x00"+m.Exact)
			}
		}
	}
	return all
}

func isExact(m spec.TextMatch) bool {
	return m.Prefix == "" && m.Regex == "" && !m.Present && !m.Absent
}

// covers reports whether a takes every request that b takes, given that its path
// does. It may say no where nobody would see it.
func (e *earlier) covers(a, b *alternative) bool {
	if a.connect != b.connect {
		return false
	}
	if len(a.Methods) > 0 {
		if len(b.Methods) == 0 {
			return false
		}
		for _, m := range b.Methods {
			if !slices.Contains(a.Methods, m) {
				return false
			}
		}
	}
	return coversCalls(a.GRPC, b.GRPC) && coversNetworks(a.Sources, b.Sources) &&
		e.coversTexts(a.headers, b.headers) && e.coversTexts(a.Query, b.Query) && e.coversTexts(a.Cookies, b.Cookies)
}

func coversCalls(a, b *spec.GRPCMatch) bool {
	if a == nil {
		return true
	}
	return b != nil && (a.Service == "" || a.Service == b.Service) && (a.Method == "" || a.Method == b.Method)
}

func coversNetworks(a, b []netip.Prefix) bool {
	if len(a) == 0 {
		return true
	}
	for _, p := range b {
		if !slices.ContainsFunc(a, func(q netip.Prefix) bool { return q.Bits() <= p.Bits() && q.Contains(p.Addr()) }) {
			return false
		}
	}
	return len(b) > 0
}

func (e *earlier) coversTexts(a, b map[string]spec.TextMatch) bool {
	for name, want := range a {
		if has, ok := b[name]; !ok || !e.coversText(want, has) {
			return false
		}
	}
	return true
}

// coversText reports whether whatever meets b meets a: it has a value that does.
func (e *earlier) coversText(a, b spec.TextMatch) bool {
	switch {
	case a == b:
		return true
	case a.Present:
		return !b.Absent
	case a.Prefix != "":
		return strings.HasPrefix(b.Prefix, a.Prefix) || isExact(b) && strings.HasPrefix(b.Exact, a.Prefix) ||
			b.Regex != "" && strings.HasPrefix(spec.RegexLiteral(b.Regex), a.Prefix)
	case a.Regex != "":
		return isExact(b) && e.matches(a.Regex, b.Exact)
	}
	return false
}
