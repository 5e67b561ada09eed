// Package hpack reads and writes header blocks of HTTP/2 (RFC 7541).
//
// What comes in: a whole header block, or the fields of one. What goes out: fields
// in memory that the caller lends, or octets appended to the caller's. It never
// allocates once that memory has grown, and it holds at most one table of the size
// that was agreed on for each connection and direction.
//
// A Decoder follows the peer's table. An encoder has no state: it names what the
// static table has and writes everything else as it is, which costs some octets
// and no work; that is what a proxy beside its targets wants.
//
// Start reading at Decoder.
package hpack
