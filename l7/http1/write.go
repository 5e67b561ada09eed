package http1

import (
	"strconv"

	"portico/l7/message"
)

// AppendChunk writes data as one chunk; nothing if it is empty.
func AppendChunk(dst, data []byte) []byte {
	if len(data) == 0 {
		return dst // a chunk of no bytes would end the body
	}
	dst = AppendChunkHead(dst, len(data))
	dst = append(dst, data...)
	return append(dst, "\r\n"...)
}

// AppendChunkHead writes the line before a chunk of size bytes, which the caller
// writes after it, and then CRLF. The size must not be 0.
func AppendChunkHead(dst []byte, size int) []byte {
	dst = strconv.AppendUint(dst, uint64(size), 16)
	return append(dst, "\r\n"...)
}

// AppendLastChunk ends a chunked body, with trailers if there are any.
func AppendLastChunk(dst []byte, trailers []message.Field) []byte {
	dst = append(dst, "0\r\n"...)
	dst = appendFields(dst, trailers)
	return append(dst, "\r\n"...)
}

// RequestOptions say what one connection to a target needs in a request head.
type RequestOptions struct {
	Close     bool // no request follows on the connection
	Expect100 bool // wait for 100 (Continue) before the body
	// WebSocketKey is written where it is set: the client's protocol has none.
	WebSocketKey []byte
}

// AppendRequestHead writes the head of req for a target: the method, Path and
// Query, HTTP/1.1, Host from Authority, Fields, framing from Framing and Length,
// and Upgrade where req.Upgrade is set. Fields that belong to one connection are
// never copied from Fields.
func AppendRequestHead(dst []byte, req *message.Request, o RequestOptions) []byte {
	dst = append(dst, req.Method...)
	dst = append(dst, ' ')
	dst = append(dst, req.Path...)
	if req.HasQuery {
		dst = append(dst, '?')
		dst = append(dst, req.Query...)
	}
	dst = append(dst, " HTTP/1.1\r\nHost: "...)
	dst = append(dst, req.Authority...)
	dst = append(dst, "\r\n"...)
	te := false
	for i := range req.Fields {
		f := &req.Fields[i]
		switch ownedIn(f.Name) {
		case ownHost:
			continue
		case ownTE:
			if te || !hasToken(f.Value, "trailers") {
				continue
			}
			te = true
			dst = append(dst, "TE: trailers\r\n"...)
			continue
		case ownConnection:
			continue
		case ownNone:
		}
		dst = appendField(dst, f)
	}
	switch req.Framing {
	case message.Length:
		dst = appendLength(dst, req.Length)
	case message.Chunked, message.UntilClose: // a request cannot end by closing
		dst = append(dst, "Transfer-Encoding: chunked\r\n"...)
	case message.NoBody:
	}
	if o.Expect100 {
		dst = append(dst, "Expect: 100-continue\r\n"...)
	}
	if o.WebSocketKey != nil {
		dst = append(dst, "Sec-WebSocket-Key: "...)
		dst = append(dst, o.WebSocketKey...)
		dst = append(dst, "\r\n"...)
	}
	dst = appendConnection(dst, connection{upgrade: req.Upgrade, te: te, close: o.Close})
	return append(dst, "\r\n"...)
}

// ResponseOptions say what the client's connection needs in a response head.
type ResponseOptions struct {
	Minor     int  // of the client's request, 0 or 1
	KeepAlive bool // another request may follow on the connection
	Head      bool // the request was HEAD: no body follows
	Tunnel    bool // what follows is no message: the answer to CONNECT
}

// Framing returns the framing that AppendResponseHead announces for resp and the
// caller must write the body with, and whether the connection stays open after
// it. A body of unknown length is chunked for HTTP/1.1 and ends with the
// connection for HTTP/1.0.
func (o ResponseOptions) Framing(resp *message.Response) (f message.Framing, keepAlive bool) {
	f = resp.Framing
	if o.Head || bodiless(resp.Status) {
		return message.NoBody, o.KeepAlive
	}
	switch {
	case f != message.Chunked && f != message.UntilClose:
		return f, o.KeepAlive
	case o.Minor == 0:
		return message.UntilClose, false
	}
	return message.Chunked, o.KeepAlive
}

// bodiless reports whether a response of that status never has a body.
func bodiless(status int) bool { return status < 200 || status == 204 || status == 304 }

