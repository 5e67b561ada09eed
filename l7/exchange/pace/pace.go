// Package pace finds clients that send or take so little at a time that no bound
// between two reads catches them. It is pure: the caller says what it sees at the
// start and at the end of each window.
package pace

import "time"

// Sight is what is seen of one exchange at one time.
type Sight struct {
	In, Out  int64 // bytes of bodies so far: from the client, and to it
	Up, Down bool  // the client, and nobody else, is waited for: to send, or to take
}

// Window is a stretch of time over which bytes are counted.
type Window struct {
	End   time.Time // zero without a least rate
	over  time.Duration
	begun Sight
}

// Begin starts a window.
func Begin(s Sight, over time.Duration, now time.Time) Window {
	return Window{End: now.Add(over), over: over, begun: s}
}

// Slow reports at the end of a window whether the client sent, or took, less than
// so many bytes a second. What began or ended within the window, or waited for the
// target at either end of it, is not its fault.
func (w Window) Slow(s Sight, least int64) (up, down bool) {
	bytes := least * int64(w.over) / int64(time.Second)
	return w.begun.Up && s.Up && s.In-w.begun.In < bytes, w.begun.Down && s.Down && s.Out-w.begun.Out < bytes
}
