// Package wire reads queries and writes replies, in the format of RFC 1035,
// without allocating.
//
// What comes in: one datagram, or one frame of a TCP connection, from anybody.
//
// What goes out: a Query, or the outcome that says how little a malformed message
// is worth; and the bytes of a reply, put together from the question as it was
// sent and a Tail that was packed before the query came.
//
// It never knows a zone, a socket or the time, and never reads more of a message
// than a query may hold: one question and a few additional records.
//
// Start reading at Query.Parse, then Query.AppendReply.
package wire
