// Package h2 is one connection of HTTP/2 (RFC 9113), of a server or of a client,
// without I/O.
//
// What comes in: the peer's bytes, and messages to send on streams. What goes out:
// bytes for the peer, and events: a head is whole, data came, a stream is gone. An
// owner steps it: it gives bytes, asks for events until there is none, and drains
// the output when it likes, so that what many streams send leaves in few writes.
//
// It never calls its owner, so nothing can re-enter; it knows no socket, clock,
// goroutine or lock. It holds no data back from a stream that would take it, and no
// more of a slow one than its window. What a peer may cost is bounded: see guard.go.
// A head is judged here as strictly as one of HTTP/1.1, since it may become one.
//
// Start reading at Conn, then Event.
package h2
