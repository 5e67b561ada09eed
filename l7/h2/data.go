package h2

import "portico/l7/h2/frame"

// beginData judges a frame of data, and counts it against the windows whole,
// padding included (RFC 9113, section 6.9.1).
func (c *Conn) beginData() {
	f := &c.f
	size := int32(f.Size)
	switch {
	case c.idle(f.Stream):
		c.fail(ProtocolError, "DATA of a stream that is idle")
		return
	case size > c.recv:
		c.fail(FlowControlError, "DATA beyond the window of the connection")
		return
	case f.Size == 0 && !f.Has(frame.FlagEnd) && !c.afford(&c.empties, c.o.Limits.Empty, "empty DATA"):
		return
	case f.Has(frame.FlagPadded) && f.Size == 0:
		c.fail(FrameSizeError, "padding of DATA")
		return
	}
	c.recv -= size
	c.padding = 0
	if f.Has(frame.FlagPadded) {
		c.padding = -1
	}
	s := c.streams[f.Stream]
	switch {
	case s == nil:
		c.strayData()
	case s.remoteEnded:
		c.resetID(f.Stream, StreamClosed)
	case c.o.Client && !s.headed:
		c.resetID(f.Stream, ProtocolError)
	case size > s.recv:
		c.resetID(f.Stream, FlowControlError)
	default:
		s.recv -= size
	}
	if c.broken == nil && f.Size == 0 {
		c.inFrame = false
		c.endData(nil)
	}
}

// strayData is data of a stream that is not there any more.
func (c *Conn) strayData() {
	if c.remembered(c.f.Stream) != resetByUs {
		c.resetID(c.f.Stream, StreamClosed)
	}
}

// data takes a part of a frame of data.
func (c *Conn) data(p []byte) int {
	if c.padding < 0 {
		c.padding = int(p[0])
		if c.left--; c.padding > c.left {
			c.fail(ProtocolError, "padding of DATA")
			return 1
		}
		c.pad(1 + c.padding)
		if c.left == 0 {
			c.inFrame = false
			c.endData(nil)
		}
		return 1
	}
	n := min(len(p), c.left)
	part := p[:min(n, max(0, c.left-c.padding))]
	if c.left -= n; c.left > 0 {
		c.dataPart(part)
		return n
	}
	c.inFrame = false
	c.endData(part)
	return n
}

// pad gives back what padding took of the windows.
func (c *Conn) pad(n int) {
	if s := c.streams[c.f.Stream]; s != nil && !s.remoteEnded {
		c.came(n)
		c.credit(s, int32(n))
		return
	}
	c.creditConn(int32(n))
}

// dataPart hands a part of a frame to its stream's owner.
func (c *Conn) dataPart(part []byte) {
	if len(part) > 0 {
		c.deliver(part, false)
	}
}

// endData hands over the last part of a frame, and the end of the stream with it.
func (c *Conn) endData(part []byte) {
	if end := c.f.Has(frame.FlagEnd); end || len(part) > 0 {
		c.deliver(part, end)
	}
}

func (c *Conn) deliver(part []byte, end bool) {
	s := c.streams[c.f.Stream]
	if s == nil || s.remoteEnded {
		c.creditConn(int32(len(part)))
		return
	}
	if !s.count(len(part), end) {
		c.creditConn(int32(len(part)))
		c.resetID(s.id, ProtocolError)
		return
	}
	c.came(len(part))
	s.remoteEnded = end
	s.untaken += int32(len(part))
	c.ev = Event{Kind: Data, Stream: s, Data: part, End: end}
}

// came gives back at once what data takes of the connection's window, where we are
// the client: streams of several owners must not wait for the slowest of them.
func (c *Conn) came(n int) {
	if c.o.Client {
		c.creditConn(int32(n))
	}
}

// Hold keeps data of a stream that its owner does not take now; Waiting yields it.
func (c *Conn) Hold(s *Stream, data []byte) {
	if len(data) == 0 {
		return
	}
	if s.input == nil {
		s.input = c.sh.buffer()
	}
	s.input = append(s.input, data...)
	c.sh.count(&s.inputHeld, s.input)
}

// Waiting is data that came and was not taken.
func (s *Stream) Waiting() []byte { return s.input[s.inputAt:] }

// Took tells that the owner took n bytes of a stream's data: of what waits, if any
// does, or else of what just came.
func (c *Conn) Took(s *Stream, n int) {
	if s.input != nil {
		if s.inputAt += n; s.inputAt == len(s.input) {
			c.sh.free(s.input)
			s.input, s.inputAt = nil, 0
			c.sh.count(&s.inputHeld, nil)
		}
	}
	s.untaken -= int32(n)
	c.credit(s, int32(n))
}

// credit gives back what was taken of the windows of a stream and the connection,
// in as few frames as keep them open. A stream whose data is taken as it comes
// gets a larger window: it is the path that is long, not its target that is slow.
func (c *Conn) credit(s *Stream, n int32) {
	if !c.o.Client {
		c.creditConn(n)
	}
	s.taken += n
	if s.remoteEnded || s.dead || s.taken < s.room/2 {
		return
	}
	grow := int32(0)
	if s.untaken == 0 && s.input == nil && !c.sh.Tight {
		grow = max(0, min(s.room, int32(c.o.Limits.StreamWindow)-s.room))
	}
	c.out = frame.AppendWord(c.out, frame.Window, s.id, uint32(s.taken+grow))
	s.recv += s.taken + grow
	s.room += grow
	s.taken = 0
}

// creditConn gives back what was taken of the connection's window.
func (c *Conn) creditConn(n int32) {
	if c.taken += n; c.taken >= c.connWindow/4 && c.broken == nil {
		c.out = frame.AppendWord(c.out, frame.Window, 0, uint32(c.taken))
		c.recv += c.taken
		c.taken = 0
	}
}
