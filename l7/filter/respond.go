package filter

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"portico/l7/exchange"
	"portico/l7/message"
	"portico/l7/template"
	"portico/spec"
)

// Respond is the parameters of respond: an answer no target is asked for. The body
// and the values of headers may have variables.
type Respond struct {
	Status int    `json:"status,omitempty" default:"200" range:"200..599"`
	Body   string `json:"body,omitempty"`
	// File is the body instead, read when the spec is.
	File spec.File `json:"file,omitzero"`
	// ContentType of the body.
	ContentType string `json:"contentType,omitempty" default:"text/plain; charset=utf-8"`
	// Headers of the answer besides Content-Type.
	Headers map[string]string `json:"headers,omitempty"`
}

// bodyMax bounds a fixed body, which every process holds in memory.
const bodyMax = 64 << 10

// Check refuses answers that are none.
func (r *Respond) Check() []spec.Problem {
	problems := checkValues("headers", r.Headers)
	problems = append(problems, checkContentType(r.ContentType)...)
	if r.Status != 0 && (r.Status < 200 || r.Status > 599) {
		problems = append(problems, spec.Problemf("status", "%d is not a final status; use 200 to 599", r.Status))
	}
	if r.Body != "" && r.File.Path != "" {
		problems = append(problems, spec.Problem{Path: "file", What: "body and file exclude each other", Help: "use one of them"})
	}
	at, body := "body", r.Body
	if r.File.Path != "" {
		at, body = "file", string(r.File.Bytes)
	}
	problems = append(problems, checkBody(at, body, formOf(r.ContentType))...)
	if strings.Contains(strings.ReplaceAll(body, "$${", ""), "${") && isScript(r.ContentType) {
		problems = append(problems, spec.Problem{
			Path: at, What: "a variable in a script or a style sheet could become part of it", Help: "leave variables out, or write $${ for the characters ${ alone",
		})
	}
	if body != "" && bodiless(r.Status) {
		problems = append(problems, spec.Problemf(at, "an answer with status %d has no body", r.Status))
	}
	for _, name := range slices.Sorted(maps.Keys(r.Headers)) {
		if strings.EqualFold(name, "content-type") {
			problems = append(problems, spec.Problem{Path: spec.At("headers", name), What: "Content-Type has its own key", Help: "use contentType"})
		}
	}
	return problems
}

// checkBody refuses bodies that are too long, and variables that there are not.
func checkBody(at, body string, form template.Form) []spec.Problem {
	if len(body) > bodyMax {
		return []spec.Problem{spec.Problemf(at, "the body has %d bytes; at most %d are allowed", len(body), bodyMax)}
	}
	return checkTemplate(at, body, form)
}

// checkContentType refuses what no Content-Type can be; it has no variables.
func checkContentType(value string) []spec.Problem {
	if strings.Contains(value, "${") {
		return []spec.Problem{spec.Problemf("contentType", "%q has a variable, which a content type may not", value)}
	}
	return checkValue("contentType", value)
}

// isScript reports whether a body is a language that no escaping of ours suits.
func isScript(contentType string) bool {
	kind, _, _ := strings.Cut(strings.ToLower(contentType), ";")
	return strings.HasSuffix(strings.TrimSpace(kind), "script") || strings.HasSuffix(strings.TrimSpace(kind), "css")
}

// formOf is how variables are escaped in a body of a content type.
func formOf(contentType string) template.Form {
	kind, _, _ := strings.Cut(strings.ToLower(contentType), ";")
	switch kind = strings.TrimSpace(kind); {
	case strings.HasSuffix(kind, "html"), strings.HasSuffix(kind, "xml"):
		return template.HTML
	case strings.HasSuffix(kind, "json"):
		return template.JSON
	default:
		return template.Plain
	}
}

// bodiless reports whether an answer has no body (RFC 9110, section 6.4.1).
func bodiless(status int) bool { return status == 204 || status == 205 || status == 304 }

type respond struct {
	requestOnly
	status  int
	headers []line
	body    text
}

func newRespond(params any) Filter {
	p := params.(*Respond)
	kind := cmp.Or(p.ContentType, "text/plain; charset=utf-8")
	body := p.Body
	if p.File.Path != "" {
		body = string(p.File.Bytes)
	}
	f := &respond{status: cmp.Or(p.Status, 200), headers: linesOf(p.Headers), body: newText(body, formOf(kind))}
	if body != "" {
		f.headers = append(f.headers, line{[]byte("Content-Type"), text{constant: []byte(kind)}})
	}
	return f
}

func (f *respond) Request(req *message.Request, m Match, d *exchange.Decision) {
	v := m.values(req, d, f.status)
	d.Answer.Status, d.Answer.Body, d.Answer.Close = f.status, f.body.of(&v), false
	d.Answer.Fields = appendLines(d.Answer.Fields[:0], f.headers, &v)
	d.Fixed = &d.Answer
}

func (f *respond) Explain(req *message.Request, m Match) string {
	v := m.values(req, &exchange.Decision{}, f.status)
	return fmt.Sprintf("answers %d with %d bytes", f.status, len(f.body.of(&v)))
}
