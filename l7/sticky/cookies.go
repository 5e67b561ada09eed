package sticky

import (
	"bytes"

	"portico/l7/message"
)

// triesMax is how many cookies of our name are looked at: a client may send one
// for each path and domain it was set for, and each costs a signature per key.
const triesMax = 4

// cookies walks the cookies of one name in the Cookie fields of a request
// (RFC 6265, section 4.2.1).
type cookies struct {
	fields []message.Field
	name   string
	rest   []byte
}

func newCookies(fields []message.Field, name string) cookies {
	return cookies{fields: fields, name: name}
}

// next returns the value of the next cookie of the name.
func (c *cookies) next() ([]byte, bool) {
	for {
		for len(c.rest) > 0 {
			var pair []byte
			pair, c.rest, _ = bytes.Cut(c.rest, semicolon)
			if value, ok := valueOf(pair, c.name); ok {
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

// valueOf returns the value of a pair of that name. Names are compared exactly:
// cookies, unlike headers, know case.
func valueOf(pair []byte, name string) ([]byte, bool) {
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

// Strip takes the cookie out of the fields of a request, so that targets never
// see it. A field that has to be put together anew is written to scratch, whose
// grown slice is returned.
func (c *Cookie) Strip(fields []message.Field, scratch []byte) ([]message.Field, []byte) {
	kept := fields[:0]
	for _, f := range fields {
		if message.EqualFold(f.Name, "cookie") {
			f.Value, scratch = strip(f.Value, c.name, scratch)
			if len(f.Value) == 0 {
				continue
			}
		}
		kept = append(kept, f)
	}
	return kept, scratch
}

// strip returns value without the pairs of that name.
func strip(value []byte, name string, scratch []byte) (stripped, grown []byte) {
	if !bytes.Contains(value, []byte(name)) {
		return value, scratch
	}
	from, found := len(scratch), false
	for rest := value; len(rest) > 0; {
		var pair []byte
		pair, rest, _ = bytes.Cut(rest, semicolon)
		if _, ok := valueOf(pair, name); ok {
			found = true
			continue
		}
		if pair = bytes.Trim(pair, " \t"); len(pair) == 0 {
			continue
		}
		if len(scratch) > from {
			scratch = append(scratch, "; "...)
		}
		scratch = append(scratch, pair...)
	}
	if !found {
		return value, scratch[:from]
	}
	return scratch[from:len(scratch):len(scratch)], scratch
}
