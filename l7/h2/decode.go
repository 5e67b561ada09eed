package h2

import (
	"errors"

	"portico/l7/h2/hpack"
	"portico/l7/http1"
	"portico/l7/message"
)

// ErrMalformed says that a head is none of HTTP; its stream was reset, as Gone says
// too (RFC 9113, section 8.1.1).
var ErrMalformed = errors.New("h2: malformed head")

func (c *Conn) headLimits() hpack.Limits {
	return hpack.Limits{Octets: c.o.Head + fieldCost*c.o.Fields, Fields: c.o.Fields}
}

// fieldCost is what a field counts in a list beside its octets (RFC 9113, section
// 10.5.1). The limit of a head speaks of octets alone.
const fieldCost = 32

// unpacked judges what became of a block. Where the tables may differ now, the
// connection ends.
func (c *Conn) unpacked(err error) error {
	if err == nil || errors.Is(err, hpack.ErrTooLarge) {
		return err
	}
	c.fail(CompressionError, err.Error())
	return err
}

// unpack reads the block that is whole into the memory of a message.
func (c *Conn) unpack(fields []message.Field, octets *[]byte) ([]message.Field, error) {
	if c.block == nil {
		return fields, ErrMalformed // it was read, or the connection is lost
	}
	var err error
	fields, *octets, err = c.dec.Decode(fields, *octets, c.block, c.headLimits())
	c.readBlock()
	return fields, c.unpacked(err)
}

// malformed resets a stream.
func (c *Conn) malformed(s *Stream) error {
	if !s.dead {
		c.resetID(s.id, ProtocolError)
	}
	return ErrMalformed
}

// Request reads the request of a stream whose Head came into req, and the octets of
// it behind those in octets; both must stay as long as req is used. What is read
// means what it would in HTTP/1.1: a request to open a tunnel is one to switch the
// protocol. An *http1.Error says by which status to refuse it; any other error, that
// the stream is gone.
func (c *Conn) Request(s *Stream, req *message.Request, octets *[]byte) error {
	fields, err := c.unpack(req.Fields[:0], octets)
	req.Fields = fields
	req.Major, req.Minor, req.KeepAlive = 2, 0, false
	req.Method, req.Target, req.Path, req.Authority, req.Host, req.Query = nil, nil, nil, nil, nil, nil
	req.Upgrade, req.Scratch = nil, req.Scratch[:0]
	switch {
	case errors.Is(err, hpack.ErrTooLarge):
		return http1.ErrHeadSize
	case err != nil:
		return err
	}
	s.headed = true
	p := parts{length: -1, octets: octets, request: true}
	kept, ok := p.read(fields)
	if !ok || !p.complete(c.o.Connect) {
		return c.malformed(s)
	}
	req.Fields = kept
	req.Method = p.method
	if err := c.judge(s, req, &p); err != nil {
		return err
	}
	return nil
}

// judge says what a request that is well formed asks for.
func (c *Conn) judge(s *Stream, req *message.Request, p *parts) error {
	end := s.remoteEnded
	if end && p.length > 0 {
		return c.malformed(s)
	}
	s.expect = p.length
	connect := string(p.method) == "CONNECT"
	if err := http1.SetAuthority(req, p.authority, p.host); err != nil {
		return err
	}
	if connect && p.protocol == nil {
		req.Framing, req.Length, s.tunnel, s.expect = message.NoBody, 0, true, -1
		return http1.SetConnect(req, p.authority)
	}
	if err := http1.SetPath(req, p.path); err != nil {
		return err
	}
	if p.expects {
		return http1.ErrExpect
	}
	if connect {
		if !message.EqualFold(p.protocol, "websocket") {
			return http1.ErrProtocol
		}
		req.Method, req.Upgrade = methodGet, p.protocol
		req.Framing, req.Length, s.tunnel, s.expect = message.NoBody, 0, true, -1
		return nil
	}
	req.Framing, req.Length = message.Chunked, 0
	switch {
	case p.length >= 0:
		req.Framing, req.Length = message.Length, p.length
	case end && meansContent(p.method):
		req.Framing = message.Length // some targets insist on it (RFC 9110, section 8.6)
	case end:
		req.Framing = message.NoBody
	}
	req.Expect100 = p.expect && !end
	return nil
}

var methodGet = []byte("GET")

// meansContent reports methods whose requests say that they have no content.
func meansContent(method []byte) bool {
	switch string(method) {
	case "POST", "PUT", "PATCH":
		return true
	}
	return false
}

// Response reads the response of a stream whose Head came, as Request does. Any
// error says that the stream is gone. An interim response has a status below 200.
func (c *Conn) Response(s *Stream, resp *message.Response, octets *[]byte) error {
	fields, err := c.unpack(resp.Fields[:0], octets)
	resp.Fields = fields
	resp.Reason, resp.Upgrade, resp.Minor, resp.KeepAlive = nil, nil, 1, true
	if err != nil {
		if !s.dead {
			c.resetID(s.id, ProtocolError)
		}
		return err
	}
	p := parts{length: -1, octets: octets}
	kept, ok := p.read(fields)
	if !ok || p.status < 100 || p.status == 101 || p.status < 200 && s.remoteEnded {
		return c.malformed(s)
	}
	resp.Fields, resp.Status = kept, p.status
	if p.status < 200 {
		resp.Framing, resp.Length = message.NoBody, -1
		return nil
	}
	s.headed = true
	return c.frameOf(s, resp, p.length)
}

// frameOf says how the body of a response ends.
func (c *Conn) frameOf(s *Stream, resp *message.Response, length int64) error {
	s.bodiless = s.bodiless || resp.Status == 204 || resp.Status == 304
	resp.Framing, resp.Length = message.Chunked, length
	switch {
	case s.bodiless:
		resp.Framing = message.NoBody
		if resp.Status == 204 {
			resp.Length = -1
		}
		return nil
	case s.tunnel && resp.Status < 300:
		return nil // whatever length it says (RFC 9110, section 9.3.6)
	case s.remoteEnded && length > 0:
		return c.malformed(s)
	case s.remoteEnded:
		resp.Framing, resp.Length = message.Length, 0
	case length >= 0:
		resp.Framing, s.expect = message.Length, length
	}
	return nil
}

// ReadTrailers reads the trailers of a stream behind those in trailers. Fields that
// must not be trailers are left out. An error says that the stream is gone.
func (c *Conn) ReadTrailers(s *Stream, trailers *[]message.Field, octets *[]byte) error {
	before := len(*trailers)
	fields, err := c.unpack(*trailers, octets)
	if err != nil {
		*trailers = fields[:before]
		if !s.dead {
			c.resetID(s.id, ProtocolError)
		}
		return err
	}
	kept := fields[:before]
	for _, f := range fields[before:] {
		if !validName(f.Name) || !validValue(f.Value) {
			return c.malformed(s)
		}
		if http1.Trailer(f.Name) {
			kept = append(kept, f)
		}
	}
	*trailers = kept
	if !s.count(0, true) {
		return c.malformed(s)
	}
	return nil
}
