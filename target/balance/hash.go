package balance

import (
	"fmt"
	"strings"

	"portico/spec"
)

// Hash is the parameters of the algorithms that hash, as far as they are alike.
type Hash struct {
	// Key says what of a request is hashed; what it does not have is replaced by
	// the client's address. Flows are hashed by their addresses and
	// ports, or without the ports where the key is client by name.
	Key    spec.HashKey    `json:"key,omitzero"`
	Prefix spec.HashPrefix `json:"prefix,omitzero"`
}

func newHash() any { return &Hash{Prefix: hashPrefix} }

// hashPrefix is the default: the whole address.
var hashPrefix = spec.HashPrefix{V4: 32, V6: 128}

// Hashed implements spec.Hashing.
func (h *Hash) Hashed() (spec.HashKey, spec.HashPrefix) { return h.Key, h.Prefix }

// Check refuses names that no header or cookie has.
func (h *Hash) Check() []spec.Problem {
	var ps []spec.Problem
	for _, of := range []struct{ what, name string }{{"header", h.Key.Header}, {"cookie", h.Key.Cookie}} {
		if of.name != "" && !isToken(of.name) {
			ps = append(ps, spec.Problem{
				Path: spec.At("key", of.what), What: fmt.Sprintf("%q is not the name of a %s", of.name, of.what),
				Help: "use letters, digits and hyphens",
			})
		}
	}
	return ps
}

// isToken reports whether s is a token (RFC 9110, section 5.6.2; RFC 6265,
// section 4.1.1).
func isToken(s string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool {
		return c <= ' ' || c >= 0x7f || strings.ContainsRune(`()<>@,;:\"/[]?={}`, c)
	})
}
