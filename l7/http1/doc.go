// Package http1 reads and writes HTTP/1.1 messages in memory (RFC 9110, RFC 9112).
//
// What comes in: the bytes a client or a target sent, in a buffer of the caller,
// in pieces of any size. ParseRequest and ParseResponse turn a head into the one
// shape of package message, Decoder takes the framing off a body.
//
// What goes out: message.Request and message.Response whose slices point into
// that buffer, body bytes that do too, and heads and chunks appended to a buffer
// of the caller. What belongs to one connection alone (Connection and every field
// it names, Keep-Alive, Proxy-Connection, Transfer-Encoding, Content-Length,
// Upgrade, Expect, TE other than trailers) is read into the message and left out
// of Fields, so that nothing behind this package can pass it on by mistake; Host
// is in Authority. The Append functions write those fields anew.
//
// It never reads or writes a socket, never keeps a byte of the caller's, never
// allocates on the common path, and never guesses: input has one meaning, or it is
// refused with an Error that names the reason.
//
// Start reading at ParseRequest, then head.go, decoder.go and write.go.
package http1
