// Package pairs reads what clients write as name=value: the parameters of a query
// and the cookies of a request.
//
// What comes in: bytes of a request as they were sent. What goes out: slices of
// them, and decoded values in memory of the caller's. It allocates nothing and
// refuses nothing: whatever bytes there are mean something, and always the same.
// Start reading at Query, then Cookies.
package pairs

import (
	"bytes"

	"portico/l7/message"
)

// Query walks the parameters of a query. They are parted by "&" alone; the name
// ends at the first "=", and one without has an empty value.
type Query struct{ rest []byte }

// NewQuery begins at the first parameter of a query, which is what follows the "?".
func NewQuery(query []byte) Query { return Query{query} }

// Next returns the next parameter, as it was sent. Empty ones are skipped.
func (q *Query) Next() (name, value []byte, ok bool) {
	for len(q.rest) > 0 {
		pair := q.rest
		if i := bytes.IndexByte(pair, '&'); i >= 0 {
			pair, q.rest = pair[:i], pair[i+1:]
		} else {
			q.rest = nil
		}
		if len(pair) == 0 {
			continue
		}
		if i := bytes.IndexByte(pair, '='); i >= 0 {
			return pair[:i], pair[i+1:], true
		}
		return pair, nil, true
	}
	return nil, nil, false
}

// Encoded reports whether decoding would change a name or a value of a query.
func Encoded(sent []byte) bool {
	return bytes.IndexByte(sent, '%') >= 0 || bytes.IndexByte(sent, '+') >= 0
}

// Decode appends a name or a value of a query, decoded: "+" is a space, and "%"
// with two hexadecimal digits a byte; a "%" without them stands for itself.
func Decode(dst, sent []byte) []byte {
	for len(sent) > 0 {
		var c byte
		c, sent = decoded(sent)
		dst = append(dst, c)
	}
	return dst
}

// Is reports whether a name or a value of a query decodes to text.
func Is(sent []byte, text string) bool {
	if len(sent) < len(text) {
		return false
	}
	for i := range len(text) {
		if len(sent) == 0 {
			return false
		}
		var c byte
		if c, sent = decoded(sent); c != text[i] {
			return false
		}
	}
	return len(sent) == 0
}

// decoded takes one decoded byte from the front.
func decoded(sent []byte) (c byte, rest []byte) {
	switch c = sent[0]; {
	case c == '+':
		return ' ', sent[1:]
	case c == '%' && len(sent) > 2:
		hi, lo := unhex(sent[1]), unhex(sent[2])
		if hi|lo < 16 {
			return hi<<4 | lo, sent[3:]
		}
	}
	return c, sent[1:]
}

// unhex returns the value of a hexadecimal digit, or 255.
func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	}
	return 255
}

// Cookies walks the cookies of one name in the Cookie fields of a request
// (RFC 6265, section 4.2.1).
type Cookies struct {
	fields []message.Field
	name   string
	rest   []byte
}

// NewCookies begins at the first cookie of that name.
func NewCookies(fields []message.Field, name string) Cookies {
	return Cookies{fields: fields, name: name}
}

// Next returns the value of the next cookie, without quotes around it.
func (c *Cookies) Next() ([]byte, bool) {
	for {
		for len(c.rest) > 0 {
			var pair []byte
			pair, c.rest, _ = bytes.Cut(c.rest, semicolon)
			if value, ok := CookieValue(pair, c.name); ok {
				return value, true
			}
		}
		for len(c.fields) > 0 && !message.EqualFold(c.fields[0].Name, "cookie") {
			c.fields = c.fields[1:]
		}
		if len(c.fields) == 0 {
			return nil, false
		}
		c.rest, c.fields = c.fields[0].Value, c.fields[1:]
	}
}

var semicolon = []byte(";")

// CookieValue returns the value of one pair of a Cookie field if it has that
// name. Names are compared exactly: cookies, unlike headers, know case.
func CookieValue(pair []byte, name string) ([]byte, bool) {
	pair = bytes.Trim(pair, " \t")
	n := len(name)
	if len(pair) <= n || string(pair[:n]) != name || pair[n] != '=' {
		return nil, false
	}
	value := pair[n+1:]
	if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
		value = value[1 : len(value)-1]
	}
	return value, true
}
