// Package poll is how an event loop waits for its sockets. Packages below are the ways
// to wait: epoll, and portable for systems without it.
//
// It reads and writes nothing itself. Start reading at Poller.
package poll

import "time"

// Poller tells one event loop which of its sockets became ready. All methods but Wake
// are called by the loop's goroutine.
type Poller interface {
	// Add watches a non-blocking socket until Remove. Each time it becomes ready
	// there is an event with this token; readiness that was not used up is not
	// told again (edge-triggered).
	Add(fd int, token Token) error
	// Remove stops watching; it is called before the socket is closed. Events of
	// the socket may still come from the Wait before.
	Remove(fd int, token Token)
	// Wait fills events and reports how many there are. With block it waits until
	// there is one, until the time has passed (zero means never), or until Wake.
	Wait(events []Event, block bool, until time.Time) int
	// Wake ends a Wait, or the next one. Any goroutine may call it.
	Wake()
	// Close lets go of everything; no other call follows.
	Close() error
}

// Token names who is told of an event.
type Token uint64

// Event says how a socket became ready.
type Event struct {
	Token Token
	Ready Ready
}

// Ready is a set of the ways in which a socket can be ready.
type Ready uint8

// The ways to be ready.
const (
	In  Ready = 1 << iota // something can be read, or reading fails
	Out                   // something can be written, or writing fails
	// Ended is that the peer has sent all it will send, or may have, or that what it
	// sent cannot be read at once: reading goes on until it would block, even after a
	// short read.
	Ended
	// Gone is that the connection is over both ways: it was reset or given up, or
	// both sides have ended it.
	Gone
	// Last is that the peer has sent all it will send, and that a read which gets less
	// than it asked for has the last of that: there is no end to be read for. Not every
	// poller can tell; Ended comes with it.
	Last
)
