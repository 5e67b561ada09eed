// Package filter changes requests and responses on their way, or answers
// requests itself.
//
// What comes in: a request that a rule took, later the response to it, and the
// memory of its exchange. What goes out: the same request and response edited in
// place, or a fixed answer. It does no I/O, and allocates nothing once the memory
// of an exchange has grown to what it needs.
//
// The filters are the entries of All; a new one is one file and one line there.
// Start reading at Filter, then Chain.
package filter

import (
	"fmt"
	"slices"
	"time"

	"portico/l7/exchange"
	"portico/l7/kept"
	"portico/l7/message"
	"portico/spec"
)

// Match is what filters need to know of how a request was matched.
type Match struct {
	// Prefix is the path that the rule matched by, without a trailing slash; ""
	// when it took the whole path space.
	Prefix string
	// HTTPS says that the client asked for https, here or of a trusted proxy.
	HTTPS bool
	// ID of the request, by which it is logged.
	ID []byte
	// Now is when the request came.
	Now time.Time
	// Visit is what the chain remembers of the request. It is nil where a request
	// is only explained: then nothing is counted.
	Visit *Visit
}

// Filter is one compiled step of a rule. It is immutable and serves many
// requests at once.
type Filter interface {
	// Request edits a request before a target is chosen, or answers it by
	// setting d.Fixed, after which no further filter sees the request. Values it
	// makes up live in d.Scratch, so that they last until the request ends.
	Request(req *message.Request, m Match, d *exchange.Decision)
	// Response edits the head of an answer: a target's, or one that a filter of
	// the rule made. Fields of framing are not in it, and are not to be added.
	Response(req *message.Request, resp *message.Response, m Match, d *exchange.Decision)
	// Explain says in one line what Request or Response would change.
	Explain(req *message.Request, m Match) string
}

// judge is implemented by filters that admit some requests and refuse others;
// what they said is counted.
type judge interface{ judges() }

// ender is implemented by filters that hold something for as long as a request.
type ender interface {
	// End gives it back. It is called once for each request that the chain saw,
	// also where this filter was not reached: then its mark is zero.
	End(v *Visit)
}

// Waiter is a Filter whose Request may set d.Pending instead, because it needs what
// somebody else works on. The filters after it see the request when that is done.
type Waiter interface {
	Filter
	// Resume does the rest of what Request would have done, d.Pending again
	// included. See exchange.Handler's Resume for when it is called.
	Resume(req *message.Request, m Match, d *exchange.Decision, now time.Time)
}

// Entry is one kind of filter: a line of All.
type Entry struct {
	Name    string
	Summary string
	// Params returns a pointer to new parameters, which implement spec.Checker.
	Params func() any
	// New compiles checked parameters; they are kept and must not change.
	New func(params any) Filter
}

// Kinds lists the table for package config.
func Kinds() []spec.Kind {
	kinds := make([]spec.Kind, len(All))
	for i, e := range All {
		kinds[i] = spec.Kind{Name: e.Name, Summary: e.Summary, Params: e.Params}
	}
	return kinds
}

// Chain is the filters of one rule, in their order. Its zero value does nothing.
type Chain struct {
	names   []string
	filters []Filter
	// changesResponses is false when no filter would look at a response, ends
	// when none waits for the end of a request.
	changesResponses, ends bool
}

// Compile makes the chain of a rule whose parameters were checked. It fails for
// a filter that All does not list. The place is where filters find what they hold
// beyond one spec; nil is nowhere.
func Compile(choices []spec.Choice, at *kept.Place) (Chain, error) {
	var c Chain
	for _, choice := range choices {
		i := slices.IndexFunc(All, func(e Entry) bool { return e.Name == choice.Name })
		if i < 0 {
			return Chain{}, fmt.Errorf("filter %q: no such filter", choice.Name)
		}
		params := choice.Params
		if params == nil {
			params = All[i].Params()
		}
		f := All[i].New(params)
		if h, ok := f.(kept.Holder); ok {
			at.Give(h, spec.Choice{Name: choice.Name, Params: params})
		}
		if e, ok := f.(kept.Employer); ok {
			at.Employ(e)
		}
		c.names = append(c.names, choice.Name)
		c.filters = append(c.filters, f)
		_, quiet := f.(interface{ onlyRequests() })
		c.changesResponses = c.changesResponses || !quiet
		_, waits := f.(ender)
		c.ends = c.ends || waits
	}
	return c, nil
}

