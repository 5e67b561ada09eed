package h2

import (
	"portico/l7/h2/frame"
	"portico/l7/h2/hpack"
	"portico/l7/http1"
	"portico/l7/message"
)

var (
	methodConnect = []byte("CONNECT")
	nameProtocol  = []byte(":protocol")
	nameTE        = []byte("te")
	valueTrailers = []byte("trailers")
	nameExpect    = []byte("expect")
	valueContinue = []byte("100-continue")
)

// sendHead writes the head of a message, if it has one.
func (c *Conn) sendHead(s *Stream, m *Message, end bool) {
	switch {
	case m.Request != nil:
		at := c.beginBlock()
		c.request(s, m.Request)
		c.endBlock(s, at, end)
	case m.Response != nil:
		at := c.beginBlock()
		c.response(s, m.Response)
		c.endBlock(s, at, end)
	case end:
		c.out = frame.Append(c.out, 0, frame.Data, frame.FlagEnd, s.id)
		s.localEnded = true
	}
}

// beginBlock leaves room for the head of a frame, to be filled in by endBlock.
func (c *Conn) beginBlock() (at int) {
	at = len(c.out)
	c.out = frame.Append(c.out, 0, frame.Headers, 0, 0)
	if c.shrunk && !c.told {
		c.told = true
		c.out = append(c.out, 0x20) // our table has no room (RFC 7541, section 4.2)
	}
	return at
}

// endBlock makes frames of the block that began at.
func (c *Conn) endBlock(s *Stream, at int, end bool) {
	flags := uint8(0)
	if end {
		flags, s.localEnded = frame.FlagEnd, true
	}
	size := len(c.out) - at - frame.HeadSize
	if size <= frame.Max {
		frame.Append(c.out[:at], size, frame.Headers, flags|frame.FlagEndHeaders, s.id)
		return
	}
	block := append(c.sh.buffer(), c.out[at+frame.HeadSize:]...)
	c.out = c.out[:at]
	for k, rest := frame.Headers, block; len(rest) > 0; k, flags = frame.Continuation, 0 {
		part := rest[:min(len(rest), frame.Max)]
		if rest = rest[len(part):]; len(rest) == 0 {
			flags |= frame.FlagEndHeaders
		}
		c.out = append(frame.Append(c.out, len(part), k, flags, s.id), part...)
	}
	c.sh.free(block)
}

// field writes a field, unless it belongs to one connection.
func (c *Conn) field(f *message.Field) {
	if len(f.Name) > 0 && http1.EndToEnd(f.Name) {
		c.out = hpack.Append(c.out, f.Name, f.Value)
	}
}

// request writes the head of a request. One to switch the protocol opens a tunnel
// (RFC 8441, section 4), where keys mean nothing.
func (c *Conn) request(s *Stream, req *message.Request) {
	s.begun, s.bodiless = true, string(req.Method) == "HEAD"
	if s.tunnel = req.Upgrade != nil; s.tunnel {
		c.out = hpack.AppendMethod(c.out, methodConnect)
		c.out = hpack.Append(c.out, nameProtocol, req.Upgrade)
	} else {
		c.out = hpack.AppendMethod(c.out, req.Method)
	}
	c.out = hpack.AppendScheme(c.out, c.o.TLS)
	c.out = hpack.AppendIndexed(c.out, hpack.Authority, req.Authority)
	c.out = hpack.AppendPath(c.out, req.Path, req.Query, req.HasQuery)
	te := false
	for i := range req.Fields {
		f := &req.Fields[i]
		switch {
		case len(f.Name) == len(nameTE) && http1.AsksTrailers(f):
			te = true
		case s.tunnel && message.EqualFold(f.Name, "sec-websocket-key"):
		default:
			c.field(f)
		}
	}
	if te {
		c.out = hpack.Append(c.out, nameTE, valueTrailers)
	}
	if req.Framing == message.Length {
		c.out = hpack.AppendLength(c.out, req.Length)
	}
	if req.Expect100 {
		c.out = hpack.Append(c.out, nameExpect, valueContinue)
	}
}

// response writes the head of a response. The one that opens a tunnel is 101 in
// HTTP/1.1 and 200 here.
func (c *Conn) response(s *Stream, resp *message.Response) {
	status := resp.Status
	if status == 101 {
		status, s.tunnel = 200, true
	}
	c.out = hpack.AppendStatus(c.out, status)
	for i := range resp.Fields {
		c.field(&resp.Fields[i])
	}
	known := resp.Framing == message.Length || resp.Framing == message.NoBody && resp.Length >= 0
	if known && status >= 200 && status != 204 && !s.tunnel {
		c.out = hpack.AppendLength(c.out, resp.Length)
	}
}
