// Package hashkey makes the number that requests are hashed by: to a target, where
// the balance of a group hashes, or to one of several target groups.
//
// What comes in: what the spec says of the key, and a request. What goes out: a
// number that is the same on every node. It does no I/O. Start reading at Key.
package hashkey

import (
	"fmt"
	"strings"

	"github.com/zeebo/xxh3"

	"portico/l7/message"
	"portico/l7/pairs"
	"portico/spec"
	"portico/target"
	"portico/target/balance"
)

// Key makes the number that a group's balance hashes requests by, the same
// on every node.
type Key struct {
	spec.HashKey
	prefix spec.HashPrefix
}

// OfGroup returns the key of a group, or nil for a group whose balance does not hash.
func OfGroup(g *target.Group) *Key {
	if g == nil || g.Spec().Balance == nil {
		return nil
	}
	a, ok := balance.Lookup(g.Spec().Balance.Name)
	if !ok || !a.Hashes {
		return nil
	}
	k := &Key{}
	if h, ok := g.Spec().Balance.Params.(spec.Hashing); ok {
		k.HashKey, k.prefix = h.Hashed()
	}
	k.Header = strings.ToLower(k.Header)
	return k
}

// splitPrefix is how much of an address parts clients among target groups: one home
// has a /64 of IPv6, of which its devices change addresses as they like.
var splitPrefix = spec.HashPrefix{V4: 32, V6: 64}

// OfSplit returns the key that parts requests among target groups, or nil for a rule whose requests draw their target group.
func OfSplit(by *spec.HashKey) *Key {
	if by == nil {
		return nil
	}
	k := &Key{HashKey: *by, prefix: splitPrefix}
	k.Header = strings.ToLower(k.Header)
	return k
}

// Of hashes what the key is made of, or the client's address where a request has
// nothing of the kind. It uses the end of scratch, which is returned.
func (k *Key) Of(req *message.Request, scratch []byte) (uint64, []byte) {
	from := len(scratch)
	value, grown := k.value(req, scratch)
	if len(value) > 0 {
		return xxh3.Hash(value), grown[:from]
	}
	return k.client(req), grown[:from]
}

// client hashes the client's address, as far as the prefix goes.
func (k *Key) client(req *message.Request) uint64 {
	a := k.prefix.Of(req.Client.Addr()).As16()
	return xxh3.Hash(a[:])
}

// value is what a request has of the key; empty where that is the client, or
// where it has nothing.
func (k *Key) value(req *message.Request, scratch []byte) (value, grown []byte) {
	switch {
	case k.Header != "":
		return message.Get(req.Fields, k.Header), scratch
	case k.Cookie != "":
		cookies := pairs.NewCookies(req.Fields, k.Cookie)
		value, _ = cookies.Next()
		return value, scratch
	case k.Query != "":
		return k.parameter(req.Query, scratch)
	case k.From == "host":
		return req.Host, scratch
	case k.From == "path":
		return req.Path, scratch
	}
	return nil, scratch
}

// parameter is the value of a query's first parameter of that name.
func (k *Key) parameter(query, scratch []byte) (value, grown []byte) {
	q := pairs.NewQuery(query)
	for name, sent, ok := q.Next(); ok; name, sent, ok = q.Next() {
		if !pairs.Is(name, k.Query) {
			continue
		}
		if !pairs.Encoded(sent) {
			return sent, scratch
		}
		from := len(scratch)
		scratch = pairs.Decode(scratch, sent)
		return scratch[from:], scratch
	}
	return nil, scratch
}

// Explain says what is hashed of a request.
func (k *Key) Explain(req *message.Request) string {
	value, _ := k.value(req, nil)
	client := fmt.Sprintf("client %s", k.prefix.Of(req.Client.Addr()))
	switch {
	case k.HashKey == spec.HashKey{} || k.From == "client":
		return client
	case len(value) == 0:
		return fmt.Sprintf("%s, as there is no %s", client, k.HashKey)
	}
	return fmt.Sprintf("%s %q", k.HashKey, value)
}
