package route

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"

	"portico/spec"
)

// pathKind is how an alternative looks at the path.
type pathKind uint8

const (
	pathAny     pathKind = iota
	pathExact            // text
	pathPrefix           // text, or below it
	pathRegex            // what regex matches
	pathService          // one segment below text, as the methods of a gRPC service are
	pathMethod           // two segments, of which text is the last
)

// pathMatch compares the path of a request.
type pathMatch struct {
	kind pathKind
	text string // without a trailing slash where kind is pathPrefix
	// regex matches the whole path, and stem is what it begins with.
	regex *regexp.Regexp
	stem  string
}

func newPath(m *spec.Match) (pathMatch, error) {
	if g := m.GRPC; g != nil {
		switch {
		case g.Service != "" && g.Method != "":
			return pathMatch{kind: pathExact, text: "/" + g.Service + "/" + g.Method}, nil
		case g.Service != "":
			return pathMatch{kind: pathService, text: "/" + g.Service}, nil
		case g.Method != "":
			return pathMatch{kind: pathMethod, text: g.Method}, nil
		}
	}
	switch p := m.Path; {
	case p == nil:
	case p.Regex != "":
		re, err := spec.CompileRegex(p.Regex)
		if err != nil {
			return pathMatch{}, fmt.Errorf("path: %w", err)
		}
		return pathMatch{kind: pathRegex, text: p.Regex, regex: re, stem: spec.RegexLiteral(p.Regex)}, nil
	case p.Exact != "":
		return pathMatch{kind: pathExact, text: p.Exact}, nil
	case strings.Trim(p.Prefix, "/") != "":
		return pathMatch{kind: pathPrefix, text: strings.TrimRight(p.Prefix, "/")}, nil
	}
	return pathMatch{}, nil
}

func (p *pathMatch) holds(path []byte) bool {
	switch p.kind {
	case pathExact:
		return string(path) == p.text
	case pathPrefix:
		return under(path, p.text)
	case pathRegex:
		return p.regex.Match(path)
	case pathService:
		n := len(p.text)
		return len(path) > n+1 && under(path, p.text) && bytes.IndexByte(path[n+1:], '/') < 0
	case pathMethod:
		i := bytes.LastIndexByte(path, '/')
		return i > 1 && string(path[i+1:]) == p.text && bytes.IndexByte(path[1:i], '/') < 0
	default:
		return true
	}
}

// matched is the path or the prefix that a request was matched by; "" where that
// is none, as with a regular expression.
func (p *pathMatch) matched() string {
	if p.kind == pathRegex || p.kind == pathMethod {
		return ""
	}
	return p.text
}

// under reports whether path is prefix or lies below it, by whole segments.
func under(path []byte, prefix string) bool {
	n := len(prefix)
	return len(path) >= n && string(path[:n]) == prefix && (len(path) == n || path[n] == '/')
}
