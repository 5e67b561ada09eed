package http1

import (
	"bytes"
	"math"

	"portico/l7/message"
)

// Bounds of the line before a chunk.
const (
	chunkDigitsMax = 16
	chunkExtMax    = 256 // bytes of extensions, which are dropped
)

// phase is what a Decoder expects next.
type phase uint8

const (
	inData       phase = iota // left bytes, of a chunk or of a body of known length
	inRest                    // whatever comes until the connection ends
	inDone                    // nothing
	inSize                    // hexadecimal digits
	inExt                     // chunk extensions
	inSizeLF                  // LF after the size and its CR
	inDataCR                  // CRLF after a chunk's data
	inDataLF                  //
	inTrailer                 // the start of a trailer line, or of the last empty line
	inTrailerRow              // the rest of a trailer line
	inLastLF                  // LF of the last empty line
)

// Decoder takes the framing off one body, which may come in pieces of any size.
type Decoder struct {
	phase    phase
	chunked  bool
	digits   uint8 // of the chunk size so far
	ext      int   // bytes of extensions so far
	left     int64 // bytes of data to come; the chunk size while it is read
	err      *Error
	lim      Limits
	rows     []byte // of the trailer section, as received
	trailers []message.Field
}

// Reset starts a body; length is used where the framing is message.Length.
func (d *Decoder) Reset(f message.Framing, length int64, lim Limits) {
	*d = Decoder{lim: lim, rows: d.rows[:0], trailers: d.trailers[:0]}
	switch f {
	case message.Chunked:
		d.chunked = true
		d.phase = inSize
	case message.UntilClose:
		d.phase = inRest
	case message.Length:
		d.left = max(length, 0)
		if d.left == 0 {
			d.phase = inDone
		}
	case message.NoBody:
		d.phase = inDone
	}
}

// Done reports whether the body is complete.
func (d *Decoder) Done() bool { return d.phase == inDone && d.err == nil }

// EOF tells the Decoder that the connection ended. It returns nil where that ends
// the body or the body was complete, else an *Error.
func (d *Decoder) EOF() error {
	switch {
	case d.err != nil:
		return d.err
	case d.phase == inRest:
		d.phase = inDone
	case d.phase != inDone:
		d.err = errUnexpected
		return d.err
	}
	return nil
}

// Trailers are the fields after a chunked body, once Done, in memory of the
// Decoder that is valid until Reset. Fields that may not be there are left out.
func (d *Decoder) Trailers() []message.Field { return d.trailers }

// Next consumes n bytes of in and yields data, a part of in, which may be empty.
// The caller loops until n is 0 or Done. Errors are *Error and final.
func (d *Decoder) Next(in []byte) (data []byte, n int, err error) {
	for n < len(in) && d.phase != inDone && d.err == nil {
		switch d.phase {
		case inData:
			size := int(min(d.left, int64(len(in)-n)))
			data = in[n : n+size]
			d.took(size)
			return data, n + size, nil
		case inRest:
			return in[n:], len(in), nil
		case inTrailerRow:
			n += d.row(in[n:])
		default:
			d.err = d.step(in[n])
			n++
		}
	}
	if d.err != nil {
		return nil, 0, d.err
	}
	return nil, n, nil
}

// took counts data off what is left.
func (d *Decoder) took(size int) {
	d.left -= int64(size)
	switch {
	case d.left > 0:
	case d.chunked:
		d.phase = inDataCR
	default:
		d.phase = inDone
	}
}

