package http1

// Error says why input was refused. Every Error this package returns is one of a
// fixed set, so Reason may be the label of a metric.
type Error struct {
	// Status answers a client. Errors of ParseResponse always carry 502; those of
	// a Decoder are the client's fault (400, 431), and a target's 502 is up to the
	// caller, who knows whose body it was.
	Status int
	// Reason is fixed text, without a byte of the input.
	Reason string
}

// Error returns the reason.
func (e *Error) Error() string { return "http1: " + e.Reason }

// asTarget is e when a target, not a client, sent the input.
func (e *Error) asTarget() *Error { return &Error{Status: 502, Reason: e.Reason} }

// What is wrong with a line, in a head or in trailers.
var (
	errBareLF       = &Error{400, "bare LF"}
	errFold         = &Error{400, "obs-fold"}
	errFieldName    = &Error{400, "field name"}
	errNameSpace    = &Error{400, "whitespace before colon"}
	errFieldValue   = &Error{400, "control character in field value"}
	errHeadSize     = &Error{431, "head too large"}
	errFieldCount   = &Error{431, "too many fields"}
	errConnection   = &Error{400, "connection options"}
	errLengthTwice  = &Error{400, "repeated content-length"}
	errLength       = &Error{400, "content-length"}
	errLengthTE     = &Error{400, "content-length and transfer-encoding"}
	errCodingOld    = &Error{400, "transfer-encoding in HTTP/1.0"}
	errCodingTwice  = &Error{400, "repeated transfer-encoding"}
	errCoding       = &Error{400, "transfer-encoding"}
	errCodingOther  = &Error{501, "unknown transfer coding"}
	errEmptyLines   = &Error{400, "empty lines before request line"}
	errMethod       = &Error{400, "method"}
	errRequestLine  = &Error{400, "request line"}
	errLineSize     = &Error{414, "request line too long"}
	errVersion      = &Error{505, "HTTP version"}
	errTarget       = &Error{400, "request target"}
	errTargetChar   = &Error{400, "character in request target"}
	errFragment     = &Error{400, "fragment in request target"}
	errPercent      = &Error{400, "percent-encoding in path"}
	errDots         = &Error{400, "ambiguous dot segment in path"}
	errNUL          = &Error{400, "NUL in path"}
	errScheme       = &Error{400, "scheme of request target"}
	errUserinfo     = &Error{400, "userinfo in request target"}
	errConnectBody  = &Error{400, "CONNECT with a body"}
	errHostMissing  = &Error{400, "no host"}
	errHostTwice    = &Error{400, "repeated host"}
	errHost         = &Error{400, "host"}
	errHostDiffers  = &Error{400, "host differs from request target"}
	errExpect       = &Error{417, "expectation"}
	errStatusLine   = &Error{502, "status line"}
	errStatusRange  = &Error{502, "status code"}
	errNoUpgrade    = &Error{502, "101 without upgrade"}
	errChunkSize    = &Error{400, "chunk size"}
	errChunkLarge   = &Error{400, "chunk too large"}
	errChunkExt     = &Error{400, "chunk extension"}
	errChunkEnd     = &Error{400, "chunk not ended by CRLF"}
	errTrailersSize = &Error{431, "trailers too large"}
	errUnexpected   = &Error{400, "connection ended within the body"}
)
