package l7

import (
	"bytes"
	"encoding/hex"
	"math/rand/v2"

	"portico/l7/exchange"
	"portico/l7/hops"
	"portico/l7/message"
)

// idMax bounds a request id that is taken over from a trusted proxy.
const idMax = 64

// Names of the fields that say who the client is.
var (
	nameFor   = []byte("X-Forwarded-For")
	nameProto = []byte("X-Forwarded-Proto")
	nameHost  = []byte("X-Forwarded-Host")
	namePort  = []byte("X-Forwarded-Port")
	nameID    = []byte("X-Request-Id")

	protoHTTP  = []byte("http")
	protoHTTPS = []byte("https")
)

// said is what the fields of a request say of its client.
type said struct{ proto, host, port, id []byte }

// forward writes the fields that tell a target of the client, and finds out who
// the client is. What a client says of itself is thrown away, unless it is one of
// the listener's trusted proxies.
func (h *handler) forward(req *message.Request, d *exchange.Decision, st *state) {
	var s said
	trusted := hops.Trusts(h.spec.TrustedProxies, req.Peer.Addr())
	from := len(d.Scratch)
	d.Scratch, s = take(req, d.Scratch, trusted)
	if trusted {
		req.Client = hops.Client(d.Scratch[from:], req.Peer, h.spec.TrustedProxies)
	}
	if len(d.Scratch) > from {
		d.Scratch = append(d.Scratch, ", "...)
	}
	d.Scratch = req.Peer.Addr().AppendTo(d.Scratch)
	chain := d.Scratch[from:len(d.Scratch):len(d.Scratch)]

	st.https = req.TLS
	if known := string(s.proto); known == "http" || known == "https" {
		st.https = known == "https"
	}
	proto := protoHTTP
	if st.https {
		proto = protoHTTPS
	}
	if len(s.host) == 0 {
		s.host = req.Authority
	}
	if !isPort(s.port) {
		s.port = h.port
	}
	if st.id = s.id; !isID(s.id) {
		from = len(d.Scratch)
		d.Scratch = appendID(d.Scratch)
		st.id = d.Scratch[from:len(d.Scratch):len(d.Scratch)]
	}
	req.Fields = append(req.Fields,
		message.Field{Name: nameFor, Value: chain}, message.Field{Name: nameProto, Value: proto},
		message.Field{Name: namePort, Value: s.port}, message.Field{Name: nameID, Value: st.id})
	if len(s.host) > 0 {
		req.Fields = append(req.Fields, message.Field{Name: nameHost, Value: s.host})
	}
	h.identify(req, d)
}

// take removes the fields that are written anew, or that a target could mistake
// for ours. Where the peer is trusted it returns what they said, and appends the
// lines of X-Forwarded-For to scratch as one.
func take(req *message.Request, scratch []byte, trusted bool) ([]byte, said) {
	var s said
	from := len(scratch)
	kept := req.Fields[:0]
	for _, f := range req.Fields {
		to, is := s.field(f.Name)
		switch {
		case certifies(f.Name):
		case !is:
			kept = append(kept, f)
		case !trusted, bytes.IndexByte(f.Name, '_') >= 0: // proxies pass on what they do not know
		case to != nil:
			*to = f.Value
		case message.EqualFold(f.Name, "x-forwarded-for"):
			if len(scratch) > from {
				scratch = append(scratch, ", "...)
			}
			scratch = append(scratch, f.Value...)
		default:
			kept = append(kept, f) // a trusted proxy's Forwarded, X-Real-Ip and the like
		}
	}
	req.Fields = kept
	return scratch, s
}

// field reports whether a field speaks of the client, and where its value is put.
func (s *said) field(name []byte) (to *[]byte, is bool) {
	if c := name[0] | 0x20; len(name) < len("x-real-ip") || c != 'x' && c != 'f' {
		return nil, false
	}
	switch {
	case alike(name, "x-forwarded-proto"):
		return &s.proto, true
	case alike(name, "x-forwarded-host"):
		return &s.host, true
	case alike(name, "x-forwarded-port"):
		return &s.port, true
	case alike(name, "x-request-id"):
		return &s.id, true
	}
	const any = "x-forwarded-" // For, and what some targets know besides: Prefix, Ssl
	family := len(name) > len(any) && alike(name[:len(any)], any)
	return nil, family || alike(name, "forwarded") || alike(name, "x-real-ip")
}

// alike compares a name as received with one in lower case, as targets do that
// read fields from variables (RFC 3875, section 4.1.18): "_" is "-" to them.
func alike(name []byte, lower string) bool {
	if len(name) != len(lower) {
		return false
	}
	for i, c := range name {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] && (c != '_' || lower[i] != '-') {
			return false
		}
	}
	return true
}

func isPort(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(b) > 0 && len(b) <= len("65535")
}

// isID reports whether a request id is one that can stand in any log.
func isID(b []byte) bool {
	for _, c := range b {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '-', c == '_', c == '.', c == ':', c == '/', c == '+', c == '=':
		default:
			return false
		}
	}
	return len(b) > 0 && len(b) <= idMax
}

// appendID writes a fresh request id: 128 random bits.
func appendID(dst []byte) []byte {
	var raw [16]byte
	for i := 0; i < len(raw); i += 8 {
		n := rand.Uint64()
		for j := range 8 {
			raw[i+j] = byte(n >> (8 * j))
		}
	}
	return hex.AppendEncode(dst, raw[:])
}
