package filter

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"portico/l7/exchange"
	"portico/l7/message"
	"portico/spec"
)

// Respond is the parameters of respond: an answer no target is asked for.
type Respond struct {
	Status int    `json:"status,omitempty" default:"200" range:"200..599"`
	Body   string `json:"body,omitempty"`
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
	problems = append(problems, checkValue("contentType", r.ContentType)...)
	if r.Status != 0 && (r.Status < 200 || r.Status > 599) {
		problems = append(problems, spec.Problemf("status", "%d is not a final status; use 200 to 599", r.Status))
	}
	if len(r.Body) > bodyMax {
		problems = append(problems, spec.Problemf("body", "the body has %d bytes; at most %d are allowed", len(r.Body), bodyMax))
	}
	if r.Body != "" && bodiless(r.Status) {
		problems = append(problems, spec.Problemf("body", "an answer with status %d has no body", r.Status))
	}
	for _, name := range slices.Sorted(maps.Keys(r.Headers)) {
		if strings.EqualFold(name, "content-type") {
			problems = append(problems, spec.Problem{Path: spec.At("headers", name), What: "Content-Type has its own key", Help: "use contentType"})
		}
	}
	return problems
}

// bodiless reports whether an answer has no body (RFC 9110, section 6.4.1).
func bodiless(status int) bool { return status == 204 || status == 205 || status == 304 }

type respond struct {
	requestOnly
	answer exchange.Fixed
}

func newRespond(params any) Filter {
	p := params.(*Respond)
	f := &respond{answer: exchange.Fixed{Status: p.Status, Body: []byte(p.Body), Fields: fieldsOf(p.Headers)}}
	if f.answer.Status == 0 {
		f.answer.Status = 200
	}
	if p.Body != "" {
		kind := p.ContentType
		if kind == "" {
			kind = "text/plain; charset=utf-8"
		}
		f.answer.Fields = append(f.answer.Fields, message.Field{Name: []byte("Content-Type"), Value: []byte(kind)})
	}
	return f
}

func (f *respond) Request(_ *message.Request, _ Match, d *exchange.Decision) {
	d.Answer.Status, d.Answer.Body, d.Answer.Close = f.answer.Status, f.answer.Body, false
	d.Answer.Fields = append(d.Answer.Fields[:0], f.answer.Fields...)
	d.Fixed = &d.Answer
}

func (f *respond) Explain(*message.Request, Match) string {
	return fmt.Sprintf("answers %d with %d bytes", f.answer.Status, len(f.answer.Body))
}
