package filter

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"portico/l7/compress"
	"portico/l7/exchange"
	"portico/l7/message"
	"portico/spec"
)

// Compress is the parameters of compress: answers of targets that are text leave
// in an encoding the client reads.
type Compress struct {
	// Encodings are offered in this order, where a client weighs them alike; none
	// means all of zstd, br and gzip.
	Encodings []string `json:"encodings,omitempty" enum:"zstd|br|gzip"`
	// Types are media types, or all of a kind (text/*); none means typesDefault.
	Types []string `json:"types,omitempty"`
	// MinSize is the least length a body must have, where it is known.
	MinSize spec.Size      `json:"minSize,omitempty" default:"1KiB" range:"1B..1GiB"`
	Level   compress.Level `json:"level,omitempty" default:"balanced" enum:"fast|balanced|small"`
	// Concurrent is how many answers are compressed at once; others go as they are.
	Concurrent int `json:"concurrent,omitempty" default:"256" range:"1..65536"`
}

// typesDefault are those that become much smaller.
var typesDefault = [...]string{
	"text/*", "application/json", "application/*+json", "application/javascript", "application/xml", "application/*+xml",
	"application/x-javascript", "application/x-ndjson", "application/wasm", "application/manifest+json", "application/graphql",
	"image/svg+xml", "font/ttf", "font/otf", "application/vnd.ms-fontobject",
}

// typesMax bounds the types of one filter.
const typesMax = 100

// Check refuses what is no media type.
func (p *Compress) Check() []spec.Problem {
	var problems []spec.Problem
	if len(p.Types) > typesMax {
		problems = append(problems, spec.Problemf("types", "there are %d types; at most %d are allowed", len(p.Types), typesMax))
	}
	for i, t := range p.Types {
		kind, sub, ok := strings.Cut(t, "/")
		if bad := func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`()<>@,;:\"/[]?=`, r) }; !ok || kind == "" || sub == "" ||
			strings.ContainsFunc(kind, bad) || strings.ContainsFunc(sub, bad) || strings.Count(t, "*") > 1 || strings.Contains(kind, "*") {
			problems = append(problems, spec.Problem{
				Path: spec.At("types", i), What: fmt.Sprintf("%q is not a media type", t),
				Help: "use one such as text/html, text/* or application/*+json",
			})
		}
	}
	for i, name := range p.Encodings {
		switch _, ok := compress.Parse(name); {
		case !ok || name == compress.None.String():
			problems = append(problems, spec.Problemf(spec.At("encodings", i), "%q is not an encoding; use zstd, br or gzip", name))
		case slices.Contains(p.Encodings[:i], name):
			problems = append(problems, spec.Problemf(spec.At("encodings", i), "%s is given twice", name))
		}
	}
	if p.Level != "" && p.Level != compress.Fast && p.Level != compress.Balanced && p.Level != compress.Small {
		problems = append(problems, spec.Problemf("level", "%q is not a level; use fast, balanced or small", p.Level))
	}
	return problems
}

type compressor struct {
	offered []compress.Encoding
	types   []mediaType
	min     int64
	pool    *compress.Pool
}

func newCompress(params any) Filter {
	p := params.(*Compress)
	f := &compressor{
		min:  int64(orElse(int(p.MinSize), 1<<10)),
		pool: compress.NewPool(compress.Options{Level: p.Level, Most: orElse(p.Concurrent, 256)}),
	}
	for _, name := range p.Encodings {
		e, _ := compress.Parse(name)
		f.offered = append(f.offered, e)
	}
	if len(f.offered) == 0 {
		f.offered = []compress.Encoding{compress.Zstd, compress.Brotli, compress.Gzip}
	}
	types := p.Types
	if len(types) == 0 {
		types = typesDefault[:]
	}
	for _, t := range types {
		before, after, star := strings.Cut(strings.ToLower(t), "*")
		f.types = append(f.types, mediaType{before, after, star})
	}
	return f
}

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

