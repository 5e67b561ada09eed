package h2

import (
	"time"

	"portico/l7/h2/frame"
)

// warnTime is how long after its first GOAWAY a server still takes new streams: they
// are on their way. It is longer than any path.
const warnTime = 500 * time.Millisecond

// timers are what is waited for; zero means that it is not.
type timers struct {
	startAt time.Time // the peer's first frame
	ackAt   time.Time // the acknowledgement of our settings
	partAt  time.Time // the rest of a head
	idleAt  time.Time // a first stream
	leaveAt time.Time // the second GOAWAY
	oldAt   time.Time // the first GOAWAY
	pingAt  time.Time // a look whether the peer was heard
	pinged  bool      // an answer is awaited
	heard   time.Time // the last byte
}

// Deadline is when Tick is due; zero means never. It may move with every call.
func (c *Conn) Deadline() time.Time {
	var at time.Time
	for _, t := range [...]time.Time{c.startAt, c.ackAt, c.partAt, c.idleAt, c.leaveAt, c.oldAt, c.pingAt} {
		if !t.IsZero() && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	return at
}

// Tick tells c that time passed; it may come early.
func (c *Conn) Tick(now time.Time) {
	c.now = now
	if c.broken != nil {
		return
	}
	switch {
	case due(c.startAt, now):
		c.fail(ProtocolError, "no preface in time")
	case due(c.ackAt, now):
		c.fail(SettingsTimeout, "settings not acknowledged in time")
	case due(c.partAt, now):
		c.fail(EnhanceYourCalm, "half a head in time")
	case due(c.pingAt, now):
		c.ping()
	case due(c.leaveAt, now):
		c.leave()
	case due(c.oldAt, now):
		c.oldAt = time.Time{}
		c.Drain(now)
	case due(c.idleAt, now):
		c.idleAt = time.Time{}
		c.goal = leaving
		c.appendGoAway(c.lastPeer, NoError)
	}
}

func due(at, now time.Time) bool { return !at.IsZero() && !now.Before(at) }

// ping asks a silent peer whether it lives, or gives it up.
func (c *Conn) ping() {
	silent := c.now.Sub(c.heard) >= c.o.Ping
	switch {
	case !silent:
		c.pinged, c.pingAt = false, c.heard.Add(c.o.Ping)
	case c.pinged:
		c.fail(NoError, "no answer to PING in time")
	default:
		c.pinged, c.pingAt = true, c.now.Add(c.o.Ping)
		c.out = frame.Append(c.out, 8, frame.Ping, 0, 0)
		c.out = append(c.out, "portico!"...)
	}
}

// busy is that there is a first stream.
func (c *Conn) busy() {
	c.idleAt = time.Time{}
	if c.o.Ping > 0 {
		c.heard, c.pinged, c.pingAt = c.now, false, c.now.Add(c.o.Ping)
	}
}

// rest is that there is no stream any more: nobody needs what large memory there is.
func (c *Conn) rest() {
	c.pingAt, c.pinged = time.Time{}, false
	if c.o.Idle > 0 && c.goal != leaving {
		c.idleAt = c.now.Add(c.o.Idle)
	}
}
