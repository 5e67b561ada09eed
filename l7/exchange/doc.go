// Package exchange is the machine between one client connection and the target
// connections its requests need, one at a time.
//
// What comes in: events. Bytes of the client or the target, their ends, a dial
// that worked or failed, bytes written, the time. What goes out: actions. Dial,
// send, stop or go on reading, half-close, pool, close. Decisions about where a
// request goes come from a Handler.
//
// It never does I/O, never blocks, and knows no socket, clock or goroutine: a
// driver in l7/loop executes the actions and reports what happened, so every
// case can be played from a script, byte by byte. It looks at no field but those
// of framing and connection handling.
//
// Start reading at Handler, then at Machine in machine.go.
package exchange
