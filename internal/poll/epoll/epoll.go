// Package epoll waits for sockets with epoll(7), inside the poller of Go's runtime.
//
// What comes in: sockets to watch. What goes out: events for an engine. Where
// there are none, the loop's goroutine parks on the epoll's own file descriptor,
// which the runtime watches as it does any other: an idle loop costs nothing, and
// no thread is taken from other goroutines.
//
// Start reading at Poller.Wait.
package epoll
