package h2

import (
	"time"

	"portico/l7/h2/frame"
	"portico/l7/message"
)

// Stream is one request and its answer. It belongs to its Conn until Close.
type Stream struct {
	// Owner is whatever the owner wants to find again.
	Owner any

	id   uint32
	in   *queue
	next *Stream

	remoteEnded bool   // the peer sends no more
	headed      bool   // the head was read, that of a final answer
	bodiless    bool   // no data may come, whatever the head says
	recv        int32  // what the peer may still send
	room        int32  // how much that is at most
	taken       int32  // what was taken since the peer was told
	untaken     int32  // what came and was not taken
	expect      int64  // data still to come; -1 when not known
	input       []byte // what waits, from inputAt on
	inputHeld   int    // what Shared.Held knows of it
	inputAt     int

	begun      bool // a request was sent
	localEnded bool // we send no more
	tunnel     bool
	waiting    bool  // a Send is not done
	window     int64 // what we may still send; settings can make it negative
	output     []byte
	outputHeld int
	outputAt   int
	end        bool      // END_STREAM follows output
	moved      time.Time // when data was last written
	trailers   []message.Field

	dead    bool // reset, or its connection is lost
	err     *Error
	refused bool
}

// ID is the stream's number.
func (s *Stream) ID() uint32 { return s.id }

// Progress is when data of the stream was last written to the output, and whether
// the peer would take more: what is missing then is room on the connection.
func (s *Stream) Progress() (at time.Time, open bool) { return s.moved, s.window > 0 }

// unsent is the output that waits for windows or room.
func (s *Stream) unsent() []byte { return s.output[s.outputAt:] }

// count takes data off what the head announced, and reports whether it is as long
// as that (RFC 9113, section 8.1.1).
func (s *Stream) count(n int, end bool) bool {
	switch {
	case s.bodiless:
		return n == 0
	case s.expect < 0:
		return true
	}
	s.expect -= int64(n)
	return s.expect == 0 || s.expect > 0 && !end
}

// open makes a stream.
func (c *Conn) open(id uint32) *Stream {
	var s *Stream
	if n := len(c.sh.streams); n > 0 {
		s = c.sh.streams[n-1]
		c.sh.streams = c.sh.streams[:n-1]
	} else {
		s = &Stream{}
	}
	*s = Stream{
		id: id, recv: int32(c.o.Window), room: int32(c.o.Window), window: int64(c.peer.window), expect: -1,
	}
	c.streams[id] = s
	if c.held++; c.held == 1 {
		c.busy()
	}
	return s
}

// Room is how many more streams a client may open now.
func (c *Conn) Room() int {
	if c.broken != nil || c.deaf || c.goal != serving || c.nextID > frame.IDMax || !c.o.Client {
		return 0
	}
	return max(0, min(int(c.peer.streams), streamsNobodyNeeds)-c.held)
}

// Connects reports whether the server takes tunnels; known is false until it said.
func (c *Conn) Connects() (takes, known bool) { return c.peer.connect, c.peer.known }

// Open begins a stream to a server. There must be Room. Requests are to be sent in
// the order in which their streams were opened (RFC 9113, section 5.1.1).
func (c *Conn) Open(now time.Time) *Stream {
	c.now = now
	s := c.open(c.nextID)
	c.nextID += 2
	return s
}

// gone is that a stream is no more, though its owner still holds it.
func (c *Conn) gone(s *Stream, err *Error, refused bool) {
	s.dead, s.err, s.refused = true, err, refused
	c.forget(s, closedWhole)
	c.lost.push(s)
}

// forget takes a stream off the connection, with what waits in it.
func (c *Conn) forget(s *Stream, how ended) {
	delete(c.streams, s.id)
	c.remember(s.id, how)
	s.remove()
	c.sh.free(s.input)
	c.sh.free(s.output)
	s.input, s.inputAt, s.output, s.outputAt, s.trailers = nil, 0, nil, 0, nil
	c.sh.count(&s.inputHeld, nil)
	c.sh.count(&s.outputHeld, nil)
	if s.untaken > 0 && !c.o.Client {
		c.creditConn(s.untaken)
	}
	s.untaken = 0
}

// resetID ends a stream because of what the peer did.
func (c *Conn) resetID(id uint32, code Code) {
	if code != RefusedStream && !c.afford(&c.resets, c.o.Limits.Resets, "mistakes") {
		return
	}
	c.out = frame.AppendWord(c.out, frame.Reset, id, uint32(code))
	if s := c.streams[id]; s != nil {
		c.gone(s, &Error{Code: code, Reason: "stream reset for a mistake of the peer"}, false)
	}
	c.remember(id, resetByUs)
}

// Shut ends what is sent on a tunnel. Nothing may wait to be sent.
func (c *Conn) Shut(s *Stream) {
	if s.dead || s.localEnded {
		return
	}
	c.out = frame.Append(c.out, 0, frame.Data, frame.FlagEnd, s.id)
	s.localEnded = true
}

// Close takes a stream back. What it did not end yet is canceled; with abort, the
// peer is not to take what it got for the whole.
func (c *Conn) Close(s *Stream, abort bool) {
	if !s.dead {
		c.end(s, abort)
	}
	s.remove()
	*s = Stream{dead: true}
	if len(c.sh.streams) < sharedMax {
		c.sh.streams = append(c.sh.streams, s)
	}
	if c.held--; c.held == 0 && c.broken == nil {
		c.rest()
	}
}

// end tells the peer that a stream is over, if it does not know.
func (c *Conn) end(s *Stream, abort bool) {
	how := resetByUs
	switch {
	case s.localEnded && s.remoteEnded:
		how = closedWhole
	case s.tunnel && s.remoteEnded && !abort && len(s.unsent()) == 0:
		c.Shut(s)
		how = closedWhole
	case c.o.Client && !s.begun: // the server never heard of it
	case c.o.Client:
		c.out = frame.AppendWord(c.out, frame.Reset, s.id, uint32(Cancel))
	case abort:
		c.out = frame.AppendWord(c.out, frame.Reset, s.id, uint32(InternalError))
	default: // the answer is whole; the rest of the request is not wanted
		c.out = frame.AppendWord(c.out, frame.Reset, s.id, uint32(NoError))
	}
	c.forget(s, how)
}
