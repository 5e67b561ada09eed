package sticky

import (
	"bytes"

	"portico/l7/message"
	"portico/l7/pairs"
)

// triesMax is how many cookies of our name are looked at: a client may send one
// for each path and domain it was set for, and each costs a signature per key.
const triesMax = 4

var semicolon = []byte(";")

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
		if _, ok := pairs.CookieValue(pair, name); ok {
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
