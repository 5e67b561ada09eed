// Package template puts what is known of a request into the texts of a spec:
// "${client.ip}" in the value of a header, or in the body of an answer.
//
// What comes in: a text when a spec is compiled, and a request each time it is
// written. What goes out: bytes appended to memory of the caller's. Nothing a
// client sends can end the line, the element or the string that it is written
// into. It does no I/O and allocates nothing when it writes.
// Start reading at Parse, then Template.Append.
package template

import (
	"fmt"
	"strings"

	"portico/internal/suggest"
	"portico/l7/exchange"
	"portico/l7/message"
)

// Form is what a template is written into, and thereby how values are escaped.
type Form uint8

// The forms.
const (
	Plain Form = iota // the value of a header, or plain text
	HTML              // the text or an attribute in quotes of an HTML document
	JSON              // a string of a JSON document, in its quotes
)

// valueMax bounds what one variable writes, before it is escaped; the rest is cut.
const valueMax = 4 << 10

// Values are what variables speak of.
type Values struct {
	Request  *message.Request
	Decision *exchange.Decision
	// ID of the request, by which it is logged.
	ID []byte
	// HTTPS says that the client asked for https, here or of a trusted proxy.
	HTTPS bool
	// Status of the answer; 0 while there is none.
	Status int
}

// Template is a text with variables, compiled. Its zero value is empty.
type Template struct {
	form  Form
	parts []part
}

// part is some text, then a variable.
type part struct {
	text string
	variable
}

// Parse compiles a text. "${name}" is a variable, "$${" stands for the two
// characters "${", and any other "$" for itself. Errors read "what; help".
func Parse(text string, form Form) (Template, error) {
	t := Template{form: form}
	var b strings.Builder
	for {
		i := strings.Index(text, "${")
		if i < 0 {
			b.WriteString(text)
			break
		}
		b.WriteString(text[:i])
		if i > 0 && text[i-1] == '$' {
			b.WriteString("{") // the second of two $ stands before it already
			text = text[i+2:]
			continue
		}
		name, rest, ok := strings.Cut(text[i+2:], "}")
		if !ok {
			return Template{}, fmt.Errorf(`%.20q is not closed; write "}" after the name, or $${ for the characters ${ alone`, text[i:])
		}
		v, err := parseVariable(name)
		if err != nil {
			return Template{}, err
		}
		t.parts = append(t.parts, part{b.String(), v})
		b.Reset()
		text = rest
	}
	if b.Len() > 0 {
		t.parts = append(t.parts, part{text: b.String()})
	}
	return t, nil
}

func parseVariable(name string) (variable, error) {
	for k, known := range names {
		if kind(k) == none {
			continue
		}
		prefix, named := strings.CutSuffix(known, ".NAME")
		switch {
		case !named && name == known:
			return variable{kind: kind(k)}, nil
		case named && strings.HasPrefix(name, prefix+".") && len(name) > len(prefix)+1:
			v := variable{kind: kind(k), name: name[len(prefix)+1:]}
			if v.kind == header {
				v.name = strings.ToLower(v.name)
			}
			return v, nil
		}
	}
	return variable{}, fmt.Errorf("unknown variable %q; %s", name, suggest.Help(name, Names()))
}

// Constant returns the text of a template without variables.
func (t *Template) Constant() (string, bool) {
	switch {
	case len(t.parts) == 0:
		return "", true
	case len(t.parts) == 1 && t.parts[0].kind == none:
		return t.parts[0].text, true
	}
	return "", false
}

// Append writes the template for a request.
func (t *Template) Append(dst []byte, v *Values) []byte {
	for i := range t.parts {
		p := &t.parts[i]
		dst = append(dst, p.text...)
		if p.kind == none {
			continue
		}
		from := len(dst)
		dst = p.append(dst, v)
		if len(dst)-from > valueMax {
			dst = dst[:from+valueMax]
		}
		dst = escape(dst, from, t.form)
	}
	return dst
}
