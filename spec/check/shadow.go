package check

import (
	"fmt"
	"slices"
	"strings"

	"portico/spec"
)

// alternative is one match of a rule, as requests are compared with it.
type alternative struct {
	rule    string // the path of the rule
	exact   bool
	path    string // of a prefix without its last slash; "" is every path
	methods []string
	headers map[string]string // by lower-case name
}

// alternatives lists what a rule takes.
func alternatives(r *spec.Rule, path string) []alternative {
	if len(r.Match) == 0 {
		return []alternative{{rule: path}}
	}
	list := make([]alternative, len(r.Match))
	for i, m := range r.Match {
		a := alternative{rule: path, methods: m.Methods, headers: make(map[string]string, len(m.Headers))}
		switch {
		case m.Path == nil:
		case m.Path.Exact != "":
			a.exact, a.path = true, m.Path.Exact
		default:
			a.path = strings.TrimRight(m.Path.Prefix, "/")
		}
		for name, value := range m.Headers {
			a.headers[strings.ToLower(name)] = value
		}
		list[i] = a
	}
	return list
}

// covers reports whether a takes every request that b takes, given that its path does.
func (a *alternative) covers(b *alternative) bool {
	if len(a.methods) > 0 {
		if len(b.methods) == 0 {
			return false
		}
		for _, m := range b.methods {
			if !slices.Contains(a.methods, m) {
				return false
			}
		}
	}
	for name, value := range a.headers {
		if v, ok := b.headers[name]; !ok || v != value {
			return false
		}
	}
	return true
}

// earlier holds the alternatives of rules that are tried before, by their path.
type earlier struct {
	exact, prefix map[string][]alternative
}

func newEarlier() *earlier {
	return &earlier{exact: map[string][]alternative{}, prefix: map[string][]alternative{}}
}

func (e *earlier) add(list []alternative) {
	for _, a := range list {
		if a.exact {
			e.exact[a.path] = append(e.exact[a.path], a)
		} else {
			e.prefix[a.path] = append(e.prefix[a.path], a)
		}
	}
}

// taker finds the rule that takes all that b takes, or "". Only the prefixes of
// b's path are looked at, so that a long route costs no more than a short one.
func (e *earlier) taker(b *alternative) string {
	if b.exact {
		if rule := first(e.exact[b.path], b); rule != "" {
			return rule
		}
	}
	for p := b.path; ; p = p[:max(strings.LastIndexByte(p, '/'), 0)] {
		if rule := first(e.prefix[p], b); rule != "" {
			return rule
		}
		if p == "" {
			return ""
		}
	}
}

func first(list []alternative, b *alternative) string {
	for i := range list {
		if list[i].covers(b) {
			return list[i].rule
		}
	}
	return ""
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
			c.warning(path, "no request reaches this rule: "+together(by)+" takes all that it matches", "move it up, or leave it out")
		}
		before.add(list)
	}
}

func together(rules []string) string {
	if len(rules) > 3 {
		return fmt.Sprintf("%s and %d more together", strings.Join(rules[:3], ", "), len(rules)-3)
	}
	return strings.Join(rules, " and ")
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
		c.warning(at, what+": "+together(by)+" takes all that it matches", "name it earlier, or give it other hosts")
	}
	e.add(own)
}
