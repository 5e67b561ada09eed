package h2

// EventKind says what happened.
type EventKind uint8

// The events.
const (
	none EventKind = iota
	// Head is that a stream's head is whole; Request or Response reads it, at once.
	// In a server the stream is new.
	Head
	// Data is that data of a stream came; it is in Data, until the next call of
	// Bytes. Took says how much of it was taken, Hold keeps the rest.
	Data
	// Trailers is that a stream ended with trailers; ReadTrailers reads them, at once.
	Trailers
	// Sent is that what Send could not send at once was sent.
	Sent
	// Gone is that a stream was reset, or its connection is lost. Err says why;
	// Refused says that the peer did nothing of what the stream asked for.
	Gone
)

// String names the event.
func (k EventKind) String() string {
	return [...]string{"none", "head", "data", "trailers", "sent", "gone"}[k]
}

// Event is one thing that happened to a stream.
type Event struct {
	Kind    EventKind
	Stream  *Stream
	End     bool   // of Head and Data: nothing follows
	Data    []byte // of Data
	Err     *Error // of Gone
	Refused bool   // of Gone
}

// events are those that nobody asked for yet.
type events struct {
	ev       Event // of the frame that was read last
	lost     queue // of streams that are gone
	finished queue // of streams that sent everything
}

// Next yields the next event in e, or false when there is none. Streams that are
// closed already have none.
func (c *Conn) Next(e *Event) bool {
	if c.ev.Kind != none {
		*e, c.ev = c.ev, Event{}
		return true
	}
	if s := c.lost.pop(); s != nil {
		*e = Event{Kind: Gone, Stream: s, Err: s.err, Refused: s.refused}
		return true
	}
	if s := c.finished.pop(); s != nil {
		s.waiting = false
		*e = Event{Kind: Sent, Stream: s}
		return true
	}
	return false
}

// queue is a list of streams, first in, first out. A stream is in one at most.
type queue struct{ first, last *Stream }

func (q *queue) empty() bool { return q.first == nil }

func (q *queue) push(s *Stream) {
	if s.in != nil {
		return
	}
	s.in, s.next = q, nil
	if q.last == nil {
		q.first = s
	} else {
		q.last.next = s
	}
	q.last = s
}

func (q *queue) pop() *Stream {
	s := q.first
	if s == nil {
		return nil
	}
	q.first = s.next
	if q.first == nil {
		q.last = nil
	}
	s.in, s.next = nil, nil
	return s
}

// remove takes a stream out of the queue it is in, if it is.
func (s *Stream) remove() {
	q := s.in
	if q == nil {
		return
	}
	if q.first == s {
		q.pop()
		return
	}
	for p := q.first; ; p = p.next {
		if p.next == s {
			if p.next = s.next; p.next == nil {
				q.last = p
			}
			break
		}
	}
	s.in, s.next = nil, nil
}