// Judges lists the names of the filters by their place in the chain; it is empty
// for one that admits every request.
func (c *Chain) Judges() []string {
	names := make([]string, len(c.names))
	for i, f := range c.filters {
		if _, ok := f.(judge); ok {
			names[i] = c.names[i]
		}
	}
	return names
}

// Request runs the filters over a request, up to the first that answers it or has
// it wait. An answer is then filtered as a target's would be.
func (c *Chain) Request(req *message.Request, m Match, d *exchange.Decision) {
	if m.Visit == nil {
		m.Visit = &Visit{}
	}
	m.Visit.begin(len(c.filters))
	c.from(0, req, m, d)
}

// Resume goes on with the filter that had the request wait, with the same Match.
func (c *Chain) Resume(req *message.Request, m Match, d *exchange.Decision, now time.Time) {
	i := m.Visit.at
	c.filters[i].(Waiter).Resume(req, m, d, now)
	if !c.stops(req, m, d) {
		c.from(i+1, req, m, d)
	}
}

func (c *Chain) from(i int, req *message.Request, m Match, d *exchange.Decision) {
	for ; i < len(c.filters); i++ {
		m.Visit.at = i
		if c.filters[i].Request(req, m, d); c.stops(req, m, d) {
			return
		}
	}
}

// stops reports whether a filter ended the request's way through the chain.
func (c *Chain) stops(req *message.Request, m Match, d *exchange.Decision) bool {
	if d.Fixed != nil {
		c.Fixed(req, m, d)
	}
	return d.Fixed != nil || d.Pending
}

// Fixed runs the filters over d.Fixed: the answer of one of them, or of Portico to a
// request that went wrong after Request saw it.
func (c *Chain) Fixed(req *message.Request, m Match, d *exchange.Decision) {
	if !c.changesResponses {
		return
	}
	f, resp := d.Fixed, &m.Visit.resp
	*resp = message.Response{
		Status: f.Status, Fields: f.Fields, Framing: message.Length, Length: int64(len(f.Body)), Minor: 1,
	}
	c.Response(req, resp, m, d)
	f.Status, f.Fields = resp.Status, resp.Fields
}

// Response runs the filters over the head of an answer to a request that Request saw.
func (c *Chain) Response(req *message.Request, resp *message.Response, m Match, d *exchange.Decision) {
	if !c.changesResponses {
		return
	}
	for i, f := range c.filters {
		m.Visit.at = i
		f.Response(req, resp, m, d)
	}
}

// End gives back what the filters held for a request that is over.
func (c *Chain) End(v *Visit) {
	if !c.ends || len(v.marks) == 0 {
		return
	}
	for i, f := range c.filters {
		if e, ok := f.(ender); ok {
			v.at = i
			e.End(v)
		}
	}
}

// Explain runs the filters over a request as Request does, and says one line for
// each: its name and what it changes. Nothing is counted.
func (c *Chain) Explain(req *message.Request, m Match, d *exchange.Decision) []string {
	var lines []string
	m.Visit = nil
	for i, f := range c.filters {
		lines = append(lines, c.names[i]+": "+f.Explain(req, m))
		if f.Request(req, m, d); d.Fixed != nil {
			break
		}
	}
	return lines
}

// requestOnly is embedded by filters that leave responses alone.
type requestOnly struct{}

func (requestOnly) onlyRequests() {}

func (requestOnly) Response(*message.Request, *message.Response, Match, *exchange.Decision) {}

// keep appends to the memory of an exchange and returns what was appended.
func keep(d *exchange.Decision, from int) []byte {
	return d.Scratch[from:len(d.Scratch):len(d.Scratch)]
}