// step takes one byte of framing (RFC 9112, section 7.1).
func (d *Decoder) step(c byte) *Error {
	switch d.phase {
	case inSize:
		return d.size(c)
	case inExt:
		return d.extension(c)
	case inSizeLF:
		d.digits, d.ext = 0, 0
		d.phase = inData
		if d.left == 0 {
			d.phase = inTrailer
		}
		return expect(c, '\n', errChunkSize)
	case inDataCR:
		d.phase = inDataLF
		return expect(c, '\r', errChunkEnd)
	case inDataLF:
		d.phase = inSize
		return expect(c, '\n', errChunkEnd)
	case inTrailer:
		if c == '\r' {
			d.phase = inLastLF
			return nil
		}
		d.phase = inTrailerRow
		d.row([]byte{c})
		return d.err
	case inLastLF:
		d.phase = inDone
		if c != '\n' {
			return errFieldName // a bare CR where a line starts
		}
		return d.readTrailers()
	default:
		panic("http1: step in a phase without framing")
	}
}

func expect(c, want byte, otherwise *Error) *Error {
	if c != want {
		return otherwise
	}
	return nil
}

// size takes one byte of a chunk size: hexadecimal digits, then at once CR or the
// semicolon of an extension.
func (d *Decoder) size(c byte) *Error {
	if v := unhex(c); v >= 0 {
		if d.digits == chunkDigitsMax || d.left > math.MaxInt64>>4 {
			return errChunkLarge
		}
		d.digits++
		d.left = d.left<<4 | int64(v)
		return nil
	}
	switch {
	case d.digits == 0:
		return errChunkSize
	case c == '\r':
		d.phase = inSizeLF
	case c == ';':
		d.phase = inExt
	default:
		return errChunkSize
	}
	return nil
}

// extension drops one byte of chunk extensions. They mean nothing to us and are
// not passed on, so all that matters is that no reader may see a line end in them.
func (d *Decoder) extension(c byte) *Error {
	if c == '\r' {
		d.phase = inSizeLF
		return nil
	}
	d.ext++
	if d.ext > chunkExtMax || c < ' ' && c != '\t' || c == 0x7f {
		return errChunkExt
	}
	return nil
}

// row keeps what belongs to the current trailer line and returns how much that is.
func (d *Decoder) row(in []byte) int {
	n := bytes.IndexByte(in, '\n') + 1
	ended := n > 0
	if !ended {
		n = len(in)
	}
	if len(d.rows)+n > d.lim.Head {
		d.err = errTrailersSize
		return n
	}
	d.rows = append(d.rows, in[:n]...)
	if ended {
		d.phase = inTrailer
		if !bytes.HasSuffix(d.rows, []byte("\r\n")) {
			d.err = errBareLF
		}
	}
	return n
}

// readTrailers checks the trailer section, which is whole and ends in a line end.
func (d *Decoder) readTrailers() *Error {
	var s Scanner
	for lines := 1; ; lines++ {
		line, ok, err := s.next(d.rows, len(d.rows)+1)
		if err != nil || !ok {
			return err
		}
		if lines > d.lim.Fields {
			return errFieldCount
		}
		name, value, err := splitField(line)
		if err != nil {
			return err
		}
		if !forbiddenTrailer(name) {
			d.trailers = append(d.trailers, message.Field{Name: name, Value: value})
		}
	}
}

// forbiddenTrailer reports fields that would change framing, routing, identity or
// the meaning of a body after these were decided (RFC 9110, section 6.5.1).
func forbiddenTrailer(name []byte) bool {
	for _, f := range forbiddenTrailers {
		if message.EqualFold(name, f) {
			return true
		}
	}
	return len(name) >= len("x-forwarded-") && message.EqualFold(name[:len("x-forwarded-")], "x-forwarded-")
}

var forbiddenTrailers = [...]string{
	"transfer-encoding", "content-length", "trailer", "te", "connection", "keep-alive", "proxy-connection", "upgrade",
	"host", "forwarded", "x-real-ip", "max-forwards", "expect", "pragma", "cache-control", "range",
	"if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range",
	"authorization", "www-authenticate", "proxy-authenticate", "proxy-authorization", "authentication-info",
	"proxy-authentication-info", "cookie", "set-cookie",
	"age", "date", "expires", "location", "retry-after", "vary", "warning",
	"content-encoding", "content-type", "content-range",
}
