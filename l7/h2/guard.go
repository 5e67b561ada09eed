package h2

import "time"

// What a peer can make us do without doing as much itself is bounded: each kind of
// it has a Rate. Everything else that can grow is bounded where it grows: streams
// (Limits.Streams), heads (Options.Head, partsMax), data (Limits.StreamWindow and
// ConnWindow), settings (settingsMax), output (outMax, outGone).

// updatesPerFrame is how many WINDOW_UPDATE a peer may send for a frame of data:
// one for the stream and one for the connection, and as many for its halves.
const updatesPerFrame = 4

// meter counts what happened and was not yet made up for by time.
type meter struct {
	used int
	at   time.Time
}

// guard is what a peer has cost so far.
type guard struct {
	resets, chatter, empties, updates meter

	paid  int // WINDOW_UPDATEs that frames of data paid for
	ended [endedMax]ending
	next  int // of ended
}

// afford counts something that happened, and reports whether it may have.
func (c *Conn) afford(m *meter, l Rate, what string) bool {
	if m.used > 0 {
		passed := int(c.now.Sub(m.at) * time.Duration(l.PerSecond) / time.Second)
		if passed > 0 {
			m.used, m.at = max(0, m.used-passed), c.now
		}
	} else {
		m.at = c.now
	}
	m.used++
	switch {
	case m.used > l.Burst:
		c.fail(EnhanceYourCalm, "too many "+what)
	case len(c.out)-c.outAt > outMax+outGone:
		c.fail(EnhanceYourCalm, "answers are not read")
	default:
		return true
	}
	return false
}

// endedMax is how many streams that ended are remembered, to tell a frame that was
// on its way from a mistake.
const endedMax = 64

// ending says how a stream ended.
type ending struct {
	id    uint32
	ended ended
}

type ended uint8

const (
	forgotten   ended = iota
	resetByUs         // the peer may not know yet
	closedWhole       // by both, or by the peer's reset
)

func (c *Conn) remember(id uint32, how ended) {
	c.ended[c.next] = ending{id, how}
	c.next = (c.next + 1) % endedMax
}

// remembered says how a stream ended, if that was not long ago.
func (c *Conn) remembered(id uint32) ended {
	for i := range c.ended {
		if e := &c.ended[(c.next+endedMax-1-i)%endedMax]; e.id == id {
			return e.ended
		}
	}
	return forgotten
}
