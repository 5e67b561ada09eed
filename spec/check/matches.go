package check

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"portico/spec"
)

// isEmpty reports whether an alternative asks for nothing.
func isEmpty(m *spec.Match) bool {
	return m.Path == nil && m.GRPC == nil && len(m.Methods)+len(m.Headers)+len(m.Query)+len(m.Cookies)+len(m.Sources) == 0
}

// match checks one alternative: every predicate is one that a request can meet.
func (c *checker) match(m *spec.Match, at string) {
	if isEmpty(m) {
		c.problem(at, "an empty match takes every request", "leave match out for that, or name path, methods or headers")
	}
	if p := m.Path; p != nil {
		c.path(p.Exact, spec.At(at, "path.exact"))
		c.path(p.Prefix, spec.At(at, "path.prefix"))
		c.pathRegex(p.Regex, spec.At(at, "path.regex"))
	}
	if m.GRPC != nil {
		c.grpc(m, spec.At(at, "grpc"))
	}
	c.methods(m.Methods, spec.At(at, "methods"))
	c.sources(m.Sources, spec.At(at, "sources"))
	c.headers(m.Headers, spec.At(at, "headers"))
	for _, name := range slices.Sorted(maps.Keys(m.Query)) {
		path := spec.At(at, "query", name)
		if name == "" {
			c.problem(path, "a parameter has no name", "write one such as version")
		}
		c.text(m.Query[name], path)
	}
	for _, name := range slices.Sorted(maps.Keys(m.Cookies)) {
		path := spec.At(at, "cookies", name)
		if !isToken(name) {
			c.problem(path, fmt.Sprintf("%q is not the name of a cookie", name), "use letters, digits, - and _")
		}
		c.text(m.Cookies[name], path)
	}
}

// methods are those of RFC 9110, section 9, and PATCH.
var methods = [...]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE"}

func (c *checker) methods(list []string, at string) {
	for i, method := range list {
		path := spec.At(at, i)
		switch upper := strings.ToUpper(method); {
		case !isToken(method):
			c.problem(path, fmt.Sprintf("%q is not a method", method), "use one such as GET")
		case slices.Contains(list[:i], method):
			c.warning(path, fmt.Sprintf("the method %q is listed twice", method), "")
		case upper != method && slices.Contains(methods[:], upper):
			c.warning(path, fmt.Sprintf("no client sends %q: methods are compared with their case", method), fmt.Sprintf("write %q", upper))
		}
	}
}

func (c *checker) headers(headers map[string]spec.TextMatch, at string) {
	seen := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		path := spec.At(at, name)
		key := strings.ToLower(name)
		if !isToken(name) {
			c.problem(path, fmt.Sprintf("%q is not the name of a header", name), "use one such as X-Version")
		} else if other, ok := seen[key]; ok {
			c.problem(path, fmt.Sprintf("%q and %q are one header", other, name), "name it once")
		}
		seen[key] = name
		if key == "host" {
			c.warning(path, "the host is matched by hosts, without its port and whatever its case", "use hosts of the route")
		}
		c.text(headers[name], path)
	}
}

// text checks how a value is to be.
func (c *checker) text(m spec.TextMatch, at string) {
	if m.Regex != "" {
		c.regex(m.Regex, spec.At(at, "regex"))
	}
	for _, part := range []struct{ key, text string }{{"exact", m.Exact}, {"prefix", m.Prefix}} {
		if strings.ContainsFunc(part.text, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			c.warning(spec.At(at, part.key), fmt.Sprintf("%q holds a control character, which hardly any request has", part.text), "")
		}
	}
}

// regex compiles a regular expression as the tables do.
func (c *checker) regex(pattern, at string) bool {
	_, err := spec.CompileRegex(pattern)
	if err != nil {
		what, help, _ := strings.Cut(err.Error(), "; ")
		c.problem(at, what, help)
	}
	return err == nil
}

// pathRegex checks a regular expression for whole paths, all of which begin with
// a slash.
func (c *checker) pathRegex(pattern, at string) {
	if pattern == "" || !c.regex(pattern, at) {
		return
	}
	if literal := spec.RegexLiteral(pattern); literal != "" && literal[0] != '/' {
		c.warning(at, fmt.Sprintf("%q matches no path: a path begins with a slash, and the whole of it must match", pattern), fmt.Sprintf("write %q", "/"+pattern))
	}
}

// grpc checks the names of a service and a method, and that nothing else speaks
// of the path.
func (c *checker) grpc(m *spec.Match, at string) {
	if m.Path != nil {
		c.problem(at, "grpc and path both speak of the path", "leave out one or the other")
	}
	for _, part := range []struct{ key, name, like string }{
		{"service", m.GRPC.Service, "helloworld.Greeter"}, {"method", m.GRPC.Method, "SayHello"},
	} {
		bad := strings.ContainsFunc(part.name, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && (r != '.' || part.key == "method")
		})
		if bad {
			c.problem(spec.At(at, part.key), fmt.Sprintf("%q is not the name of a %s", part.name, part.key), "write one such as "+part.like)
		}
	}
	if len(m.Methods) > 0 && !slices.Contains(m.Methods, "POST") {
		c.warning(at, "every call of gRPC is a POST request, which methods does not list", "leave methods out")
	}
}

// sources checks the networks of clients.
func (c *checker) sources(list []netip.Prefix, at string) {
	for i, p := range list {
		if p != p.Masked() {
			c.warning(spec.At(at, i), fmt.Sprintf("%s has bits beyond its length, which do not count", p), fmt.Sprintf("write %s", p.Masked()))
		}
		for j, other := range list[:i] {
			if other.Bits() <= p.Bits() && other.Contains(p.Addr()) {
				c.warning(spec.At(at, i), fmt.Sprintf("%s is in %s, which is listed too", p, list[j]), "leave it out")
				break
			}
		}
	}
}

// path checks a path to match, which is compared with the path of a request as
// it was sent, dot segments removed.
func (c *checker) path(p, at string) {
	switch {
	case p == "":
	case p[0] != '/':
		c.problem(at, fmt.Sprintf("%q does not begin with a slash", p), fmt.Sprintf("write %q", "/"+p))
	case strings.ContainsAny(p, "?#"):
		c.problem(at, fmt.Sprintf("%q is more than a path", p), "leave out what follows it, and match a query with query")
	case strings.ContainsFunc(p, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		c.problem(at, fmt.Sprintf("%q holds a character that no request has in its path", p), "write it percent-encoded")
	case strings.HasSuffix(p, "*"):
		c.warning(at, fmt.Sprintf("%q matches a star, not everything", p), "a prefix needs no star")
	default:
		for s := range strings.SplitSeq(p, "/") {
			if s == "." || s == ".." {
				c.problem(at, fmt.Sprintf("%q holds the segment %q, which no request has when it is matched", p, s), "leave it out")
				return
			}
		}
	}
}
