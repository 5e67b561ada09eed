package h2

import (
	"cmp"

	"portico/spec"
)

// Limits bound what one connection of a client may make us hold and do. What is
// beyond a Rate ends it by ENHANCE_YOUR_CALM.
type Limits struct {
	Streams      int // open at once; one more is refused
	StreamWindow int // bytes of a stream that nobody took: up to where its window grows
	ConnWindow   int // the same of all streams
	// Resets are streams that end by a reset, ours of a mistake among them: each has
	// cost a request to a target (CVE-2023-44487).
	Resets Rate
	// Control are PING, SETTINGS, PRIORITY and the like, and on its own account
	// WINDOW_UPDATE beyond updatesPerFrame for each frame of data.
	Control Rate
	// Empty are frames of data that hold nothing.
	Empty Rate
}

// Rate is how often something may happen: a burst, which fills up again as time passes.
type Rate struct{ Burst, PerSecond int }

// DefaultLimits are those of a connection that has none of its own. A stream's window
// carries 16 Mbit/s to the other side of the world (500 ms); browsers reset a few
// streams when a page is left; gRPC measures its path with a PING for each round trip.
func DefaultLimits() *Limits {
	return &Limits{
		Streams: 128, StreamWindow: 1 << 20, ConnWindow: 4 << 20,
		Resets: Rate{500, 50}, Control: Rate{1000, 200}, Empty: Rate{100, 10},
	}
}

// LimitsOf are those of a listener, nil where its clients may not speak HTTP/2.
func LimitsOf(o *spec.HTTP2) *Limits {
	l := DefaultLimits()
	switch {
	case o == nil:
		return l
	case !o.Enabled:
		return nil
	}
	l.Streams = cmp.Or(o.Streams, l.Streams)
	l.StreamWindow = cmp.Or(int(o.StreamWindow), l.StreamWindow)
	l.ConnWindow = cmp.Or(int(o.ConnectionWindow), l.ConnWindow)
	l.Resets, l.Control, l.Empty = l.Resets.or(o.Resets), l.Control.or(o.Control), l.Empty.or(o.Empty)
	return l
}

// or is what a spec says, where it does.
func (r Rate) or(f spec.Flood) Rate {
	return Rate{Burst: cmp.Or(f.Burst, r.Burst), PerSecond: cmp.Or(f.PerSecond, r.PerSecond)}
}
