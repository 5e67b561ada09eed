// Package message holds a request and a response in the one shape that every
// protocol of the L7 tier yields and that routes, filters, the cache and the
// access log see.
//
// What comes in: slices of the buffer a head was parsed from. What goes out: the
// same slices, or static bytes that a filter put in their place. It never copies,
// parses or writes; http1, h2 and h3 do. A message is valid only as long as the
// buffer under it is not reused. Start reading at Request.
package message

import "net/netip"

// Field is one header or trailer line. Name is as it was received.
type Field struct{ Name, Value []byte }

// Framing says how the end of a body is known (RFC 9112, section 6.3).
type Framing uint8

// The framings.
const (
	NoBody     Framing = iota
	Length             // Length bytes follow
	Chunked            // chunks and trailers follow; over h2 and h3, until the stream ends
	UntilClose         // responses only: until the connection closes
)

// Request is one request, whatever it came by.
type Request struct {
	Method []byte
	// Authority is the host with its port, if any, as sent; from the target of
	// an absolute-form request, else from Host.
	Authority []byte
	// Host is Authority without the port, in lower case; an IPv6 literal keeps its brackets.
	Host []byte
	// Target is the request target as sent, in origin, absolute, authority or asterisk form.
	Target []byte
	// Path is that of Target without query, dot segments removed; "/" when empty. Rules match on it.
	Path []byte
	// Query is what follows the "?", without it; HasQuery tells "?" alone from none.
	Query    []byte
	HasQuery bool
	Fields   []Field
	Framing  Framing
	Length   int64 // of the body, where Framing is Length

	// TLS says that the client's connection is encrypted.
	TLS bool
	// Peer is who connected (after a PROXY header), Client the client after
	// trusted proxies were believed, Local what Peer connected to: the VIP.
	Peer, Client, Local netip.AddrPort

	Major     int    // of the version it came by: 1, 2 or 3
	Minor     int    // HTTP/1 only: 0 or 1
	KeepAlive bool   // HTTP/1 only: the client would send another request
	Expect100 bool   // Expect: 100-continue
	Upgrade   []byte // the protocol of a valid request to switch to it, else nil

	// Scratch is memory for what could not be a slice of the head: a Host in
	// lower case, a Path without dot segments. Only a codec fills it; beyond its
	// length whoever compares a value in another form has room for that.
	Scratch []byte
}

// Response is one response, whatever it came by.
type Response struct {
	Status  int
	Reason  []byte // HTTP/1 only; may be empty
	Fields  []Field
	Framing Framing
	Length  int64 // of the body, where Framing is Length; -1 when not known

	Minor     int    // HTTP/1 only
	KeepAlive bool   // HTTP/1 only: the target would take another request
	Upgrade   []byte // of a 101
}

// Connects reports whether a request asks for a tunnel to what its authority names
// (RFC 9110, section 9.3.6), not for a protocol on the connection it came by.
func Connects(r *Request) bool { return string(r.Method) == "CONNECT" && r.Upgrade == nil }

// Get returns the first value of a field, ignoring the case of ASCII letters.
// The name must be in lower case. Nil means that there is none.
func Get(fields []Field, name string) []byte {
	for i := range fields {
		if EqualFold(fields[i].Name, name) {
			return fields[i].Value
		}
	}
	return nil
}

// Del removes all lines of a field, keeping the order of the rest; the name
// must be in lower case.
func Del(fields []Field, name string) []Field {
	kept := fields[:0]
	for _, f := range fields {
		if !EqualFold(f.Name, name) {
			kept = append(kept, f)
		}
	}
	return kept
}

// EqualFold compares a name as received with one in lower case, ASCII only.
func EqualFold(name []byte, lower string) bool {
	if len(name) != len(lower) {
		return false
	}
	for i := range name {
		c := name[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// Idempotent reports whether a request of a method may be sent twice (RFC 9110, section 9.2.2).
func Idempotent(method []byte) bool {
	switch string(method) {
	case "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE":
		return true
	}
	return false
}
