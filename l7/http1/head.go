package http1

import (
	"bytes"

	"portico/l7/message"
)

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
	line, seen int // start of the line that is not whole yet; what was searched for its end
	fields     int
	blank      bool // the one empty line allowed before a request was there
	started    bool // the start line was read
}

// next returns the next whole line of buf without its CRLF; not ok means that it
// needs more bytes.
func (s *Scanner) next(buf []byte, limit int) (line []byte, ok bool, err *Error) {
	k := bytes.IndexByte(buf[s.seen:], '\n')
	if k < 0 {
		s.seen = len(buf)
		if len(buf) >= limit {
			return nil, false, errHeadSize
		}
		return nil, false, nil
	}
	end := s.seen + k
	if end >= limit {
		return nil, false, errHeadSize
	}
	if end == s.line || buf[end-1] != '\r' {
		return nil, false, errBareLF
	}
	line = buf[s.line : end-1]
	s.line, s.seen = end+1, end+1
	return line, true, nil
}

// Bounds of the Connection fields in one head. Clients send one with two options;
// each may have to be compared with the name of each field.
const (
	connLinesMax   = 4
	connOptionsMax = 32
)

// head is what is gathered from the lines of one head before it can be judged.
// Exactly one of req and resp is set. What a line alone cannot tell is judged at
// the end, so that a head means the same however it was split.
type head struct {
	req  *message.Request
	resp *message.Response

	minor   int
	fields  []message.Field
	hosts   int
	host    []byte
	lengths int
	length  int64
	codings int
	coding  []byte

	upgrades int
	upgrade  []byte
	expect   bool // 100-continue
	expects  bool // something else
	trailers bool // TE: trailers

	// From Connection. Its values are kept while some name other fields.
	close, keepAlive, upgrading bool
	nominated                   bool
	options                     int // the elements of all lists, empty ones too
	connLines                   int
	conn                        [connLinesMax][]byte
}

// run reads what is new in buf, and all of it once the head is whole. Lines of
// earlier calls were checked and forgotten: their buffer may be another one by now.
func (h *head) run(buf []byte, s *Scanner, lim Limits) (whole bool, err *Error) {
	resumed := s.seen > 0
	whole, err = h.read(buf, s, lim)
	if whole && resumed {
		*s = Scanner{}
		*h = head{req: h.req, resp: h.resp, fields: h.fields[:0]}
		whole, err = h.read(buf, s, lim)
	}
	return whole, err
}

// read goes on where s stopped, line by line, and reports whether the head is whole.
func (h *head) read(buf []byte, s *Scanner, lim Limits) (whole bool, err *Error) {
	for err == nil {
		if !s.started && len(buf) > s.line {
			if err = h.mayStart(buf[s.line]); err != nil {
				break
			}
		}
		line, ok, lineErr := s.next(buf, lim.Head)
		switch {
		case lineErr == errHeadSize && !s.started && h.req != nil:
			return false, errLineSize
		case lineErr != nil:
			return false, lineErr
		case !ok:
			return false, nil
		case s.started && len(line) == 0:
			return true, nil
		case s.started:
			s.fields++
			if s.fields > lim.Fields {
				return false, errFieldCount
			}
			err = h.field(line)
		case len(line) == 0 && s.blank:
			err = errEmptyLines
		case len(line) == 0:
			s.blank = true
		default:
			s.started = true
			err = h.startLine(line)
		}
	}
	return false, err
}

// mayStart refuses at its first byte what can never become a head: TLS, another
// protocol, the rest of a body.
func (h *head) mayStart(c byte) *Error {
	switch {
	case h.resp != nil && c != 'H':
		return errStatusLine
	case h.req != nil && class[c]&isToken == 0 && c != '\r' && c != '\n':
		return errMethod
	}
	return nil
}

func (h *head) startLine(line []byte) *Error {
	if h.req != nil {
		return h.requestLine(line)
	}
	return h.statusLine(line)
}

// field reads one field line and keeps it, unless it belongs to this connection alone.
func (h *head) field(line []byte) *Error {
	name, value, err := splitField(line)
	if err != nil {
		return err
	}
	kept, err := h.note(name, value)
	if kept {
		h.fields = append(h.fields, message.Field{Name: name, Value: value})
	}
	return err
}

// splitField checks and splits one field line (RFC 9112, section 5).
func splitField(line []byte) (name, value []byte, err *Error) {
	colon := tokenEnd(line)
	switch {
	case colon == len(line):
		return nil, nil, errFieldName
	case line[colon] == ':' && colon > 0:
	case line[colon] != ' ' && line[colon] != '\t':
		return nil, nil, errFieldName
	case colon == 0:
		return nil, nil, errFold
	default:
		return nil, nil, errNameSpace
	}
	value = line[colon+1:]
	if !ValidValue(value) {
		return nil, nil, errFieldValue
	}
	return line[:colon], trim(value), nil
}

