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

// Tried is one alternative of a rule that a request was compared with.
type Tried struct {
	Rule *Rule
	// Match is its index in Rule.Spec.Match; -1 where the rule names none.
	Match int
	Holds bool
	// Predicate is the first that does not hold, as a spec names it: path, grpc,
	// method, source, header x-beta, query v or cookie c; empty where all hold.
	Predicate string
	// Want is what the predicate, or an alternative that holds, asks for, and Saw
	// what the request has there; empty where it has nothing.
	Want, Saw string
	// Why says it in words.
	Why string
}

// Try matches as Match does, and lists the alternatives of the host's routes in the
// order they are tried, up to and with the one that holds.
func (t *Table) Try(r *message.Request) (Found, bool, []Tried) {
	c, _ := t.chain(r.Host)
	if c == nil {
		return Found{}, false, nil
	}
	var all []Tried
	for i := range c.alternatives {
		a := &c.alternatives[i]
		tried := a.explain(a.check(r), r)
		all = append(all, tried)
		if tried.Holds {
			return c.found(i), true, all
		}
	}
	return Found{}, false, all
}

// Explain says in lines what Try finds: which routes were looked at and what each
// rule tried failed on.
func (t *Table) Explain(r *message.Request) (Found, bool, []status.Line) {
	c, kind := t.chain(r.Host)
	lines := []status.Line{{Text: hostText(r.Host, kind, c)}}
	found, ok, all := t.Try(r)
	failed := all
	if ok {
		failed = all[:len(all)-1]
	}
	for _, x := range failed[:min(len(failed), linesMax-1)] {
		lines = append(lines, x.line("-"))
	}
	if left := len(failed) - (linesMax - 1); left > 0 {
		lines = append(lines, status.Line{Mark: "-", Text: fmt.Sprintf("and %d more that did not match", left)})
	}
	if ok {
		lines = append(lines, all[len(all)-1].line("+"))
	}
	return found, ok, lines
}

// line is the same for people and for programs. Of a rule with several alternatives
// it says which.
func (x *Tried) line(mark string) status.Line {
	at := x.Rule.String()
	if len(x.Rule.Spec.Match) > 1 {
		at += fmt.Sprintf(" match[%d]", x.Match)
	}
	return status.Line{Mark: mark, Text: at + ": " + x.Why, Tried: &status.Tried{
		Route: x.Rule.Route.Name, Rule: x.Rule.Index, Match: x.Match, Holds: x.Holds,
		Predicate: x.Predicate, Want: x.Want, Saw: x.Saw,
	}}
}

// String names the rule as messages do: route "shop" rules[2], counted from 0 as
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

// explain says what a verdict over the alternative means.
func (a *alternative) explain(v verdict, r *message.Request) Tried {
	x := Tried{Rule: a.rule, Match: a.index}
	switch v {
	case holds:
		x.Holds, x.Want = true, a.text()
		x.Why = x.Want
		return x
	case failsPath:
		x.Predicate, x.Want, x.Saw = "path", a.path.want(), string(r.Path)
		x.Why = fmt.Sprintf("path %q is not %s", r.Path, x.Want)
	case failsGRPC:
		x.Predicate, x.Want, x.Saw = "grpc", "application/grpc", string(message.Get(r.Fields, "content-type"))
		x.Why = fmt.Sprintf("content type %q is not that of gRPC", x.Saw)
	case failsMethod:
		x.Predicate, x.Want, x.Saw = "method", strings.Join(a.methods, " or "), string(r.Method)
		x.Why = fmt.Sprintf("method %s is not %s", x.Saw, x.Want)
	case failsConnect:
		x.Predicate, x.Want, x.Saw = "connect", "CONNECT", string(r.Method)
		x.Why = fmt.Sprintf("method %s is not CONNECT", x.Saw)
		if !a.rule.Spec.Connect {
			x.Want, x.Why = "another method", "the rule does not take CONNECT (connect: true)"
		}
	case failsSource:
		x.Predicate, x.Want, x.Saw = "source", a.networks(), r.Client.Addr().String()
		x.Why = fmt.Sprintf("client %s is not in %s", x.Saw, x.Want)
	default:
		t := &a.texts[v-failsText]
		saw, any := t.seen(r)
		x.Predicate, x.Want, x.Saw = t.String(), t.asks(), string(saw)
		x.Why = t.why(saw, any)
	}
	return x
}

// text says what the alternative asks for.
func (a *alternative) text() string {
	var parts []string
	if a.path.kind != pathAny {
		parts = append(parts, "path is "+a.path.want())
	}
	if a.grpc {
		parts = append(parts, "it is a call of gRPC")
	}
	if len(a.methods) > 0 {
		parts = append(parts, "method is "+strings.Join(a.methods, " or "))
	}
	if len(a.sources) > 0 {
		parts = append(parts, "client is in "+a.networks())
	}
	for i := range a.texts {
		parts = append(parts, a.texts[i].String()+" "+a.texts[i].asks())
	}
	if len(parts) == 0 {
		return "takes every request"
	}
	return strings.Join(parts, ", ")
}

func (a *alternative) networks() string {
	var names []string
	for _, p := range a.sources {
		names = append(names, p.String())
	}
	return strings.Join(names, " or ")
}

// want says what the path should be, after "is" or "is not".
func (p *pathMatch) want() string {
	switch p.kind {
	case pathPrefix:
		return fmt.Sprintf("under %q", p.text)
	case pathRegex:
		return "like " + p.text
	case pathService:
		return fmt.Sprintf("of a method of %q", p.text[1:])
	case pathMethod:
		return fmt.Sprintf("of the method %q of a service", p.text)
	default:
		return fmt.Sprintf("%q", p.text)
	}
}

// String names the value: header x-beta.
func (t *text) String() string { return t.place.String() + " " + t.name }

// asks says what the value should be, after its name.
func (t *text) asks() string {
	switch t.kind {
	case textPrefix:
		return fmt.Sprintf("begins with %q", t.want)
	case textRegex:
		return "is like " + t.want
	case textPresent:
		return "is there"
	case textAbsent:
		return "is not there"
	default:
		return fmt.Sprintf("is %q", t.want)
	}
}

// why says on what it failed: the first value that there is.
func (t *text) why(saw []byte, any bool) string {
	switch {
	case t.kind == textAbsent:
		return fmt.Sprintf("%s is there: %q", t, saw)
	case !any:
		return fmt.Sprintf("there is no %s", t)
	case t.kind == textExact:
		return fmt.Sprintf("%s is %q, not %q", t, saw, t.want)
	case t.kind == textPrefix:
		return fmt.Sprintf("%s is %q, which does not begin with %q", t, saw, t.want)
	default:
		return fmt.Sprintf("%s is %q, which is not like %s", t, saw, t.want)
	}
}
