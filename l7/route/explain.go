package route

import (
	"fmt"
	"strings"

	"portico/l7/message"
	"portico/spec/status"
)

// linesMax bounds what Explain says of rules that did not match: what a person
// would still read.
const linesMax = 200

// Explain matches as Match does, and says which routes were looked at and what
// each rule tried failed on, up to and with the one that took the request.
func (t *Table) Explain(r *message.Request) (Found, bool, []status.Line) {
	c, kind := t.chain(r.Host)
	lines := []status.Line{{Text: hostText(r.Host, kind, c)}}
	if c == nil {
		return Found{}, false, lines
	}
	left := 0
	add := func(l status.Line) {
		if len(lines) >= linesMax && l.Mark != "+" {
			left++
			return
		}
		lines = append(lines, l)
	}
	for i := range c.alternatives {
		a := &c.alternatives[i]
		v := a.check(r)
		if v == holds {
			if left > 0 {
				lines = append(lines, status.Line{Mark: "-", Text: fmt.Sprintf("and %d more that did not match", left)})
			}
			add(status.Line{Mark: "+", Text: a.rule.String() + ": " + a.text()})
			return c.found(i), true, lines
		}
		add(status.Line{Mark: "-", Text: a.rule.String() + ": " + a.why(v, r)})
	}
	if left > 0 {
		lines = append(lines, status.Line{Mark: "-", Text: fmt.Sprintf("and %d more that did not match", left)})
	}
	return Found{}, false, lines
}

// String names the rule as messages do: route "shop" rule 2, counted from 0 as
// the paths of problems are.
func (r *Rule) String() string {
	return fmt.Sprintf("route %q rules[%d]", r.Route.Name, r.Index)
}

func hostText(host []byte, kind hostKind, c *chain) string {
	switch kind {
	case hostExact:
		return fmt.Sprintf("host %q is named by %s", host, c.routes())
	case hostWildcard:
		return fmt.Sprintf("host %q falls to the longest wildcard, of %s", host, c.routes())
	case hostAny:
		return fmt.Sprintf("host %q is named by no route; %s takes every host", host, c.routes())
	default:
		return fmt.Sprintf("host %q is named by no route, and no route takes every host", host)
	}
}

// routes lists the chain's routes in order, the first few by name.
func (c *chain) routes() string {
	const namesMax = 5
	var names []string
	for i, r := range c.rules {
		if i > 0 && c.rules[i-1].Route == r.Route {
			continue
		}
		if len(names) == namesMax {
			names = append(names, "…")
			break
		}
		names = append(names, fmt.Sprintf("route %q", r.Route.Name))
	}
	return strings.Join(names, ", ")
}

// text says what the alternative asks for.
func (a *alternative) text() string {
	var parts []string
	switch a.kind {
	case pathExact:
		parts = append(parts, fmt.Sprintf("path is %q", a.path))
	case pathPrefix:
		parts = append(parts, fmt.Sprintf("path is under %q", a.path))
	case pathAny:
	}
	if len(a.methods) > 0 {
		parts = append(parts, "method is "+strings.Join(a.methods, " or "))
	}
	for _, h := range a.headers {
		parts = append(parts, fmt.Sprintf("header %s is %q", h.name, h.value))
	}
	if len(parts) == 0 {
		return "takes every request"
	}
	return strings.Join(parts, ", ")
}

// why says which part failed, and on what.
func (a *alternative) why(v verdict, r *message.Request) string {
	switch v {
	case holds:
		return ""
	case failsPath:
		if a.kind == pathExact {
			return fmt.Sprintf("path %q is not %q", r.Path, a.path)
		}
		return fmt.Sprintf("path %q is not under %q", r.Path, a.path)
	case failsMethod:
		return fmt.Sprintf("method %s is not %s", r.Method, strings.Join(a.methods, " or "))
	default:
		h := a.headers[v-failsHeader]
		if got := message.Get(r.Fields, h.name); got != nil {
			return fmt.Sprintf("header %s is %q, not %q", h.name, got, h.value)
		}
		return fmt.Sprintf("there is no header %s", h.name)
	}
}
