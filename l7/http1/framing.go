package http1

import (
	"bytes"
	"math"

	"portico/l7/message"
)

// framing says how the body ends as far as the fields alone decide (RFC 9112,
// section 6.3); NoBody means that they say nothing. Where they contradict each
// other or repeat themselves, two readers could disagree, so neither gets to read.
func (h *head) framing() (message.Framing, int64, *Error) {
	switch {
	case h.codings > 0 && h.lengths > 0:
		return 0, 0, errLengthTE
	case h.codings > 0 && h.minor == 0:
		return 0, 0, errCodingOld
	case h.codings > 1:
		return 0, 0, errCodingTwice
	case h.codings == 1:
		return message.Chunked, -1, checkCoding(h.coding)
	case h.lengths > 1:
		return 0, 0, errLengthTwice
	case h.lengths == 1:
		return message.Length, h.length, nil
	}
	return message.NoBody, -1, nil
}

// checkCoding accepts "chunked" alone. Lists of other codings that end in it are
// right but nothing we know (501); chunked in any other place is wrong.
func checkCoding(value []byte) *Error {
	if message.EqualFold(value, "chunked") {
		return nil
	}
	for rest, more := value, true; more; {
		var coding []byte
		coding, rest, more = cutComma(rest)
		name, _, _ := bytes.Cut(coding, []byte(";"))
		name = trim(name)
		switch {
		case !ValidName(name):
			return errCoding
		case !message.EqualFold(name, "chunked"):
		case more || len(name) < len(coding):
			return errCoding
		}
	}
	return errCodingOther
}

// parseLength reads digits and nothing else (RFC 9110, section 8.6).
func parseLength(value []byte) (int64, *Error) {
	if len(value) == 0 {
		return 0, errLength
	}
	var n int64
	for _, c := range value {
		d := int64(c - '0')
		if !isDigit(c) || n > (math.MaxInt64-d)/10 {
			return 0, errLength
		}
		n = n*10 + d
	}
	return n, nil
}
