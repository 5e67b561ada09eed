package check

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"portico/spec"
)

// routes checks hosts, rules, and that every rule can be reached.
func (c *checker) routes() {
	for i := range c.Routes {
		r, at := &c.Routes[i], spec.At("routes", i)
		for j, h := range r.Hosts {
			c.host(h, spec.At(at, "hosts", j))
			if slices.ContainsFunc(r.Hosts[:j], func(b string) bool { return lower(b) == lower(h) }) {
				c.warning(spec.At(at, "hosts", j), fmt.Sprintf("the host %q is listed twice", h), "")
			}
		}
		if len(r.Rules) == 0 {
			c.problem(spec.At(at, "rules"), fmt.Sprintf("route %q has no rules", r.Name), "add one: - targetGroups: [web]")
		}
		for j := range r.Rules {
			c.rule(&r.Rules[j], spec.At(at, "rules", j))
		}
		c.shadowed(r, at)
	}
}

func (c *checker) rule(r *spec.Rule, at string) {
	answers := slices.ContainsFunc(r.Filters, func(f spec.Choice) bool { return f.Name == "respond" || f.Name == "redirect" })
	if len(r.TargetGroups) == 0 && !answers {
		c.problem(at, "the rule sends requests nowhere", "name target groups, or use the filter respond or redirect")
	}
	if c.groupRefs(r.TargetGroups, spec.At(at, "targetGroups")) {
		c.warning(spec.At(at, "targetGroups"), "every target group has weight 0, so every request is refused", "give one a weight")
	}
	if s := r.Sticky; s != nil && s.Cookie != nil && !isToken(s.Cookie.Name) {
		c.problem(spec.At(at, "sticky.cookie.name"), fmt.Sprintf("%q is not the name of a cookie", s.Cookie.Name), "use letters, digits, - and _")
	}
	for i := range r.Match {
		c.match(&r.Match[i], spec.At(at, "match", i))
	}
}

func (c *checker) match(m *spec.Match, at string) {
	if m.Path == nil && len(m.Methods) == 0 && len(m.Headers) == 0 {
		c.problem(at, "an empty match takes every request", "leave match out for that, or name path, methods or headers")
	}
	if p := m.Path; p != nil {
		c.path(p.Exact, spec.At(at, "path.exact"))
		c.path(p.Prefix, spec.At(at, "path.prefix"))
	}
	for i, method := range m.Methods {
		path := spec.At(at, "methods", i)
		switch upper := strings.ToUpper(method); {
		case !isToken(method):
			c.problem(path, fmt.Sprintf("%q is not a method", method), "use one such as GET")
		case slices.Contains(m.Methods[:i], method):
			c.warning(path, fmt.Sprintf("the method %q is listed twice", method), "")
		case upper != method && slices.Contains(methods[:], upper):
			c.warning(path, fmt.Sprintf("no client sends %q: methods are compared with their case", method), fmt.Sprintf("write %q", upper))
		}
	}
	seen := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(m.Headers)) {
		path := spec.At(at, "headers", name)
		key := strings.ToLower(name)
		if !isToken(name) {
			c.problem(path, fmt.Sprintf("%q is not the name of a header", name), "use one such as X-Version")
		} else if other, ok := seen[key]; ok {
			c.problem(path, fmt.Sprintf("%q and %q are one header", other, name), "name it once")
		}
		seen[key] = name
	}
}

// methods are those of RFC 9110, section 9, and PATCH.
var methods = [...]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE"}

// path checks a path to match, which is compared with the path of a request as
// it was sent, dot segments removed.
func (c *checker) path(p, at string) {
	switch {
	case p == "":
	case p[0] != '/':
		c.problem(at, fmt.Sprintf("%q does not begin with a slash", p), fmt.Sprintf("write %q", "/"+p))
	case strings.ContainsAny(p, "?#"):
		c.problem(at, fmt.Sprintf("%q is more than a path", p), "leave out what follows it")
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

// host checks an exact host, or *. and one.
func (c *checker) host(h, at string) {
	name := strings.TrimPrefix(lower(h), "*.")
	if isHost(name) {
		return
	}
	help := "use one such as myapp.example.com or *.example.com"
	switch host, port, ok := strings.Cut(name, ":"); {
	case strings.Contains(h, "/"):
		help = "leave out the scheme and the path"
	case ok && isHost(host) && port != "":
		help = "leave out the port; a listener has it"
	case strings.Contains(name, "*"):
		help = "a star stands for the first labels, as in *.example.com"
	case strings.ContainsFunc(name, func(r rune) bool { return r >= 0x80 }):
		help = "write an international name as its xn-- form"
	}
	c.problem(at, fmt.Sprintf("%q is not a host", h), help)
}

// isHost reports whether a lower-case name is that of a host, or its address as
// it stands in a Host header.
func isHost(name string) bool {
	if inner, ok := strings.CutPrefix(name, "["); ok {
		_, err := netip.ParseAddr(strings.TrimSuffix(inner, "]"))
		return err == nil && strings.HasSuffix(inner, "]")
	}
	return isDomain(name)
}

// The bounds of a domain name (RFC 1035, section 2.3.4), without its last dot.
const (
	domainMax = 253
	labelMax  = 63
)

func isDomain(name string) bool {
	if name == "" || len(name) > domainMax {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		bad := strings.ContainsFunc(label, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_'
		})
		if bad || label == "" || len(label) > labelMax || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
	}
	return true
}

// isToken reports whether s is a token (RFC 9110, section 5.6.2).
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	})
}
