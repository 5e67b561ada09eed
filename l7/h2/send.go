package h2

import (
	"portico/l7/h2/frame"
	"portico/l7/message"
)

// sender is where the output stands.
type sender struct {
	out    []byte // from outAt on it is not written yet
	outAt  int
	window int64 // what we may still send on the connection
	ready  queue // streams that have output and a window
	shrunk bool  // the peer lets us have a smaller table
	told   bool  // it knows that we have none
}

// Message is what a stream is to send next: a head, data, and the end with
// trailers, each where it is set.
type Message struct {
	Request  *message.Request
	Response *message.Response
	Segs     [][]byte
	End      bool
	Trailers []message.Field
}

// Output is what is to be written. It may grow, but does not move, until Wrote.
func (c *Conn) Output() []byte { return c.out[c.outAt:] }

// Wrote tells that the first n bytes of Output were written. Told of none when there
// are none, it lets go of their memory.
func (c *Conn) Wrote(n int) {
	if c.outAt += n; c.outAt < len(c.out) {
		if c.outAt >= outMax {
			c.out, c.outAt = append(c.out[:0], c.out[c.outAt:]...), 0
		}
		return
	}
	c.outAt = 0
	if c.held == 0 || cap(c.out) > bufferMax {
		c.sh.free(c.out)
		c.out = nil
	} else {
		c.out = c.out[:0]
	}
	c.pump()
}

// Send sends a message, of which it keeps nothing but trailers. It reports whether
// all was sent, as far as the owner need care; else Sent says when, or Gone that it
// never will. There is one Send of a stream at a time.
func (c *Conn) Send(s *Stream, m *Message) (done bool) {
	if s.dead {
		return false
	}
	n := 0
	for _, seg := range m.Segs {
		n += len(seg)
	}
	if c.out == nil {
		c.out = c.sh.buffer()
	}
	bare := n == 0 && m.End && len(m.Trailers) == 0
	c.sendHead(s, m, bare)
	if s.localEnded {
		return true
	}
	segs := cursor{segs: m.Segs, left: n}
	for segs.left > 0 && c.ready.empty() {
		k := c.fits(s, segs.left)
		if k == 0 {
			break
		}
		c.frame(s, k, m.End && k == segs.left && len(m.Trailers) == 0)
		c.out = segs.appendTo(c.out, k)
	}
	if segs.left == 0 {
		if m.End {
			c.finish(s, m.Trailers)
		}
		return true
	}
	s.output = segs.appendTo(c.sh.buffer(), segs.left)
	c.sh.count(&s.outputHeld, s.output)
	s.end, s.trailers, s.waiting = m.End, m.Trailers, true
	c.enqueue(s)
	return false
}

// fits is how much of n bytes a frame of data may hold now.
func (c *Conn) fits(s *Stream, n int) int {
	if len(c.out)-c.outAt >= outMax {
		return 0
	}
	return int(max(0, min(int64(n), frame.Max, s.window, c.window)))
}

// frame writes the head of a frame of data.
func (c *Conn) frame(s *Stream, n int, end bool) {
	flags := uint8(0)
	if end {
		flags, s.localEnded = frame.FlagEnd, true
	}
	c.out = frame.Append(c.out, n, frame.Data, flags, s.id)
	s.moved = c.now
	s.window -= int64(n)
	c.window -= int64(n)
	c.paid = min(c.paid+updatesPerFrame, c.o.Limits.Control.Burst)
}

// finish ends a stream whose data was sent.
func (c *Conn) finish(s *Stream, trailers []message.Field) {
	switch {
	case s.localEnded:
	case len(trailers) > 0:
		at := c.beginBlock()
		for i := range trailers {
			c.field(&trailers[i])
		}
		c.endBlock(s, at, true)
	default:
		c.out = frame.Append(c.out, 0, frame.Data, frame.FlagEnd, s.id)
	}
	s.localEnded = true
}

// enqueue lets a stream send what waits, in turn with others.
func (c *Conn) enqueue(s *Stream) {
	if s.window > 0 && s.in == nil {
		c.ready.push(s)
	}
	// Where the window of the stream is empty, its next one calls again.
}

// pump sends of all streams that wait, a frame of each in turn.
func (c *Conn) pump() {
	for !c.ready.empty() && c.window > 0 && c.broken == nil {
		s := c.ready.first
		rest := s.unsent()
		k := c.fits(s, len(rest))
		if k == 0 && s.window > 0 {
			return // there is no room, for any of them
		}
		c.ready.pop()
		if k == 0 {
			continue
		}
		c.frame(s, k, s.end && k == len(rest) && len(s.trailers) == 0)
		c.out = append(c.out, rest[:k]...)
		if s.outputAt += k; k < len(rest) {
			c.enqueue(s)
			continue
		}
		c.sh.free(s.output)
		s.output, s.outputAt = nil, 0
		c.sh.count(&s.outputHeld, nil)
		if s.end {
			c.finish(s, s.trailers)
		}
		s.trailers = nil
		c.finished.push(s)
	}
}

// windowUpdate lets us send more.
func (c *Conn) windowUpdate(f frame.Head, p []byte) {
	if len(p) != 4 {
		c.fail(FrameSizeError, "WINDOW_UPDATE of a wrong size")
		return
	}
	if c.paid > 0 {
		c.paid--
	} else if !c.afford(&c.updates, c.o.Limits.Control, "WINDOW_UPDATE") {
		return
	}
	n := int64(word(p) & frame.IDMax)
	if f.Stream == 0 {
		switch c.window += n; {
		case n == 0:
			c.fail(ProtocolError, "WINDOW_UPDATE of nothing")
		case c.window > frame.WindowMax:
			c.fail(FlowControlError, "window of the connection")
		default:
			c.pump()
		}
		return
	}
	if c.idle(f.Stream) {
		c.fail(ProtocolError, "WINDOW_UPDATE of a stream that is idle")
		return
	}
	s := c.streams[f.Stream]
	if s == nil {
		return // it was on its way
	}
	switch s.window += n; {
	case n == 0:
		c.resetID(s.id, ProtocolError)
	case s.window > frame.WindowMax:
		c.resetID(s.id, FlowControlError)
	case len(s.unsent()) > 0:
		c.enqueue(s)
		c.pump()
	}
}

// cursor walks over segments.
type cursor struct {
	segs [][]byte
	at   int // in the first
	left int
}

// appendTo copies the next n bytes.
func (c *cursor) appendTo(dst []byte, n int) []byte {
	c.left -= n
	for n > 0 {
		seg := c.segs[0][c.at:]
		k := min(n, len(seg))
		dst = append(dst, seg[:k]...)
		if n, c.at = n-k, c.at+k; k == len(seg) {
			c.segs, c.at = c.segs[1:], 0
		}
	}
	return dst
}