// note takes out of a field what decides about framing and the connection, and
// reports whether the field is to be kept for those behind.
func (h *head) note(name, value []byte) (kept bool, err *Error) {
	switch len(name) {
	case len("te"):
		if h.req != nil && message.EqualFold(name, "te") {
			h.trailers = h.trailers || hasToken(value, "trailers")
			return false, nil
		}
	case len("host"):
		if h.req != nil && message.EqualFold(name, "host") {
			h.hosts++
			h.host = value
			return false, nil
		}
	case len("expect"):
		if h.req != nil && message.EqualFold(name, "expect") {
			known := message.EqualFold(value, "100-continue")
			h.expect = h.expect || known
			h.expects = h.expects || !known
			return false, nil
		}
	case len("upgrade"):
		if message.EqualFold(name, "upgrade") {
			h.upgrades++
			h.upgrade = value
			return false, nil
		}
	case len("connection"): // and keep-alive
		if message.EqualFold(name, "connection") {
			return false, h.connection(value)
		}
		return !message.EqualFold(name, "keep-alive"), nil
	case len("content-length"):
		if message.EqualFold(name, "content-length") {
			h.lengths++
			h.length, err = parseLength(value)
			return false, err
		}
	case len("proxy-connection"):
		return !message.EqualFold(name, "proxy-connection"), nil
	case len("transfer-encoding"):
		if message.EqualFold(name, "transfer-encoding") {
			h.codings++
			h.coding = value
			return false, nil
		}
	}
	return true, nil
}

// connection reads the options of one Connection line (RFC 9110, section 7.6.1).
func (h *head) connection(value []byte) *Error {
	for rest, more := value, true; more; {
		var option []byte
		option, rest, more = cutComma(rest)
		h.options++
		switch {
		case len(option) == 0:
		case message.EqualFold(option, "close"):
			h.close = true
		case message.EqualFold(option, "keep-alive"):
			h.keepAlive = true
		case message.EqualFold(option, "upgrade"):
			h.upgrading = true
		case message.EqualFold(option, "te"):
		case !ValidName(option):
			return errConnection
		default:
			h.nominated = true
		}
	}
	if h.connLines < connLinesMax {
		h.conn[h.connLines] = value
	}
	h.connLines++
	return nil
}

// strip removes the fields that Connection names.
func (h *head) strip() *Error {
	if h.options > connOptionsMax || h.connLines > connLinesMax {
		return errConnection
	}
	if !h.nominated {
		return nil
	}
	kept := h.fields[:0]
	for _, f := range h.fields {
		if !h.nominates(f.Name) {
			kept = append(kept, f)
		}
	}
	h.fields = kept
	return nil
}

func (h *head) nominates(name []byte) bool {
	for _, value := range h.conn[:h.connLines] {
		for rest, more := value, true; more; {
			var option []byte
			option, rest, more = cutComma(rest)
			if equalFold(option, name) {
				return true
			}
		}
	}
	return false
}

// persistent reports whether the connection stays open (RFC 9112, section 9.3).
func (h *head) persistent() bool {
	return !h.close && (h.minor == 1 || h.keepAlive)
}

// protocol is the one protocol an Upgrade asks for or grants. A list is not
// followed, nor is another version of HTTP: both would be read differently by the
// target behind us.
func (h *head) protocol() []byte {
	p := h.upgrade
	if h.minor == 0 || !h.upgrading || h.upgrades != 1 {
		return nil
	}
	name, version, versioned := bytes.Cut(p, []byte("/"))
	if !ValidName(name) || versioned && !ValidName(version) {
		return nil
	}
	if message.EqualFold(name, "h2c") || message.EqualFold(name, "h2") ||
		message.EqualFold(name, "http") || message.EqualFold(name, "tls") {
		return nil
	}
	return p
}

// cutComma returns the first element of a list, trimmed, and what follows it.
func cutComma(list []byte) (first, rest []byte, more bool) {
	first, rest, more = bytes.Cut(list, []byte(","))
	return trim(first), rest, more
}

// hasToken reports whether a list holds an element, which must be in lower case.
func hasToken(list []byte, lower string) bool {
	for more := true; more; {
		var first []byte
		first, list, more = cutComma(list)
		if message.EqualFold(first, lower) {
			return true
		}
	}
	return false
}
