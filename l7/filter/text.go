package filter

import (
	"fmt"
	"strings"

	"portico/l7/exchange"
	"portico/l7/message"
	"portico/l7/template"
	"portico/spec"
)

// text is a text of a spec, with variables or without.
type text struct {
	source   string // as it is in the spec
	constant []byte
	variable *template.Template // nil when there are none
}

// checkTemplate refuses variables that there are not.
func checkTemplate(at, value string, form template.Form) []spec.Problem {
	if _, err := template.Parse(value, form); err != nil {
		what, help, _ := strings.Cut(err.Error(), "; ")
		return []spec.Problem{{Path: at, What: what, Help: help}}
	}
	return nil
}

// newText compiles a text that checkTemplate found good.
func newText(value string, form template.Form) text {
	t, err := template.Parse(value, form)
	if err != nil {
		panic(fmt.Sprintf("filter: %v, which Check refuses", err))
	}
	if constant, ok := t.Constant(); ok {
		return text{source: value, constant: []byte(constant)}
	}
	return text{source: value, variable: &t}
}

// of is the text for a request; what its variables make lives in the memory of the
// exchange.
func (t *text) of(v *template.Values) []byte {
	if t.variable == nil {
		return t.constant
	}
	d := v.Decision
	from := len(d.Scratch)
	d.Scratch = t.variable.Append(d.Scratch, v)
	return keep(d, from)
}

// values are what variables speak of while a request or its answer is filtered.
func (m Match) values(req *message.Request, d *exchange.Decision, status int) template.Values {
	return template.Values{Request: req, Decision: d, ID: m.ID, HTTPS: m.HTTPS, Status: status}
}
