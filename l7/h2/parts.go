package h2

import (
	"portico/l7/http1"
	"portico/l7/message"
)

// parts are what a head says apart from the fields that are passed on.
type parts struct {
	request bool    // it is one's, not a response's
	octets  *[]byte // memory for what is put together

	method, scheme, authority, path, protocol []byte
	seen                                      uint8 // which pseudo-fields there were

	status  int
	host    []byte
	length  int64 // -1 without one
	expect  bool  // 100-continue
	expects bool  // something else
	cookie  int   // the place of the one cookie field, after 1; 0 without one
	crumbs  int
}

// Pseudo-fields, as bits.
const (
	hasMethod uint8 = 1 << iota
	hasScheme
	hasAuthority
	hasPath
	hasProtocol
	hasStatus
)

// read takes a head apart and returns the fields that are passed on, in the place
// of all. It reports whether the head is well formed (RFC 9113, sections 8.2 and 8.3).
func (p *parts) read(fields []message.Field) (kept []message.Field, ok bool) {
	i := 0
	for i < len(fields) && len(fields[i].Name) > 0 && fields[i].Name[0] == ':' {
		if !p.pseudo(&fields[i]) {
			return nil, false
		}
		i++
	}
	kept = fields[:0]
	for ; i < len(fields); i++ {
		f := fields[i]
		if !validName(f.Name) || !validValue(f.Value) {
			return nil, false
		}
		keep, ok := p.regular(&f)
		if !ok {
			return nil, false
		}
		if p.cookieJoined(&f, kept) {
			continue
		}
		if keep {
			kept = append(kept, f)
		}
	}
	return kept, p.request || p.seen == hasStatus
}

// pseudo takes a field of the control data, and reports whether it may be there.
func (p *parts) pseudo(f *message.Field) bool {
	var bit uint8
	var to *[]byte
	switch string(f.Name) {
	case ":method":
		bit, to = hasMethod, &p.method
	case ":scheme":
		bit, to = hasScheme, &p.scheme
	case ":authority":
		bit, to = hasAuthority, &p.authority
	case ":path":
		bit, to = hasPath, &p.path
	case ":protocol":
		bit, to = hasProtocol, &p.protocol
	case ":status":
		p.status = status(f.Value)
		if p.request || p.seen != 0 || p.status == 0 {
			return false
		}
		p.seen = hasStatus
		return true
	}
	if bit == 0 || !p.request || p.seen&bit != 0 || !validValue(f.Value) {
		return false
	}
	p.seen |= bit
	*to = f.Value
	return true
}

// status reads three digits; 0 where they are not a status.
func status(v []byte) int {
	if len(v) != 3 {
		return 0
	}
	n := 0
	for _, c := range v {
		if c < '0' || c > '9' {
			return 0
		}
		n = n*10 + int(c-'0')
	}
	if n < 100 {
		return 0
	}
	return n
}

// complete reports whether a request has the control data that it must have, and no
// other (RFC 9113, section 8.3.1; of CONNECT 8.5 and RFC 8441, section 4).
func (p *parts) complete(connect bool) bool {
	const all = hasMethod | hasScheme | hasPath
	if !http1.ValidName(p.method) {
		return false
	}
	if string(p.method) == "CONNECT" && p.seen&hasProtocol == 0 {
		return p.seen == hasMethod|hasAuthority
	}
	if p.seen&all != all || len(p.path) == 0 || !validScheme(p.scheme) {
		return false
	}
	switch {
	case p.seen&hasProtocol != 0:
		return connect && string(p.method) == "CONNECT" && http1.ValidName(p.protocol)
	case string(p.path) == "*":
		return string(p.method) == "OPTIONS"
	}
	return p.path[0] == '/'
}

func validScheme(s []byte) bool { return string(s) == "http" || string(s) == "https" }

// regular takes what decides about framing out of a field. It reports whether the
// field is passed on, and whether it may be there: what belongs to one connection of
// HTTP/1.1 may not (RFC 9113, section 8.2.2).
func (p *parts) regular(f *message.Field) (keep, ok bool) {
	switch string(f.Name) {
	case "connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade":
		return false, false
	case "te":
		return true, p.request && message.EqualFold(f.Value, "trailers")
	case "host":
		if !p.request {
			return true, true
		}
		if p.host != nil {
			return false, false
		}
		p.host = f.Value
		return false, true
	case "content-length":
		n, err := http1.ParseLength(f.Value)
		if err != nil || p.length >= 0 {
			return false, false
		}
		p.length = n
		return false, true
	case "expect":
		if !p.request {
			return true, true
		}
		known := message.EqualFold(f.Value, "100-continue")
		p.expect = p.expect || known
		p.expects = p.expects || !known
		return false, true
	case "sec-websocket-key":
		return p.seen&hasProtocol == 0, true
	}
	return true, true
}

// cookieJoined makes one field of several cookies, which may come apart here and may
// not in HTTP/1.1 (RFC 9113, section 8.2.3).
func (p *parts) cookieJoined(f *message.Field, kept []message.Field) bool {
	if !p.request || string(f.Name) != "cookie" {
		return false
	}
	if p.crumbs++; p.crumbs == 1 {
		p.cookie = len(kept) + 1
		return false
	}
	o := *p.octets
	first := &kept[p.cookie-1]
	from := len(o) - len(first.Value)
	if p.crumbs == 2 {
		from = len(o)
		o = append(o, first.Value...)
	}
	o = append(append(o, "; "...), f.Value...)
	first.Value = o[from:len(o):len(o)]
	*p.octets = o
	return true
}

// names says which octets a name may have: those of a token, no letter in upper case.
var names = lowerNames()

func lowerNames() (t [256]bool) {
	for i := range t {
		t[i] = http1.ValidName([]byte{byte(i)}) && (i < 'A' || i > 'Z')
	}
	return t
}

func validName(name []byte) bool {
	for _, c := range name {
		if !names[c] {
			return false
		}
	}
	return len(name) > 0
}

// validValue reports whether a value holds no control character, and no white space
// around it (RFC 9113, section 8.2.1).
func validValue(v []byte) bool {
	if n := len(v); n > 0 && (blank(v[0]) || blank(v[n-1])) {
		return false
	}
	return http1.ValidValue(v)
}

func blank(c byte) bool { return c == ' ' || c == '\t' }
