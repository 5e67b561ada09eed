// Package route matches a request against the routes of one listener.
//
// The most specific host wins: an exact name, then the longest wildcard (a
// wildcard stands for one or more labels), then the routes without hosts. Only
// the routes that name that host are looked at, in the listener's order, and
// the first rule that matches takes the request. It is pure, allocates nothing
// per request, and costs what the answer costs, not what the table holds.
// Start reading at Table.Match; Table.Explain is the same walk, out loud.
package route

import (
	"fmt"
	"strings"

	"portico/l7/message"
	"portico/spec"
)

// Table is the compiled, immutable routing table of one listener.
type Table struct {
	exact    map[string]*chain // by host
	wildcard map[string]*chain // by ".example.com"
	any      *chain            // routes without hosts; nil when there are none
	rules    []*Rule
}

// Rule is one compiled rule of a route.
type Rule struct {
	// ID numbers the rules of a table from 0 without gaps, so that a caller can
	// keep what it knows of each in a slice.
	ID int
	// Route and Index say where the rule is written.
	Route *spec.Route
	Index int
	Spec  *spec.Rule

	alternatives []alternative
	weights      []uint64 // running sums over Spec.TargetGroups
	seeds        []uint64 // of Spec.TargetGroups
}

// Found is a rule that matched, and by which path.
type Found struct {
	Rule *Rule
	// Path is the exact path or the prefix that matched, without a trailing
	// slash; "" when the whole path space did, or a regular expression.
	Path string
}

// Compile makes the table of a listener's routes, in the listener's order. The
// routes are kept and must not change any more. It fails for a regular expression
// that is none, which spec/check refuses.
func Compile(routes []*spec.Route) (*Table, error) {
	t := &Table{exact: map[string]*chain{}, wildcard: map[string]*chain{}}
	exact, wildcard := map[string][]*Rule{}, map[string][]*Rule{}
	var everywhere []*Rule
	for _, r := range routes {
		rules, err := t.add(r)
		if err != nil {
			return nil, fmt.Errorf("route %q: %w", r.Name, err)
		}
		if len(r.Hosts) == 0 {
			everywhere = append(everywhere, rules...)
		}
		seen := map[string]bool{}
		for _, h := range r.Hosts {
			h = normalize(h)
			if seen[h] {
				continue
			}
			seen[h] = true
			if suffix, ok := strings.CutPrefix(h, "*."); ok {
				wildcard["."+suffix] = append(wildcard["."+suffix], rules...)
			} else {
				exact[h] = append(exact[h], rules...)
			}
		}
	}
	for h, rules := range exact {
		t.exact[h] = newChain(rules)
	}
	for h, rules := range wildcard {
		t.wildcard[h] = newChain(rules)
	}
	if everywhere != nil {
		t.any = newChain(everywhere)
	}
	return t, nil
}

// add compiles the rules of one route.
func (t *Table) add(r *spec.Route) ([]*Rule, error) {
	first := len(t.rules)
	for i := range r.Rules {
		rule := &Rule{ID: len(t.rules), Route: r, Index: i, Spec: &r.Rules[i]}
		alternatives, err := newAlternatives(rule)
		if err != nil {
			return nil, fmt.Errorf("rules[%d]: %w", i, err)
		}
		rule.alternatives = alternatives
		rule.weights, rule.seeds = newWeights(rule.Spec.TargetGroups), newSeeds(rule.Spec.TargetGroups)
		t.rules = append(t.rules, rule)
	}
	return t.rules[first:len(t.rules):len(t.rules)], nil
}

// Rules lists all rules by ID; the caller must not change the slice.
func (t *Table) Rules() []*Rule { return t.rules }

// Match finds the rule that takes a request; without one it returns false.
func (t *Table) Match(r *message.Request) (Found, bool) {
	c, _ := t.chain(r.Host)
	if c == nil {
		return Found{}, false
	}
	return c.match(r)
}

// hostKind says which part of a table a host belongs to.
type hostKind uint8

const (
	hostNone hostKind = iota
	hostExact
	hostWildcard
	hostAny
)

// chain finds the rules for a host, which is in lower case and without a port.
func (t *Table) chain(host []byte) (*chain, hostKind) {
	if n := len(host); n > 0 && host[n-1] == '.' {
		host = host[:n-1] // example.com. and example.com are one name
	}
	if c := t.exact[string(host)]; c != nil {
		return c, hostExact
	}
	if len(t.wildcard) > 0 {
		for i, b := range host {
			if b != '.' || i == 0 {
				continue
			}
			if c := t.wildcard[string(host[i:])]; c != nil {
				return c, hostWildcard
			}
		}
	}
	if t.any != nil {
		return t.any, hostAny
	}
	return nil, hostNone
}

// normalize writes a host as message.Request.Host has it.
func normalize(host string) string {
	return strings.TrimSuffix(strings.ToLower(host), ".")
}
