package spec

import "net/netip"

// HashKey says what of a request a balance hashes, so that requests with the same
// go to the same target. Its short form is a word of From, and its zero value the
// client.
type HashKey struct {
	// From is client (the address), host, or path (without query).
	From string `json:"from,omitempty" oneof:"key" short:"true" enum:"client|host|path"`
	// Header is the value of the first line of that name, which ignores case.
	Header string `json:"header,omitempty" oneof:"key"`
	// Cookie is the value of the first cookie of that name.
	Cookie string `json:"cookie,omitempty" oneof:"key"`
	// Query is the value of the first parameter of that name, decoded.
	Query string `json:"query,omitempty" oneof:"key"`
}

// String says what it is in words, as in: header x-user.
func (k HashKey) String() string {
	switch {
	case k.Header != "":
		return "header " + k.Header
	case k.Cookie != "":
		return "cookie " + k.Cookie
	case k.Query != "":
		return "query " + k.Query
	case k.From != "":
		return k.From
	}
	return "client"
}

// HashPrefix is how much of a client's address is hashed, so that the clients of
// one network go to the same target. Zero means all of it.
type HashPrefix struct {
	V4 int `json:"v4,omitempty" default:"32" range:"1..32"`
	V6 int `json:"v6,omitempty" default:"128" range:"1..128"`
}

// Of returns what of an address is hashed, with the rest zero.
func (p HashPrefix) Of(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	n := p.V6
	if a.Is4() {
		n = p.V4
	}
	if n == 0 {
		return a
	}
	masked, err := a.Prefix(n)
	if err != nil {
		return a // no address at all, or a longer prefix than there is
	}
	return masked.Addr()
}

// Hashing is what the parameters of a balance that hashes tell of it.
type Hashing interface {
	// Hashed returns what of a request is hashed, and how much of an address.
	Hashed() (HashKey, HashPrefix)
}
