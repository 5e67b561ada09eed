package filter

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"portico/l7/exchange"
	"portico/l7/http1"
	"portico/l7/message"
	"portico/spec"
)

// Headers are the parameters of requestHeaders and responseHeaders. Removing
// comes first, then setting, then adding.
type Headers struct {
	// Set replaces every line of a header by one with this value.
	Set map[string]string `json:"set,omitempty"`
	// Add adds a line and keeps those that are there.
	Add map[string]string `json:"add,omitempty"`
	// Remove removes every line of these headers.
	Remove []string `json:"remove,omitempty"`
}

// valueMax bounds a value in a filter, well below what targets take in a head.
const valueMax = 8 << 10

// Check refuses what is no header, or not the filter's to change.
func (h *Headers) Check() []spec.Problem {
	var problems []spec.Problem
	removed := map[string]bool{}
	for i, name := range h.Remove {
		problems = append(problems, checkName(spec.At("remove", i), name)...)
		removed[strings.ToLower(name)] = true
	}
	for _, part := range []struct {
		key    string
		values map[string]string
	}{{"set", h.Set}, {"add", h.Add}} {
		problems = append(problems, checkValues(part.key, part.values)...)
		for _, name := range slices.Sorted(maps.Keys(part.values)) {
			if removed[strings.ToLower(name)] {
				problems = append(problems, spec.Problemf(spec.At(part.key, name),
					"header %q is also in remove", name))
			}
		}
	}
	if len(h.Set)+len(h.Add)+len(h.Remove) == 0 {
		problems = append(problems, spec.Problem{What: "changes nothing", Help: "use set, add or remove"})
	}
	return problems
}

// checkValues checks the names and values of one map of headers.
func checkValues(key string, values map[string]string) []spec.Problem {
	var problems []spec.Problem
	seen := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		at := spec.At(key, name)
		problems = append(problems, checkName(at, name)...)
		problems = append(problems, checkValue(at, values[name])...)
		if other, ok := seen[strings.ToLower(name)]; ok {
			problems = append(problems, spec.Problemf(at, "headers %q and %q are the same", other, name))
		}
		seen[strings.ToLower(name)] = name
	}
	return problems
}

func checkValue(at, value string) []spec.Problem {
	switch {
	case !http1.ValidValue([]byte(value)):
		return []spec.Problem{{Path: at, What: fmt.Sprintf("%q holds a control character", value)}}
	case strings.Trim(value, " \t") != value:
		return []spec.Problem{{Path: at, What: fmt.Sprintf("%q begins or ends with a space", value)}}
	case len(value) > valueMax:
		return []spec.Problem{spec.Problemf(at, "the value has %d bytes; at most %d are allowed", len(value), valueMax)}
	}
	return nil
}

// checkName refuses names that are none, and those of framing and of one
// connection, which no filter may touch (RFC 9110, section 7.6.1).
func checkName(at, name string) []spec.Problem {
	if !http1.ValidName([]byte(name)) {
		return []spec.Problem{{Path: at, What: fmt.Sprintf("%q is not the name of a header", name)}}
	}
	switch strings.ToLower(name) {
	case "host":
		return []spec.Problem{{Path: at, What: fmt.Sprintf("%q is not a filter's to change", name), Help: "use rewrite: {host: …}"}}
	case "content-length", "transfer-encoding", "trailer", "te":
		return []spec.Problem{{Path: at, What: fmt.Sprintf("%q frames the message and is set by Portico alone", name)}}
	case "connection", "keep-alive", "proxy-connection", "upgrade", "expect":
		return []spec.Problem{{Path: at, What: fmt.Sprintf("%q belongs to one connection and is never passed on", name)}}
	}
	return nil
}

// edits are Headers, compiled.
type edits struct {
	remove   []string // in lower case
	set, add []message.Field
	lower    []string // the names of set, in lower case
}

func newEdits(h *Headers) *edits {
	e := &edits{set: fieldsOf(h.Set), add: fieldsOf(h.Add)}
	for _, name := range h.Remove {
		e.remove = append(e.remove, strings.ToLower(name))
	}
	for _, f := range e.set {
		e.lower = append(e.lower, strings.ToLower(string(f.Name)))
	}
	return e
}

// fieldsOf lists a map of headers by name.
func fieldsOf(m map[string]string) []message.Field {
	var fields []message.Field
	for _, name := range slices.Sorted(maps.Keys(m)) {
		fields = append(fields, message.Field{Name: []byte(name), Value: []byte(m[name])})
	}
	return fields
}

// apply edits fields in place.
func (e *edits) apply(fields []message.Field) []message.Field {
	for _, name := range e.remove {
		fields = message.Del(fields, name)
	}
	for i, name := range e.lower {
		fields = append(message.Del(fields, name), e.set[i])
	}
	return append(fields, e.add...)
}

func (e *edits) text() string {
	var parts []string
	for _, name := range e.remove {
		parts = append(parts, "removes "+name)
	}
	for _, f := range e.set {
		parts = append(parts, fmt.Sprintf("sets %s to %q", f.Name, f.Value))
	}
	for _, f := range e.add {
		parts = append(parts, fmt.Sprintf("adds %s with %q", f.Name, f.Value))
	}
	return strings.Join(parts, ", ")
}

type requestHeaders struct {
	requestOnly
	*edits
}

func newRequestHeaders(params any) Filter { return requestHeaders{edits: newEdits(params.(*Headers))} }

func (f requestHeaders) Request(req *message.Request, _ Match, _ *exchange.Decision) {
	req.Fields = f.apply(req.Fields)
}

func (f requestHeaders) Explain(*message.Request, Match) string { return f.text() }

type responseHeaders struct{ *edits }

func newResponseHeaders(params any) Filter { return responseHeaders{newEdits(params.(*Headers))} }

func (f responseHeaders) Request(*message.Request, Match, *exchange.Decision) {}
func (f responseHeaders) Explain(*message.Request, Match) string              { return f.text() }

func (f responseHeaders) Response(_ *message.Request, resp *message.Response, _ Match, _ *exchange.Decision) {
	resp.Fields = f.apply(resp.Fields)
}
