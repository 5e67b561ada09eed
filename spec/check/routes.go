package check

import (
	"fmt"
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
		c.listenerTimeouts(&r.Timeouts, at)
	}
}

// listenerTimeouts warns of those that only a listener can have.
func (c *checker) listenerTimeouts(t *spec.Timeouts, at string) {
	for _, only := range []struct {
		key   string
		given spec.Duration
	}{{"head", t.Head}, {"idle", t.Idle}} {
		if only.given != 0 {
			c.warning(spec.At(at, "timeouts", only.key), "no rule is known yet when this time runs, so it is not used", "say it in the timeouts of the listener")
		}
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
	if r.Connect {
		c.tunnel(r, spec.At(at, "connect"))
	}
	c.split(r, spec.At(at, "split"))
	c.listenerTimeouts(&r.Timeouts, at)
	for i := range r.Match {
		c.match(&r.Match[i], spec.At(at, "match", i))
	}
}

// tunnel checks that a rule which takes CONNECT has targets that a tunnel can end at.
func (c *checker) tunnel(r *spec.Rule, at string) {
	for _, ref := range r.TargetGroups {
		for i := range c.TargetGroups {
			if g := &c.TargetGroups[i]; g.Name == ref.Name && g.Protocol != "" && g.Protocol != spec.TargetHTTP1 {
				c.problem(at, fmt.Sprintf("target group %q speaks %s, which carries no tunnel of other bytes", g.Name, g.Protocol),
					"make a group of its own for tunnels, without protocol")
			}
		}
	}
}

// split checks by what the requests of a rule are parted.
func (c *checker) split(r *spec.Rule, at string) {
	if r.Split == nil {
		return
	}
	if len(r.TargetGroups) < 2 {
		c.warning(at, "there are no two target groups to split requests among", "name another, or leave split out")
	}
	for _, part := range []struct{ key, name string }{{"header", r.Split.Header}, {"cookie", r.Split.Cookie}} {
		if part.name != "" && !isToken(part.name) {
			c.problem(spec.At(at, part.key), fmt.Sprintf("%q is not the name of a %s", part.name, part.key), "use letters, digits, - and _")
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
