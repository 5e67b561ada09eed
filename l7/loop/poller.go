package loop

import "portico/internal/poll"

// What an event loop waits for sockets with; see package poll.
type (
	// Poller tells one event loop which of its sockets became ready.
	Poller = poll.Poller
	// Token names who is told of an event.
	Token = poll.Token
	// Event says how a socket became ready.
	Event = poll.Event
	// Ready is a set of the ways in which a socket can be ready.
	Ready = poll.Ready
)

// The ways to be ready.
const (
	In    = poll.In
	Out   = poll.Out
	Ended = poll.Ended
)
