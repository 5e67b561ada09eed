package http1

import (
	"bytes"

	"portico/l7/message"
)

// What follows judges the parts of a message that HTTP/2 and HTTP/3 frame in
// another way, so that they mean the same whatever they came by. Errors are *Error.

// SetPath takes apart the path and query of a request whose Method is set; path is
// what a request line has as its target, in origin or asterisk form.
func SetPath(req *message.Request, path []byte) error {
	switch {
	case !visible(path):
		if bytes.IndexByte(path, '#') >= 0 {
			return errFragment
		}
		return errTargetChar
	case len(path) == 0 || path[0] != '/' && string(path) != "*":
		return errTarget
	}
	req.Target = path
	req.Query, req.HasQuery = nil, false
	if path[0] == '*' {
		if string(req.Method) != "OPTIONS" {
			return errTarget
		}
		req.Path = path
		return nil
	}
	if err := splitPath(req, path); err != nil {
		return err
	}
	return nil
}

// SetAuthority settles for whom a request is: authority where it is not nil, else
// the Host field. Where there are both, they must agree.
func SetAuthority(req *message.Request, authority, host []byte) error {
	switch {
	case authority == nil && host == nil:
		return errHostMissing
	case authority == nil:
		authority = host
	case host != nil && !equalFold(authority, host):
		return errHostDiffers
	}
	name, ok := hostOf(authority)
	if !ok {
		return errHost
	}
	req.Authority, req.Host = authority, lowered(name, req)
	return nil
}

// ParseLength reads a Content-Length.
func ParseLength(value []byte) (int64, error) {
	n, err := parseLength(value)
	if err != nil {
		return 0, err
	}
	return n, nil
}

// Refusals of what a request asks for, whatever it came by.
var (
	// ErrExpect refuses an expectation other than 100-continue.
	ErrExpect error = errExpect
	// ErrHeadSize refuses a head that is too large.
	ErrHeadSize error = errHeadSize
	// ErrProtocol refuses to carry a protocol.
	ErrProtocol error = &Error{501, "protocol of CONNECT"}
)

// SetConnect puts what a CONNECT asks to be connected to into req, by the rules of
// ParseRequest. The error is an *Error.
func SetConnect(req *message.Request, authority []byte) error {
	if _, ok := hostOf(authority); !ok || !hasPort(authority) {
		return errTarget
	}
	req.Target, req.Authority, req.Path = authority, authority, rootPath
	req.Query, req.HasQuery = nil, false
	return nil
}

// Trailer reports whether a field may be among trailers (RFC 9110, section 6.5.1).
func Trailer(name []byte) bool { return !forbiddenTrailer(name) }

// EndToEnd reports whether a field is passed on as it is: not Host, TE, or one of
// framing and of a connection, which every protocol says in its own way.
func EndToEnd(name []byte) bool { return ownedIn(name) == ownNone }

// AsksTrailers reports whether a field is a TE that asks for trailers.
func AsksTrailers(f *message.Field) bool {
	return ownedIn(f.Name) == ownTE && hasToken(f.Value, "trailers")
}
