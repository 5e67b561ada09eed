package filter

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"portico/l7/exchange"
	"portico/l7/http1"
	"portico/l7/message"
	"portico/l7/template"
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

// checkValue refuses what no header can have, and variables that there are not.
func checkValue(at, value string) []spec.Problem {
	if problems := checkTemplate(at, value, template.Plain); problems != nil {
		return problems
	}
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
	drop   []string // names of headers that are removed or set, in lower case
	remove []string // those that are removed alone
	set    []line
	add    []line
}

// line is a header whose value may have variables.
type line struct {
	name  []byte
	value text
}

func newEdits(h *Headers) *edits {
	e := &edits{set: linesOf(h.Set), add: linesOf(h.Add)}
	for _, name := range h.Remove {
		e.remove = append(e.remove, strings.ToLower(name))
	}
	e.drop = slices.Clone(e.remove)
	for _, l := range e.set {
		e.drop = append(e.drop, strings.ToLower(string(l.name)))
	}
	return e
}

// linesOf lists a map of headers by name.
func linesOf(m map[string]string) []line {
	var lines []line
	for _, name := range slices.Sorted(maps.Keys(m)) {
		lines = append(lines, line{[]byte(name), newText(m[name], template.Plain)})
	}
	return lines
}

// appendLines adds headers; the values of variables are kept in the exchange.
func appendLines(fields []message.Field, lines []line, v *template.Values) []message.Field {
	for i := range lines {
		fields = append(fields, message.Field{Name: lines[i].name, Value: lines[i].value.of(v)})
	}
	return fields
}

// apply edits fields in place. Values are made before anything is removed, so that
// a header can be given another name.
func (e *edits) apply(fields []message.Field, v *template.Values) []message.Field {
	n := len(fields)
	fields = appendLines(appendLines(fields, e.set, v), e.add, v)
	if len(e.drop) == 0 {
		return fields
	}
	kept := fields[:0]
	for i, f := range fields {
		if i >= n || !e.drops(f.Name) {
			kept = append(kept, f)
		}
	}
	return kept
}

func (e *edits) drops(name []byte) bool {
	for _, d := range e.drop {
		if message.EqualFold(name, d) {
			return true
		}
	}
	return false
}

// text says what would be done; of says what a value is.
func (e *edits) text(of func(*text) string) string {
	var parts []string
	for _, name := range e.remove {
		parts = append(parts, "removes "+name)
	}
	for i := range e.set {
		parts = append(parts, fmt.Sprintf("sets %s to %q", e.set[i].name, of(&e.set[i].value)))
	}
	for i := range e.add {
		parts = append(parts, fmt.Sprintf("adds %s with %q", e.add[i].name, of(&e.add[i].value)))
	}
	return strings.Join(parts, ", ")
}

type requestHeaders struct {
	requestOnly
	*edits
}

func newRequestHeaders(params any) Filter { return requestHeaders{edits: newEdits(params.(*Headers))} }

func (f requestHeaders) Request(req *message.Request, m Match, d *exchange.Decision) {
	v := m.values(req, d, 0)
	req.Fields = f.apply(req.Fields, &v)
}

func (f requestHeaders) Explain(req *message.Request, m Match) string {
	v := m.values(req, &exchange.Decision{}, 0)
	return f.text(func(t *text) string { return string(t.of(&v)) })
}

type responseHeaders struct{ *edits }

func newResponseHeaders(params any) Filter { return responseHeaders{newEdits(params.(*Headers))} }

func (f responseHeaders) Request(*message.Request, Match, *exchange.Decision) {}

// Explain shows values as they are written: of the answer nothing is known yet.
func (f responseHeaders) Explain(*message.Request, Match) string {
	return f.text(func(t *text) string { return t.source })
}

func (f responseHeaders) Response(req *message.Request, resp *message.Response, m Match, d *exchange.Decision) {
	v := m.values(req, d, resp.Status)
	resp.Fields = f.apply(resp.Fields, &v)
}
