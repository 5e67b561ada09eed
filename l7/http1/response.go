package http1

import "portico/l7/message"

// ParseResponse reads a response head from the start of buf, as ParseRequest does.
// The method is that of the request: it decides whether a body follows. An interim
// response (1xx) is returned like any other, without a body. Length is that of
// Content-Length, also where no body follows (HEAD, 304), and -1 without one.
// Errors are *Error with the status 502.
func ParseResponse(buf []byte, s *Scanner, lim Limits, method []byte, resp *message.Response) (n int, err error) {
	h := head{resp: resp, fields: resp.Fields[:0]}
	whole, bad := h.run(buf, s, lim)
	if whole {
		n = s.line
		bad = h.finishResponse(method)
	}
	resp.Fields = h.fields
	if bad != nil {
		n, err = 0, bad.asTarget()
	}
	if whole || bad != nil {
		*s = Scanner{}
	}
	return n, err
}

// statusLine reads version, status and reason (RFC 9112, section 4). The SP after
// the status may be missing where the reason is: many servers forget it.
func (h *head) statusLine(line []byte) *Error {
	const status = versionLen + 1
	if len(line) < status+3 || line[versionLen] != ' ' {
		return errStatusLine
	}
	minor, err := parseVersion(line[:versionLen])
	if err == errRequestLine {
		return errStatusLine
	} else if err != nil {
		return err
	}
	h.minor = minor
	code := 0
	for _, c := range line[status : status+3] {
		if !isDigit(c) {
			return errStatusLine
		}
		code = code*10 + int(c-'0')
	}
	if code < 100 {
		return errStatusRange
	}
	reason := line[status+3:]
	if len(reason) > 0 {
		if reason[0] != ' ' || !ValidValue(reason) {
			return errStatusLine
		}
		reason = reason[1:]
	}
	h.resp.Status, h.resp.Reason = code, reason
	return nil
}

// finishResponse judges a response once all of its lines are known.
func (h *head) finishResponse(method []byte) *Error {
	framing, length, err := h.framing()
	if err != nil {
		return err
	}
	if err := h.strip(); err != nil {
		return err
	}
	resp := h.resp
	resp.Minor = h.minor
	resp.KeepAlive = h.persistent()
	resp.Upgrade = nil
	resp.Length = length
	switch {
	case resp.Status == 101:
		if resp.Upgrade = h.protocol(); resp.Upgrade == nil {
			return errNoUpgrade
		}
		resp.Framing, resp.Length = message.NoBody, -1
	case resp.Status < 200 || resp.Status == 204:
		// They have no body, whatever their fields say (RFC 9112, section 6.3).
		resp.Framing, resp.Length = message.NoBody, -1
	case resp.Status == 304 || string(method) == "HEAD" || string(method) == "CONNECT" && resp.Status < 300:
		resp.Framing = message.NoBody
	case framing == message.NoBody:
		resp.Framing = message.UntilClose
		resp.KeepAlive = false
	default:
		resp.Framing = framing
	}
	return nil
}
