package h2

import (
	"time"

	"portico/l7/h2/frame"
)

// partsMax bounds the frames that one head is cut into. At the size of frames that
// everybody takes, no head within its limit has more than a few.
const partsMax = 16

// headers begins a head: of a new stream, of an answer, or the trailers of either.
func (c *Conn) headers(f frame.Head, p []byte) {
	if f.Stream == 0 {
		c.fail(ProtocolError, "HEADERS without a stream")
		return
	}
	p, ok := unpad(f, p)
	if !ok {
		c.fail(ProtocolError, "padding of HEADERS")
		return
	}
	self := false
	if f.Has(frame.FlagPriority) {
		if len(p) < 5 {
			c.fail(FrameSizeError, "priority of HEADERS")
			return
		}
		self = word(p)&frame.IDMax == f.Stream
		p = p[5:]
	}
	c.opened = opened{id: f.Stream, end: f.Has(frame.FlagEnd)}
	if c.o.Client {
		c.headersOfServer()
	} else {
		c.headersOfClient()
	}
	if c.broken != nil {
		return
	}
	if self { // a stream that depends on itself (RFC 7540, section 5.3.1)
		c.resetID(f.Stream, ProtocolError)
		c.opened.then = ignored
	}
	c.fragment(f, p)
}

// unpad removes padding.
func unpad(f frame.Head, p []byte) ([]byte, bool) {
	if !f.Has(frame.FlagPadded) {
		return p, true
	}
	if len(p) == 0 || int(p[0]) > len(p)-1 {
		return nil, false
	}
	return p[1 : len(p)-int(p[0])], true
}

// headersOfClient says what becomes of a head that a client sends.
func (c *Conn) headersOfClient() {
	o := &c.opened
	switch o.s = c.streams[o.id]; {
	case o.s != nil:
		c.trailers()
	case o.id&1 == 0:
		c.fail(ProtocolError, "stream of a client with an even number")
	case o.id <= c.lastPeer:
		c.headersOfClosed()
	case c.goal == leaving:
		o.then = ignored // it came after what the last GOAWAY named
		c.lastPeer = o.id
	default:
		c.lastPeer = o.id
		o.then = heads
		if c.held >= c.o.Limits.Streams {
			o.then = refused
		}
	}
}

// headersOfServer says what becomes of a head that a server sends.
func (c *Conn) headersOfServer() {
	o := &c.opened
	switch o.s = c.streams[o.id]; {
	case o.s == nil && c.idle(o.id):
		c.fail(ProtocolError, "HEADERS of a stream that is idle")
	case o.s == nil:
		c.headersOfClosed()
	case o.s.headed:
		c.trailers()
	case o.s.remoteEnded:
		o.then = misplace
	default:
		o.then = heads
	}
}

// trailers are a second head of a stream.
func (c *Conn) trailers() {
	o := &c.opened
	switch {
	case o.s.remoteEnded && o.s.localEnded:
		c.fail(StreamClosed, "HEADERS of a stream that is closed")
	case o.s.remoteEnded:
		o.then = misplace
	case !o.end:
		c.resetID(o.id, ProtocolError)
		o.then = ignored
	default:
		o.then = trails
	}
}

// headersOfClosed judges a head of a stream that is not there any more.
func (c *Conn) headersOfClosed() {
	switch c.remembered(c.opened.id) {
	case resetByUs:
		c.opened.then = ignored // it may have been on its way
	case closedWhole:
		c.fail(StreamClosed, "HEADERS of a stream that is closed")
	case forgotten:
		c.fail(ProtocolError, "HEADERS of a stream older than others")
	}
}

// continuation goes on with a head.
func (c *Conn) continuation(f frame.Head, p []byte) {
	if c.opened.then == nothing {
		c.fail(ProtocolError, "CONTINUATION without HEADERS")
		return
	}
	c.fragment(f, p)
}

// fragment takes a part of a head. A head in several is copied together.
func (c *Conn) fragment(f frame.Head, p []byte) {
	first := f.Kind == frame.Headers
	if first && f.Has(frame.FlagEndHeaders) {
		c.whole(p)
		return
	}
	if first {
		c.gathered = 0
		c.partAt = c.now.Add(c.o.Greeting)
	}
	// Of a head twice as large as the limit, the limit's part need not be read either.
	if c.gathered++; c.gathered > partsMax || len(c.gather)+len(p) > 2*c.o.Head+frame.Max {
		c.fail(EnhanceYourCalm, "a head without end")
		return
	}
	if c.gather == nil {
		c.gather = c.sh.buffer()
	}
	c.gather = append(c.gather, p...)
	if f.Has(frame.FlagEndHeaders) {
		c.partAt = time.Time{}
		c.whole(c.gather)
	}
}

// whole takes a head that has all of its parts.
func (c *Conn) whole(block []byte) {
	o := c.opened
	c.block = block
	switch o.then {
	case heads:
		if !c.o.Client {
			o.s = c.open(o.id)
		}
		o.s.remoteEnded = o.end
		c.ev = Event{Kind: Head, Stream: o.s, End: o.end}
	case trails:
		o.s.remoteEnded = true
		c.ev = Event{Kind: Trailers, Stream: o.s, End: true}
	case ignored:
		c.skipBlock()
	case refused:
		c.skipBlock()
		c.resetID(o.id, RefusedStream)
	case misplace:
		c.skipBlock()
		c.resetID(o.id, StreamClosed)
	case nothing:
	}
	if c.ev.Kind == none {
		c.readBlock()
	}
}

// readBlock ends the reading of a head.
func (c *Conn) readBlock() {
	c.block, c.opened = nil, opened{}
	if c.gather != nil {
		c.sh.free(c.gather)
		c.gather = nil
	}
	c.freePart()
}

// skipBlock reads a head that its owner did not, because the tables of both sides
// must stay the same (RFC 9113, section 4.3).
func (c *Conn) skipBlock() {
	if c.block == nil {
		return
	}
	octets := c.sh.buffer()
	_, grown, err := c.dec.Decode(nil, octets, c.block, c.headLimits())
	c.sh.free(grown)
	c.readBlock()
	_ = c.unpacked(err) // nobody waits for it, and the connection ends where it must
}
