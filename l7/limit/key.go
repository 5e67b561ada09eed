package limit

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"net/netip"
	"slices"
	"strings"

	"portico/l7/http1"
	"portico/l7/message"
	"portico/l7/pairs"
	"portico/spec"
)

// KeyPart is one part of the key that requests are counted by; its short form is
// a word of From. A part that a request does not have is empty, so that all
// requests without it are counted together.
type KeyPart struct {
	From string `json:"from,omitempty" oneof:"part" short:"true" enum:"client|host|method|path|all"`
	// Header is all lines of that field.
	Header string `json:"header,omitempty" oneof:"part"`
	// Cookie is the value of the first cookie of that name.
	Cookie string `json:"cookie,omitempty" oneof:"part"`
	// Query is the value of the first parameter of that name, decoded.
	Query string `json:"query,omitempty" oneof:"part"`
}

// KeyPrefix is how much of a client's address tells it from others: who has one
// IPv6 address has as many as a /64 holds.
type KeyPrefix struct {
	V4 int `json:"v4,omitempty" default:"32" range:"1..32"`
	V6 int `json:"v6,omitempty" default:"64" range:"1..128"`
}

// keyPartsMax bounds the parts of one key.
const keyPartsMax = 8

// CheckKey refuses keys that no request has.
func CheckKey(parts []KeyPart) []spec.Problem {
	var problems []spec.Problem
	if len(parts) > keyPartsMax {
		problems = append(problems, spec.Problemf("by", "there are %d parts; at most %d are allowed", len(parts), keyPartsMax))
	}
	for i, p := range parts {
		at := spec.At("by", i)
		if p.Header != "" && !http1.ValidName([]byte(p.Header)) {
			problems = append(problems, spec.Problemf(spec.At(at, "header"), "%q is not the name of a header", p.Header))
		}
		if p.Cookie != "" && !http1.ValidName([]byte(p.Cookie)) {
			problems = append(problems, spec.Problemf(spec.At(at, "cookie"), "%q is not the name of a cookie", p.Cookie))
		}
		if slices.Contains(parts[:i], p) {
			problems = append(problems, spec.Problemf(at, "by %s is given twice", p))
		}
	}
	return problems
}

// String says in words what the part is.
func (p KeyPart) String() string {
	switch {
	case p.Header != "":
		return fmt.Sprintf("header %q", strings.ToLower(p.Header))
	case p.Cookie != "":
		return fmt.Sprintf("cookie %q", p.Cookie)
	case p.Query != "":
		return fmt.Sprintf("query %q", p.Query)
	}
	return p.From
}

// Key makes one number of what tells requests apart. The number is not to be
// guessed, so that nobody can find two clients with the same.
type Key struct {
	parts  []KeyPart
	prefix KeyPrefix
	seed   maphash.Seed
}

// NewKey compiles checked parts; none means the client.
func NewKey(parts []KeyPart, prefix KeyPrefix) Key {
	k := Key{prefix: KeyPrefix{V4: cmp.Or(prefix.V4, 32), V6: cmp.Or(prefix.V6, 64)}, seed: maphash.MakeSeed()}
	for _, p := range parts {
		p.Header = strings.ToLower(p.Header)
		k.parts = append(k.parts, p)
	}
	if len(k.parts) == 0 {
		k.parts = []KeyPart{{From: "client"}}
	}
	return k
}

// Of returns the key of a request. It uses the end of scratch, which is returned.
func (k *Key) Of(req *message.Request, scratch []byte) (sum uint64, grown []byte) {
	from := len(scratch)
	for i := range k.parts {
		at := len(scratch)
		scratch = append(scratch, 0, 0, 0, 0) // the length, so that no two keys run into one
		scratch = k.append(scratch, &k.parts[i], req)
		binary.LittleEndian.PutUint32(scratch[at:], uint32(len(scratch)-at))
	}
	return maphash.Bytes(k.seed, scratch[from:]), scratch[:from]
}

// append writes one part of the key of a request.
func (k *Key) append(dst []byte, p *KeyPart, req *message.Request) []byte {
	switch {
	case p.Header != "":
		for _, f := range req.Fields {
			if message.EqualFold(f.Name, p.Header) {
				dst = append(append(dst, f.Value...), 0)
			}
		}
		return dst
	case p.Cookie != "":
		cookies := pairs.NewCookies(req.Fields, p.Cookie)
		value, _ := cookies.Next()
		return append(dst, value...)
	case p.Query != "":
		return appendParameter(dst, req.Query, p.Query)
	case p.From == "client":
		return k.appendClient(dst, req.Client.Addr())
	case p.From == "host":
		return append(dst, req.Host...)
	case p.From == "method":
		return append(dst, req.Method...)
	case p.From == "path":
		return append(dst, req.Path...)
	}
	return dst // all
}

func appendParameter(dst, query []byte, wanted string) []byte {
	q := pairs.NewQuery(query)
	for name, value, ok := q.Next(); ok; name, value, ok = q.Next() {
		if pairs.Is(name, wanted) {
			return pairs.Decode(dst, value)
		}
	}
	return dst
}

func (k *Key) appendClient(dst []byte, client netip.Addr) []byte {
	n := k.prefix.V6
	if client.Is4() {
		n = k.prefix.V4
	}
	masked, _ := client.WithZone("").Prefix(n) // fails for no address alone, which is as good a key as any
	if masked.Addr().Is4() {
		raw := masked.Addr().As4()
		return append(dst, raw[:]...)
	}
	raw := masked.Addr().As16()
	return append(dst, raw[:]...)
}

// Text says what the key is, and of a request the client's part of it.
func (k *Key) Text() string {
	words := make([]string, len(k.parts))
	for i, p := range k.parts {
		words[i] = p.String()
		if p.From == "client" {
			words[i] = fmt.Sprintf("client /%d and /%d", k.prefix.V4, k.prefix.V6)
		}
	}
	return strings.Join(words, " with ")
}
