package route

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"

	"portico/l7/message"
	"portico/l7/pairs"
	"portico/spec"
)

// place is where a request has a value by its name.
type place uint8

const (
	inHeader place = iota
	inQuery
	inCookie
)

// String names the place as messages do.
func (p place) String() string { return [...]string{"header", "query", "cookie"}[p] }

// textKind is how a value is compared.
type textKind uint8

const (
	textExact textKind = iota
	textPrefix
	textRegex
	textPresent
	textAbsent
)

// text is one spec.TextMatch, ready to be compared.
type text struct {
	place place
	name  string // of a header in lower case
	kind  textKind
	want  string // the value, the prefix or the pattern
	regex *regexp.Regexp
}

func newText(p place, name string, m spec.TextMatch) (text, error) {
	t := text{place: p, name: name, want: m.Exact}
	if p == inHeader {
		t.name = strings.ToLower(name)
	}
	switch {
	case m.Regex != "":
		re, err := spec.CompileRegex(m.Regex)
		if err != nil {
			return text{}, fmt.Errorf("%s %q: %w", p, name, err)
		}
		t.kind, t.want, t.regex = textRegex, m.Regex, re
	case m.Prefix != "":
		t.kind, t.want = textPrefix, m.Prefix
	case m.Present:
		t.kind = textPresent
	case m.Absent:
		t.kind = textAbsent
	}
	return t, nil
}

// holds reports whether a value of that name is as it should be; one of several
// is enough. Absent holds when there is none.
func (t *text) holds(r *message.Request) bool {
	for v := newValues(r, t.place, t.name); ; {
		value, ok := v.next()
		if !ok {
			return t.kind == textAbsent
		}
		if t.kind == textAbsent {
			return false
		}
		if t.takes(value) {
			return true
		}
	}
}

func (t *text) takes(value []byte) bool {
	switch t.kind {
	case textExact:
		return string(value) == t.want
	case textPrefix:
		return len(value) >= len(t.want) && string(value[:len(t.want)]) == t.want
	case textRegex:
		return t.regex.Match(value)
	default:
		return true
	}
}

// values walks the values that a request has by one name, in the form they are
// compared in.
type values struct {
	r      *message.Request
	place  place
	name   string
	field  int
	query  pairs.Query
	cookie pairs.Cookies
}

func newValues(r *message.Request, p place, name string) values {
	v := values{r: r, place: p, name: name}
	switch p {
	case inHeader:
	case inQuery:
		v.query = pairs.NewQuery(r.Query)
	case inCookie:
		v.cookie = pairs.NewCookies(r.Fields, name)
	}
	return v
}

// next returns the next value, valid until the one after it.
func (v *values) next() ([]byte, bool) {
	switch v.place {
	case inHeader:
		for v.field < len(v.r.Fields) {
			f := &v.r.Fields[v.field]
			v.field++
			if message.EqualFold(f.Name, v.name) {
				return f.Value, true
			}
		}
		return nil, false
	case inQuery:
		for {
			name, value, ok := v.query.Next()
			if !ok {
				return nil, false
			}
			if pairs.Is(name, v.name) {
				return v.decode(value), true
			}
		}
	default:
		return v.cookie.Next()
	}
}

// decode decodes a value of the query, in what is free of the request's scratch.
func (v *values) decode(sent []byte) []byte {
	if !pairs.Encoded(sent) {
		return sent
	}
	n := len(v.r.Scratch)
	v.r.Scratch = pairs.Decode(v.r.Scratch, sent)
	value := v.r.Scratch[n:]
	v.r.Scratch = v.r.Scratch[:n]
	return value
}

// seen is the first value, for explain.
func (t *text) seen(r *message.Request) ([]byte, bool) {
	v := newValues(r, t.place, t.name)
	value, ok := v.next()
	return bytes.Clone(value), ok
}
