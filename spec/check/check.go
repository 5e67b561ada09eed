// Package check judges a spec as a whole: references that lead nowhere, names
// given twice, listeners that fight for a socket, rules that nothing reaches.
//
// What comes in is a complete *spec.Spec, of any source; what goes out is every
// problem of it at once, each with its path. It is pure, never panics whatever
// the spec holds, and says nothing of what a single value may be (config has
// seen to that) or of what one tier alone can tell (each tier's own Check does).
//
// Start reading at Spec.
package check

import (
	"fmt"
	"strings"

	"portico/internal/suggest"
	"portico/spec"
)

// Spec lists every problem of a spec. Without any error among them every
// reference holds, and every listener has what its protocol needs.
func Spec(s *spec.Spec) []spec.Problem {
	c := &checker{Spec: s}
	c.index()
	c.sites()
	c.pools()
	c.vips()
	c.zones()
	c.certificates()
	c.listeners()
	c.routes()
	c.targetGroups()
	c.secrets()
	c.drain()
	return c.problems
}

// checker gathers problems, and knows where each name is defined.
type checker struct {
	*spec.Spec
	problems []spec.Problem

	siteAt     names
	nodeAt     names
	poolAt     names
	vipAt      names
	listenerAt names
	routeAt    names
	groupAt    names
	// route finds a route by its name; there may be many thousands.
	route map[spec.RouteName]*spec.Route
}

func (c *checker) problem(path, what, help string) {
	c.problems = append(c.problems, spec.Problem{Path: path, What: what, Help: help})
}

func (c *checker) warning(path, what, help string) {
	c.problems = append(c.problems, spec.Problem{Path: path, What: what, Help: help, Level: spec.Warning})
}

// names are the names of one noun, in order, and what defines each.
type names struct {
	noun string
	list []string
	at   map[string]string
}

// add defines a name, and reports one that is defined already. An empty name is
// one that could not be read; that was said where it was.
func (n *names) add(c *checker, name, path string) {
	if name == "" {
		return
	}
	if n.at == nil {
		n.at = map[string]string{}
	}
	if first, ok := n.at[name]; ok {
		c.problem(spec.At(path, "name"), fmt.Sprintf("%q is already the name of %s", name, first), "names are given once")
		return
	}
	n.at[name] = path
	n.list = append(n.list, name)
}

// has reports whether a name is defined, and else says so at path.
func (n *names) has(c *checker, name, path string) bool {
	if _, ok := n.at[name]; ok {
		return true
	}
	if name != "" {
		c.problem(path, fmt.Sprintf("no %s named %q", n.noun, name), suggest.Defined(name, n.list))
	}
	return false
}

// index notes where every name is defined.
func (c *checker) index() {
	c.siteAt.noun, c.nodeAt.noun, c.poolAt.noun, c.vipAt.noun = "site", "node", "pool", "VIP"
	c.listenerAt.noun, c.routeAt.noun, c.groupAt.noun = "listener", "route", "target group"
	for i := range c.Sites {
		at := spec.At("sites", i)
		c.siteAt.add(c, string(c.Sites[i].Name), at)
		for j := range c.Sites[i].Nodes {
			c.nodeAt.add(c, string(c.Sites[i].Nodes[j].Name), spec.At(at, "nodes", j))
		}
	}
	for i := range c.Pools {
		c.poolAt.add(c, string(c.Pools[i].Name), spec.At("pools", i))
	}
	for i := range c.VIPs {
		c.vipAt.add(c, string(c.VIPs[i].Name), spec.At("vips", i))
	}
	for i := range c.Listeners {
		c.listenerAt.add(c, string(c.Listeners[i].Name), spec.At("listeners", i))
	}
	c.route = make(map[spec.RouteName]*spec.Route, len(c.Routes))
	for i := range c.Routes {
		r := &c.Routes[i]
		c.routeAt.add(c, string(r.Name), spec.At("routes", i))
		if c.route[r.Name] == nil {
			c.route[r.Name] = r
		}
	}
	for i := range c.TargetGroups {
		c.groupAt.add(c, string(c.TargetGroups[i].Name), spec.At("targetGroups", i))
	}
}

// groupRefs checks the target groups that a rule or a listener shares among. It
// reports whether all have weight 0.
func (c *checker) groupRefs(refs []spec.GroupRef, path string) (noWeight bool) {
	seen := map[spec.TargetGroupName]bool{}
	noWeight = len(refs) > 0
	for i, ref := range refs {
		at := spec.At(path, i)
		if c.groupAt.has(c, string(ref.Name), at) && seen[ref.Name] {
			c.problem(at, fmt.Sprintf("target group %q is named twice", ref.Name), "name it once, with the weights added up")
		}
		seen[ref.Name] = true
		noWeight = noWeight && ref.Weight == 0
	}
	return noWeight
}

// stickyKeyMin is the least that a key for signing cookies may have, in bytes.
const stickyKeyMin = 16

// secrets checks that sticky cookies are signed with keys that all nodes share.
func (c *checker) secrets() {
	for i, key := range c.Secrets.Sticky {
		if n := len(key.Value); n > 0 && n < stickyKeyMin {
			c.problem(spec.At("secrets.sticky", i), fmt.Sprintf("the key has %d bytes", n),
				fmt.Sprintf("use at least %d, such as the output of: openssl rand -hex 32", stickyKeyMin))
		}
	}
	if len(c.Secrets.Sticky) > 0 {
		return
	}
	for i := range c.Sites {
		if len(c.Sites[i].With(spec.RoleL7)) > 1 {
			c.stickyWithoutKey(c.Sites[i].Name)
			return
		}
	}
}

func (c *checker) stickyWithoutKey(site spec.SiteName) {
	for i := range c.Routes {
		for j := range c.Routes[i].Rules {
			if c.Routes[i].Rules[j].Sticky != nil {
				c.warning(spec.At("routes", i, "rules", j, "sticky"),
					fmt.Sprintf("site %q has several l7 nodes, and no key that they share: a cookie holds at the node that set it", site),
					"give them one in secrets.sticky")
				return
			}
		}
	}
}

// quoted lists at most a few names for a message.
func quoted[T ~string](list []T) string {
	words := make([]string, len(list))
	for i, w := range list {
		words[i] = string(w)
	}
	return suggest.List(words)
}

// lower is a host or a zone as it is compared: names in DNS ignore case, and one
// dot at the end.
func lower(name string) string { return strings.TrimSuffix(strings.ToLower(name), ".") }
