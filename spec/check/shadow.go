package check

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"portico/spec"
)

// earlier holds the alternatives of rules that are tried before. A spot is a path
// and one exact value that is asked for, if any is.
type earlier struct {
	exact, prefix map[spot][]alternative
	// regex has them by the segments that every match begins with.
	regex map[spot][]alternative
	// compiled remembers regular expressions; nil for one that is none.
	compiled map[string]*regexp.Regexp
}

type spot struct{ path, value string }

// spotMax bounds how many alternatives of one spot another is held against, so
// that a long route does not take long; beyond it a warning may be missed.
const spotMax = 256

func newEarlier() *earlier {
	return &earlier{
		exact: map[spot][]alternative{}, prefix: map[spot][]alternative{}, regex: map[spot][]alternative{},
		compiled: map[string]*regexp.Regexp{},
	}
}

func (e *earlier) add(list []alternative) {
	for _, a := range list {
		in := e.prefix
		switch a.kind {
		case prefixPath:
		case exactPath:
			in = e.exact
		case regexPath:
			in = e.regex
		case mistakenPath:
			continue
		}
		at := spot{path: a.segments()}
		if values := a.values(); len(values) > 0 {
			at.value = values[0]
		}
		if len(in[at]) < spotMax {
			in[at] = append(in[at], a)
		}
	}
}

// taker finds the rule that takes all that b takes, or "". Only what shares b's
// path and a value is looked at, so that a long route costs no more than a short one.
func (e *earlier) taker(b *alternative) string {
	if b.kind == mistakenPath {
		return ""
	}
	values := append(b.values(), "")
	if b.kind == exactPath {
		if rule := e.first(e.exact, b.path, values, b); rule != "" {
			return rule
		}
	}
	for p := b.segments(); ; p = p[:max(strings.LastIndexByte(p, '/'), 0)] {
		if rule := e.first(e.prefix, p, values, b); rule != "" {
			return rule
		}
		if b.kind != prefixPath {
			if rule := e.first(e.regex, p, values, b); rule != "" {
				return rule
			}
		}
		if p == "" {
			return ""
		}
	}
}

// first finds an alternative that covers b among those at a path.
func (e *earlier) first(in map[spot][]alternative, path string, values []string, b *alternative) string {
	for _, v := range values {
		list := in[spot{path, v}]
		for i := range list {
			if a := &list[i]; e.covers(a, b) && (a.kind != regexPath || e.like(a.regex, b)) {
				return a.rule
			}
		}
	}
	return ""
}

// like reports whether a regular expression matches every path that b takes.
func (e *earlier) like(pattern string, b *alternative) bool {
	return b.kind == regexPath && b.regex == pattern || b.kind == exactPath && e.matches(pattern, b.path)
}

func (e *earlier) matches(pattern, text string) bool {
	re, ok := e.compiled[pattern]
	if !ok {
		re, _ = spec.CompileRegex(pattern) // nil is reported where it stands
		e.compiled[pattern] = re
	}
	return re != nil && re.MatchString(text)
}

// takers lists the rules that together take all that a rule would; nil when
// something is left for it.
func (e *earlier) takers(list []alternative) []string {
	var rules []string
	for i := range list {
		rule := e.taker(&list[i])
		if rule == "" {
			return nil
		}
		if !slices.Contains(rules, rule) {
			rules = append(rules, rule)
		}
	}
	return rules
}

// shadowed warns of rules of a route that no request reaches.
func (c *checker) shadowed(r *spec.Route, at string) {
	before := newEarlier()
	for j := range r.Rules {
		path := spec.At(at, "rules", j)
		list := alternatives(&r.Rules[j], path)
		if by := before.takers(list); by != nil {
			c.warning(path, "no request reaches this rule: "+together(by)+" all that it matches", "move it up, or leave it out")
		}
		before.add(list)
	}
}

// together says that rules take something.
func together(rules []string) string {
	switch {
	case len(rules) == 1:
		return rules[0] + " takes"
	case len(rules) > 3:
		return fmt.Sprintf("%s and %d more together take", strings.Join(rules[:3], ", "), len(rules)-3)
	}
	return strings.Join(rules, " and ") + " take"
}

// sharedHosts warns of a host that two routes of a listener have, where the
// earlier one takes everything of it.
func (c *checker) sharedHosts(l *spec.Listener, at string) {
	before := map[string]*earlier{} // by host; "" is every host
	seen := map[spec.RouteName]bool{}
	for j, name := range l.Routes {
		routeAt, ok := c.routeAt.at[string(name)]
		if !ok || seen[name] {
			continue
		}
		seen[name] = true
		r := c.route[name]
		hosts := make([]string, 0, len(r.Hosts)+1)
		for _, h := range r.Hosts {
			if h = lower(h); !slices.Contains(hosts, h) {
				hosts = append(hosts, h)
			}
		}
		if len(r.Hosts) == 0 {
			hosts = append(hosts, "")
		}
		for _, h := range hosts {
			e := before[h]
			if e == nil {
				e = newEarlier()
				before[h] = e
			}
			c.sharedHost(e, r, routeAt, h, spec.At(at, "routes", j))
		}
	}
}

// sharedHost warns when nothing of a host is left for a route, and then lets it
// stand before those that follow.
func (c *checker) sharedHost(e *earlier, r *spec.Route, routeAt, host, at string) {
	var own []alternative
	for k := range r.Rules {
		own = append(own, alternatives(&r.Rules[k], spec.At(routeAt, "rules", k))...)
	}
	if by := e.takers(own); by != nil {
		what := fmt.Sprintf("no request for %q reaches route %q", host, r.Name)
		if host == "" {
			what = fmt.Sprintf("no request reaches route %q", r.Name)
		}
		c.warning(at, what+": "+together(by)+" all that it matches", "name it earlier, or give it other hosts")
	}
	e.add(own)
}