// AppendResponseHead writes the head of resp for a client: status line, Fields,
// framing and Connection. Interim responses get neither of the last two; 101 gets
// Upgrade. An empty Reason is replaced by StatusText.
func AppendResponseHead(dst []byte, resp *message.Response, o ResponseOptions) []byte {
	dst = append(dst, "HTTP/1.1 "...)
	dst = strconv.AppendInt(dst, int64(resp.Status), 10)
	dst = append(dst, ' ')
	if len(resp.Reason) > 0 {
		dst = append(dst, resp.Reason...)
	} else {
		dst = append(dst, StatusText(resp.Status)...)
	}
	dst = append(dst, "\r\n"...)
	for i := range resp.Fields {
		f := &resp.Fields[i]
		switch ownedIn(f.Name) {
		case ownConnection, ownTE:
			continue
		case ownHost, ownNone:
		}
		dst = appendField(dst, f)
	}
	switch {
	case o.Tunnel: // has neither framing nor an end (RFC 9110, section 9.3.6)
	case resp.Status == 101:
		dst = appendConnection(dst, connection{upgrade: resp.Upgrade})
	case resp.Status >= 200:
		framing, keepAlive := o.Framing(resp)
		dst = o.appendFraming(dst, resp, framing)
		dst = appendConnection(dst, connection{close: !keepAlive, keepAlive: keepAlive && o.Minor == 0})
	}
	return append(dst, "\r\n"...)
}

// appendFraming writes what the framing that was settled needs to be understood.
func (o ResponseOptions) appendFraming(dst []byte, resp *message.Response, f message.Framing) []byte {
	switch {
	case f == message.Length:
		return appendLength(dst, resp.Length)
	case f == message.Chunked:
		return append(dst, "Transfer-Encoding: chunked\r\n"...)
	case f == message.UntilClose || resp.Status == 204:
		return dst
	case o.Head || resp.Status == 304:
		// The length the body would have had, where the target said so.
		if resp.Length >= 0 && (resp.Framing == message.Length || resp.Framing == message.NoBody) {
			return appendLength(dst, resp.Length)
		}
		return dst
	}
	return append(dst, "Content-Length: 0\r\n"...)
}

// connection is what a Connection field says.
type connection struct {
	upgrade              []byte
	te, close, keepAlive bool
}

func appendConnection(dst []byte, c connection) []byte {
	if len(c.upgrade) > 0 {
		dst = append(dst, "Upgrade: "...)
		dst = append(dst, c.upgrade...)
		dst = append(dst, "\r\nConnection: upgrade"...)
		if c.te {
			dst = append(dst, ", te"...)
		}
		return append(dst, "\r\n"...)
	}
	switch {
	case c.te && c.close:
		return append(dst, "Connection: te, close\r\n"...)
	case c.te:
		return append(dst, "Connection: te\r\n"...)
	case c.close:
		return append(dst, "Connection: close\r\n"...)
	case c.keepAlive:
		return append(dst, "Connection: keep-alive\r\n"...)
	}
	return dst
}

// owned says which field of a head this package alone writes.
type owned uint8

const (
	ownNone owned = iota
	ownHost
	ownTE
	ownConnection // framing too
)

// ownedIn tells those fields by their name; most names are told by their length alone.
func ownedIn(name []byte) owned {
	which := ownConnection
	var own string
	switch len(name) {
	case len("te"):
		own, which = "te", ownTE
	case len("host"):
		own, which = "host", ownHost
	case len("expect"):
		own = "expect"
	case len("upgrade"):
		own = "upgrade"
	case len("connection"):
		own = "connection"
		if name[0]|0x20 == 'k' {
			own = "keep-alive"
		}
	case len("content-length"):
		own = "content-length"
	case len("proxy-connection"):
		own = "proxy-connection"
	case len("transfer-encoding"):
		own = "transfer-encoding"
	default:
		return ownNone
	}
	if message.EqualFold(name, own) {
		return which
	}
	return ownNone
}

func appendFields(dst []byte, fields []message.Field) []byte {
	for i := range fields {
		dst = appendField(dst, &fields[i])
	}
	return dst
}

func appendField(dst []byte, f *message.Field) []byte {
	dst = append(dst, f.Name...)
	dst = append(dst, ": "...)
	dst = append(dst, f.Value...)
	return append(dst, "\r\n"...)
}

func appendLength(dst []byte, n int64) []byte {
	dst = append(dst, "Content-Length: "...)
	dst = strconv.AppendInt(dst, n, 10)
	return append(dst, "\r\n"...)
}
