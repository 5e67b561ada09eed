package compress

import (
	"bytes"
	"cmp"
	"fmt"
	"strings"

	"portico/l7/message"
)

// Rules say which answers are compressed, and how.
type Rules struct {
	offered []Encoding
	types   []mediaType
	min     int64
}

// NewRules compiles checked parameters.
func NewRules(p *Params) Rules {
	r := Rules{min: cmp.Or(int64(p.MinSize), minSizeDefault)}
	for _, name := range p.Encodings {
		e, _ := Parse(name)
		r.offered = append(r.offered, e)
	}
	if len(r.offered) == 0 {
		r.offered = []Encoding{Zstd, Brotli, Gzip}
	}
	types := p.Types
	if len(types) == 0 {
		types = typesDefault[:]
	}
	for _, t := range types {
		before, after, star := strings.Cut(strings.ToLower(t), "*")
		r.types = append(r.types, mediaType{before, after, star})
	}
	return r
}

// Text says in words which answers are meant.
func (r *Rules) Text() string {
	return fmt.Sprintf("%d bytes and more in %d media types", r.min, len(r.types))
}

// Encoding is the one for the answer to a request.
func (r *Rules) Encoding(req *message.Request) Encoding { return Negotiate(req.Fields, r.offered) }

// mediaType is one that answers are compared with; a star stands for anything.
type mediaType struct {
	before, after string
	star          bool
}

// is reports whether a media type in lower case is the one meant.
func (t *mediaType) is(sent []byte) bool {
	if !t.star {
		return string(sent) == t.before
	}
	return len(sent) > len(t.before)+len(t.after) &&
		string(sent[:len(t.before)]) == t.before && string(sent[len(sent)-len(t.after):]) == t.after
}

// Names of the fields that an encoding changes.
var (
	nameVary     = []byte("Vary")
	nameEncoding = []byte("Content-Encoding")
	valueAccept  = []byte("Accept-Encoding")
)

// encodedAs are the values of Content-Encoding.
var encodedAs = [...][]byte{Gzip: []byte("gzip"), Brotli: []byte("br"), Zstd: []byte("zstd")}

// Takes reports whether an answer may be compressed, whether or not its client
// reads an encoding, and then whether to send what is held back when the target
// pauses. It uses the end of scratch, which is returned.
func (r *Rules) Takes(req *message.Request, resp *message.Response, scratch []byte) (flush, ok bool, grown []byte) {
	head := string(req.Method) == "HEAD"
	switch {
	case resp.Status < 200, resp.Status == 204, resp.Status == 205, resp.Status == 206, resp.Status == 304:
		return false, false, scratch
	case resp.Framing == message.NoBody && !head:
		return false, false, scratch
	case resp.Length >= 0 && resp.Length < r.min && (resp.Framing == message.Length || head):
		return false, false, scratch
	}
	from := len(scratch)
	for i := range resp.Fields {
		field := &resp.Fields[i]
		switch n := field.Name; {
		case message.EqualFold(n, "content-type"):
			scratch = appendMediaType(scratch[:from], field.Value)
		case message.EqualFold(n, "content-encoding"), message.EqualFold(n, "content-range"):
			return false, false, scratch[:from]
		case message.EqualFold(n, "cache-control") && hasToken(field.Value, "no-transform"): // RFC 9111, section 5.2.2.6
			return false, false, scratch[:from]
		}
	}
	kind := scratch[from:]
	for i := range r.types {
		if r.types[i].is(kind) {
			return resp.Framing != message.Length || string(kind) == "text/event-stream", true, scratch[:from]
		}
	}
	return false, false, scratch[:from]
}

// Vary tells caches that an answer depends on what encodings a client reads.
func Vary(resp *message.Response) {
	if !varies(resp.Fields) {
		resp.Fields = append(resp.Fields, message.Field{Name: nameVary, Value: valueAccept})
	}
}

// Say writes into the head of an answer that its body is encoded. Its length is
// not known then. What it makes up is appended to scratch, which is returned.
func (e Encoding) Say(resp *message.Response, scratch []byte) []byte {
	resp.Length = -1
	resp.Fields = append(undigested(resp.Fields), message.Field{Name: nameEncoding, Value: encodedAs[e]})
	return weaken(resp.Fields, scratch)
}

// appendMediaType writes the type of a Content-Type in lower case, without parameters.
func appendMediaType(dst, value []byte) []byte {
	value, _, _ = bytes.Cut(value, []byte{';'})
	for _, c := range bytes.Trim(value, " \t") {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}

// hasToken reports whether a list in a field's value has a token, which is in
// lower case.
func hasToken(list []byte, token string) bool {
	for len(list) > 0 {
		var item []byte
		item, list, _ = bytes.Cut(list, []byte{','})
		if message.EqualFold(bytes.Trim(item, " \t"), token) {
			return true
		}
	}
	return false
}

// varies reports whether caches are told already that the answer depends on what
// encodings a client reads.
func varies(fields []message.Field) bool {
	for _, f := range fields {
		if message.EqualFold(f.Name, "vary") && (hasToken(f.Value, "accept-encoding") || hasToken(f.Value, "*")) {
			return true
		}
	}
	return false
}

// undigested removes the fields that speak of the bytes as they were.
func undigested(fields []message.Field) []message.Field {
	kept := fields[:0]
	for _, f := range fields {
		switch {
		case message.EqualFold(f.Name, "accept-ranges"), message.EqualFold(f.Name, "content-md5"),
			message.EqualFold(f.Name, "digest"), message.EqualFold(f.Name, "content-digest"), message.EqualFold(f.Name, "repr-digest"):
		default:
			kept = append(kept, f)
		}
	}
	return kept
}

// weaken makes a strong ETag a weak one: the encoded body means the same, and is
// not the same bytes (RFC 9110, section 8.8.1).
func weaken(fields []message.Field, scratch []byte) []byte {
	for i := range fields {
		f := &fields[i]
		if message.EqualFold(f.Name, "etag") && len(f.Value) > 0 && f.Value[0] == '"' {
			from := len(scratch)
			scratch = append(append(scratch, "W/"...), f.Value...)
			f.Value = scratch[from:len(scratch):len(scratch)]
		}
	}
	return scratch
}
