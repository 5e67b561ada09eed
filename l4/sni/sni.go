// Package sni reads the name that a TLS client asks for, without taking part in the
// handshake.
//
// What comes in are the first bytes of a connection; what goes out is the name, once
// the ClientHello is whole. The bytes are left as they are: whoever holds the
// certificate reads them again.
//
// It never decrypts: of an encrypted ClientHello (ECH) it reports the outer name. It
// holds no state and does no I/O; bytes that can be no ClientHello are an error.
//
// Start reading at Name.
package sni

import (
	"encoding/binary"
	"errors"
	"strings"
)

// Max is how many bytes a ClientHello may take with its records: several times what
// browsers send with post-quantum key shares, and within one buffer of the relay.
const Max = 14 << 10

// Record and handshake (RFC 8446, sections 5.1 and 4).
const (
	recordHandshake = 22
	recordHead      = 5
	recordMax       = 1 << 14
	clientHello     = 1
	handshakeHead   = 4
	randomSize      = 32
	sessionMax      = 32
)

// The extension and its only kind of name (RFC 6066, section 3).
const (
	extensionName = 0
	nameHost      = 0
	nameMax       = 253
)

var (
	errNoTLS  = errors.New("the connection does not begin with a TLS handshake")
	errHello  = errors.New("the ClientHello is malformed")
	errLong   = errors.New("the ClientHello is too long")
	errName   = errors.New("the server name is no name")
	errDouble = errors.New("the ClientHello has two server names")
)

// Name returns the name that is asked for, in lower case; it is empty where the
// client asks for none. done is false while more bytes are needed, never more than
// Max in all. An error says that no further byte will mend it.
func Name(b []byte) (name string, done bool, err error) {
	hello, done, err := gather(b)
	if err != nil || !done {
		return "", false, err
	}
	name, err = parse(hello)
	return name, err == nil, err
}

// gather puts together the handshake message, which may be cut into records of any
// size but none.
func gather(b []byte) (hello []byte, done bool, err error) {
	used, want := 0, handshakeHead
	for {
		head := b[used:]
		if len(head) > 0 && head[0] != recordHandshake || len(head) > 1 && head[1] != 3 {
			return nil, false, errNoTLS
		}
		if len(head) < recordHead {
			return nil, false, short(used + recordHead)
		}
		size := int(binary.BigEndian.Uint16(head[3:]))
		if size == 0 || size > recordMax {
			return nil, false, errNoTLS
		}
		body := head[recordHead:min(recordHead+size, len(head))]
		hello = append(hello, body...)
		if len(hello) >= handshakeHead {
			if hello[0] != clientHello {
				return nil, false, errNoTLS
			}
			want = handshakeHead + int(hello[1])<<16 + int(binary.BigEndian.Uint16(hello[2:]))
			if want > Max {
				return nil, false, errLong
			}
			if len(hello) >= want {
				return hello[handshakeHead:want], true, nil
			}
		}
		if len(body) < size {
			return nil, false, short(len(b) + want - len(hello))
		}
		used += recordHead + size
	}
}

// short reports that a ClientHello would be longer than one may be.
func short(need int) error {
	if need > Max {
		return errLong
	}
	return nil
}

// parse reads a ClientHello (RFC 8446, section 4.1.2).
func parse(b []byte) (string, error) {
	r := reader{b: b}
	r.take(2 + randomSize)
	if session := r.list(1); len(session) > sessionMax {
		return "", errHello
	}
	ciphers, compressions := r.list(2), r.list(1)
	if r.bad || len(ciphers) < 2 || len(ciphers)%2 != 0 || len(compressions) == 0 {
		return "", errHello
	}
	if len(r.b) == 0 {
		return "", nil // before TLS 1.2 there may be no extensions
	}
	extensions := reader{b: r.list(2)}
	if r.bad || len(r.b) > 0 {
		return "", errHello
	}
	name, named := "", false
	for len(extensions.b) > 0 {
		kind := extensions.take(2)
		body := extensions.list(2)
		if extensions.bad {
			return "", errHello
		}
		if binary.BigEndian.Uint16(kind) != extensionName {
			continue
		}
		if named {
			return "", errDouble
		}
		var err error
		if name, err = parseName(body); err != nil {
			return "", err
		}
		named = true
	}
	return name, nil
}

// parseName reads the extension, which names one host.
func parseName(b []byte) (string, error) {
	r := reader{b: b}
	names := reader{b: r.list(2)}
	kind := names.take(1)
	host := names.list(2)
	if r.bad || names.bad || len(r.b) > 0 || len(names.b) > 0 || kind[0] != nameHost {
		return "", errHello
	}
	name := strings.ToLower(string(host))
	bad := func(c rune) bool {
		return c != '-' && c != '.' && c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z')
	}
	if name == "" || len(name) > nameMax || strings.ContainsFunc(name, bad) || name[0] == '.' || name[len(name)-1] == '.' {
		return "", errName
	}
	return name, nil
}

// reader takes bytes until there are too few.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if len(r.b) < n {
		r.b, r.bad = nil, true
		return nil
	}
	taken := r.b[:n]
	r.b = r.b[n:]
	return taken
}

// list takes bytes that their number stands before, in one byte or two.
func (r *reader) list(width int) []byte {
	n := 0
	for _, b := range r.take(width) {
		n = n<<8 | int(b)
	}
	return r.take(n)
}