// Request notes what the client reads: a later filter may take it away, so that
// the target does not compress.
func (f *compressor) Request(req *message.Request, m Match, _ *exchange.Decision) {
	if m.Visit != nil {
		m.Visit.mark().number = uint64(compress.Negotiate(req.Fields, f.offered))
	}
}

// Names of the fields that an encoding changes.
var (
	nameVary     = []byte("Vary")
	nameEncoding = []byte("Content-Encoding")
	valueAccept  = []byte("Accept-Encoding")
)

// encoded are the values of Content-Encoding.
var encodedAs = [...][]byte{compress.Gzip: []byte("gzip"), compress.Brotli: []byte("br"), compress.Zstd: []byte("zstd")}

func (f *compressor) Response(req *message.Request, resp *message.Response, m Match, d *exchange.Decision) {
	kind := f.compressible(req, resp, d)
	if kind == nil {
		return
	}
	if !varies(resp.Fields) {
		resp.Fields = append(resp.Fields, message.Field{Name: nameVary, Value: valueAccept})
	}
	mark := m.Visit.mark()
	e := compress.Encoding(mark.number)
	if e == compress.None {
		return
	}
	if string(req.Method) == "HEAD" {
		resp.Length = -1 // nobody knows it before the body is made
	} else {
		events := string(kind) == "text/event-stream"
		enc := f.pool.Get(e, events || resp.Framing != message.Length)
		if enc == nil {
			return // too many at once
		}
		mark.lent, d.Transform = enc, enc
	}
	resp.Fields = append(undigested(resp.Fields), message.Field{Name: nameEncoding, Value: encodedAs[e]})
	weaken(resp.Fields, d)
}

// compressible returns the media type of an answer that may be compressed, in
// lower case and in d.Scratch; nil for one that may not.
func (f *compressor) compressible(req *message.Request, resp *message.Response, d *exchange.Decision) []byte {
	head := string(req.Method) == "HEAD"
	switch {
	case d.Fixed != nil, d.Transform != nil: // not a target's, or changed already
		return nil
	case resp.Status < 200, resp.Status == 204, resp.Status == 205, resp.Status == 206, resp.Status == 304:
		return nil
	case resp.Framing == message.NoBody && !head:
		return nil
	case resp.Length >= 0 && resp.Length < f.min && (resp.Framing == message.Length || head):
		return nil
	}
	var kind []byte
	for i := range resp.Fields {
		field := &resp.Fields[i]
		switch n := field.Name; {
		case message.EqualFold(n, "content-type"):
			from := len(d.Scratch)
			d.Scratch = appendMediaType(d.Scratch, field.Value)
			kind = keep(d, from)
		case message.EqualFold(n, "content-encoding"), message.EqualFold(n, "content-range"):
			return nil
		case message.EqualFold(n, "cache-control") && hasToken(field.Value, "no-transform"): // RFC 9111, section 5.2.2.6
			return nil
		}
	}
	for i := range f.types {
		if f.types[i].is(kind) {
			return kind
		}
	}
	return nil
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
func weaken(fields []message.Field, d *exchange.Decision) {
	for i := range fields {
		f := &fields[i]
		if message.EqualFold(f.Name, "etag") && len(f.Value) > 0 && f.Value[0] == '"' {
			from := len(d.Scratch)
			d.Scratch = append(append(d.Scratch, "W/"...), f.Value...)
			f.Value = keep(d, from)
		}
	}
}

// End gives the encoder back, also of an answer that was cut off.
func (f *compressor) End(v *Visit) {
	mark := v.mark()
	if enc, ok := mark.lent.(*compress.Encoder); ok {
		f.pool.Put(enc)
		mark.lent = nil
	}
}

func (f *compressor) Explain(req *message.Request, _ Match) string {
	e := compress.Negotiate(req.Fields, f.offered)
	if e == compress.None {
		return "the client does not ask for an encoding that is offered"
	}
	return fmt.Sprintf("answers of %d bytes and more in %d media types leave as %s", f.min, len(f.types), e)
}
