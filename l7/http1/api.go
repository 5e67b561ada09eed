package http1

import "portico/l7/message"

// Limits bound one head, and the trailers after a chunked body.
type Limits struct {
	Head   int // bytes, the last empty line included
	Fields int // lines
}

// Scanner remembers how far a head that came in pieces was read, so that each
// byte is looked at a bounded number of times. Its zero value starts a head; it
// is zero again after each whole head or error. The bytes it has seen must still
// be at the start of the next call's buffer, which may be another one.
type Scanner struct {
	line, seen int
}

// ParseRequest reads a request head from the start of buf. It returns how long the
// head was; 0 without an error means that it needs more bytes, and that req holds
// nothing of use. Fields and Scratch of req keep their capacity; TLS, Peer, Client
// and Local are left as they are. Errors are *Error.
func ParseRequest(buf []byte, s *Scanner, lim Limits, req *message.Request) (n int, err error) {
	panic("todo")
}

// ParseResponse reads a response head from the start of buf, as ParseRequest does.
// The method is that of the request: it decides whether a body follows. An interim
// response (1xx) is returned like any other, without a body. Length is that of
// Content-Length, also where no body follows (HEAD, 304), and -1 without one.
// Errors are *Error with the status 502.
func ParseResponse(buf []byte, s *Scanner, lim Limits, method []byte, resp *message.Response) (n int, err error) {
	panic("todo")
}

// Decoder takes the framing off one body, which may come in pieces of any size.
type Decoder struct {
	framing message.Framing
}

// Reset starts a body; length is used where the framing is message.Length.
func (d *Decoder) Reset(f message.Framing, length int64, lim Limits) { panic("todo") }

// Next consumes n bytes of in and yields data, a part of in, which may be empty.
// The caller loops until n is 0 or Done. Errors are *Error and final.
func (d *Decoder) Next(in []byte) (data []byte, n int, err error) { panic("todo") }

// Done reports whether the body is complete.
func (d *Decoder) Done() bool { panic("todo") }

// EOF tells the Decoder that the connection ended. It returns nil where that ends
// the body or the body was complete, else an *Error.
func (d *Decoder) EOF() error { panic("todo") }

// Trailers are the fields after a chunked body, once Done, in memory of the
// Decoder that is valid until Reset. Fields that may not be there are left out.
func (d *Decoder) Trailers() []message.Field { panic("todo") }

// AppendChunk writes data as one chunk; nothing if it is empty.
func AppendChunk(dst, data []byte) []byte { panic("todo") }

// AppendChunkHead writes the line before a chunk of size bytes, which the caller
// writes after it, and then CRLF.
func AppendChunkHead(dst []byte, size int) []byte { panic("todo") }

// AppendLastChunk ends a chunked body, with trailers if there are any.
func AppendLastChunk(dst []byte, trailers []message.Field) []byte { panic("todo") }

// RequestOptions say what one connection to a target needs in a request head.
type RequestOptions struct {
	Close     bool // no request follows on the connection
	Expect100 bool // wait for 100 (Continue) before the body
}

// AppendRequestHead writes the head of req for a target: the method, Path and
// Query, HTTP/1.1, Host from Authority, Fields, framing from Framing and Length,
// and Upgrade where req.Upgrade is set. Fields that belong to one connection are
// never copied from Fields.
func AppendRequestHead(dst []byte, req *message.Request, o RequestOptions) []byte { panic("todo") }

// ResponseOptions say what the client's connection needs in a response head.
type ResponseOptions struct {
	Minor     int  // of the client's request, 0 or 1
	KeepAlive bool // another request may follow on the connection
	Head      bool // the request was HEAD: no body follows
}

// Framing returns the framing that AppendResponseHead announces for resp and the
// caller must write the body with, and whether the connection stays open after
// it. A body of unknown length is chunked for HTTP/1.1 and ends with the
// connection for HTTP/1.0.
func (o ResponseOptions) Framing(resp *message.Response) (f message.Framing, keepAlive bool) {
	panic("todo")
}

// AppendResponseHead writes the head of resp for a client: status line, Fields,
// framing and Connection. Interim responses get neither of the last two; 101 gets
// Upgrade. An empty Reason is replaced by StatusText.
func AppendResponseHead(dst []byte, resp *message.Response, o ResponseOptions) []byte { panic("todo") }

// StatusText is the usual reason phrase of a status; "" for one without.
func StatusText(status int) string { panic("todo") }

// ValidName reports whether name is a token, as the name of a field or a method must be.
func ValidName(name []byte) bool { panic("todo") }

// ValidValue reports whether value holds no control character but HTAB.
func ValidValue(value []byte) bool { panic("todo") }
