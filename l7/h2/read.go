package h2

import (
	"time"

	"portico/l7/h2/frame"
)

// reader is where the reading of frames stands.
type reader struct {
	greeting   string // what is still to come of the preface
	started    bool   // the first frame, which must be SETTINGS, began
	head       [frame.HeadSize]byte
	headLen    int
	f          frame.Head
	inFrame    bool
	left       int    // of the frame's payload
	part       []byte // of a payload that comes in pieces
	padding    int    // at the end of the DATA being read; -1 while its length is to come
	opened     opened
	gather     []byte // the parts of a head so far
	gathered   int    // how many
	block      []byte // a head that nobody read yet
	recv       int32  // what the peer may still send on the connection
	connWindow int32  // what it may at first
	taken      int32  // what was taken of it since it was told
}

// opened is what a HEADERS began that is not whole, or not read yet.
type opened struct {
	id   uint32
	end  bool
	then fate
	s    *Stream
}

// fate is what becomes of a head when it is whole.
type fate uint8

const (
	nothing  fate = iota // no head is going on
	heads                // it is the owner's
	trails               // it is the owner's, as trailers
	ignored              // its stream is gone
	refused              // its stream is one too many
	misplace             // its stream had ended
)

// Bytes takes the first n bytes of p, up to what makes an event. The owner asks for
// events before it gives the rest.
func (c *Conn) Bytes(p []byte, now time.Time) (n int) {
	c.now, c.heard, c.pinged = now, now, false
	if c.out == nil {
		c.out = c.sh.buffer()
	}
	c.skipBlock()
	rest := p
	for len(rest) > 0 && c.broken == nil && c.ev.Kind == none && c.lost.empty() {
		rest = rest[c.step(rest):]
	}
	if c.broken != nil {
		return len(p)
	}
	return len(p) - len(rest)
}

// step takes some bytes: of the preface, of a frame's head, or of its payload.
func (c *Conn) step(p []byte) int {
	switch {
	case len(c.greeting) > 0:
		n := min(len(p), len(c.greeting))
		if string(p[:n]) != c.greeting[:n] {
			c.fail(ProtocolError, "preface")
		}
		c.greeting = c.greeting[n:]
		return n
	case !c.inFrame:
		n := copy(c.head[c.headLen:], p)
		if c.headLen += n; c.headLen == frame.HeadSize {
			c.headLen = 0
			c.f = frame.Parse(&c.head)
			c.begin()
		}
		return n
	case c.f.Kind == frame.Data:
		return c.data(p)
	case c.f.Kind > frame.Continuation:
		return c.dropPart(p)
	}
	return c.payload(p)
}

// payload gathers the payload of a frame, unless it is there as a whole.
func (c *Conn) payload(p []byte) int {
	n := min(len(p), c.left)
	if len(c.part) == 0 && n == c.left {
		c.inFrame, c.left = false, 0
		c.handle(p[:n])
		return n
	}
	if c.part == nil {
		c.part = c.sh.buffer()
	}
	c.part = append(c.part, p[:n]...)
	if c.left -= n; c.left == 0 {
		c.inFrame = false
		c.handle(c.part)
		c.freePart()
	}
	return n
}

// freePart lets go of the memory of a payload, unless it is a head to be read.
func (c *Conn) freePart() {
	if c.part != nil && c.block == nil {
		c.sh.free(c.part)
		c.part = nil
	}
}

// dropPart takes the payload of a frame that means nothing.
func (c *Conn) dropPart(p []byte) int {
	n := min(len(p), c.left)
	if c.left -= n; c.left == 0 {
		c.inFrame = false
	}
	return n
}

// begin judges the head of a frame.
func (c *Conn) begin() {
	f := &c.f
	switch {
	case f.Size > frame.Max:
		c.fail(FrameSizeError, "frame too large")
		return
	case !c.started && (f.Kind != frame.Settings || f.Has(frame.FlagAck)):
		c.fail(ProtocolError, "no SETTINGS first")
		return
	case c.opened.then != nothing && (f.Kind != frame.Continuation || f.Stream != c.opened.id):
		c.fail(ProtocolError, "a frame within a head")
		return
	}
	if !c.started {
		c.started, c.startAt = true, time.Time{}
	}
	c.inFrame, c.left = true, f.Size
	switch {
	case f.Kind == frame.Data:
		c.beginData()
	case f.Kind > frame.Continuation:
		if c.afford(&c.chatter, c.o.Limits.Control, "unknown frames") && f.Size == 0 {
			c.inFrame = false
		}
	case f.Size == 0:
		c.inFrame = false
		c.handle(nil)
	}
}

// handle takes a frame whose payload is whole.
func (c *Conn) handle(p []byte) {
	f := c.f
	switch f.Kind {
	case frame.Headers:
		c.headers(f, p)
	case frame.Priority:
		c.priority(f, p)
	case frame.Reset:
		c.reset(f, p)
	case frame.Settings:
		c.settings(f, p)
	case frame.Push:
		c.fail(ProtocolError, "PUSH_PROMISE")
	case frame.Ping:
		c.pong(f, p)
	case frame.GoAway:
		c.goAway(f, p)
	case frame.Window:
		c.windowUpdate(f, p)
	case frame.Continuation:
		c.continuation(f, p)
	case frame.Data: // read as it comes
	}
}

// priority is advice of a kind that nobody follows any more (RFC 9113, section 5.3).
func (c *Conn) priority(f frame.Head, p []byte) {
	switch {
	case f.Stream == 0:
		c.fail(ProtocolError, "PRIORITY without a stream")
	case !c.afford(&c.chatter, c.o.Limits.Control, "PRIORITY"):
	case len(p) != 5:
		c.resetID(f.Stream, FrameSizeError)
	case word(p)&frame.IDMax == f.Stream:
		c.resetID(f.Stream, ProtocolError)
	}
}

// reset is that the peer ends a stream.
func (c *Conn) reset(f frame.Head, p []byte) {
	switch {
	case len(p) != 4:
		c.fail(FrameSizeError, "RST_STREAM of a wrong size")
		return
	case c.idle(f.Stream):
		c.fail(ProtocolError, "RST_STREAM of a stream that is idle")
		return
	}
	s := c.streams[f.Stream]
	if s == nil {
		c.afford(&c.chatter, c.o.Limits.Control, "RST_STREAM")
		return
	}
	if !c.o.Client && !c.afford(&c.resets, c.o.Limits.Resets, "RST_STREAM") {
		return
	}
	code := Code(word(p))
	c.gone(s, &Error{Code: code, Reason: "stream reset by the peer"}, code == RefusedStream)
}

func (c *Conn) pong(f frame.Head, p []byte) {
	switch {
	case f.Stream != 0:
		c.fail(ProtocolError, "PING on a stream")
	case len(p) != 8:
		c.fail(FrameSizeError, "PING of a wrong size")
	case f.Has(frame.FlagAck):
	case c.afford(&c.chatter, c.o.Limits.Control, "PING"):
		c.out = frame.Append(c.out, 8, frame.Ping, frame.FlagAck, 0)
		c.out = append(c.out, p...)
	}
}

// idle reports whether a stream was never opened.
func (c *Conn) idle(id uint32) bool {
	if id == 0 {
		return true
	}
	if c.o.Client == (id&1 == 1) {
		return !c.o.Client || id >= c.nextID
	}
	return c.o.Client || id > c.lastPeer
}
