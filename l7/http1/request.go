package http1

import (
	"bytes"

	"portico/l7/message"
)

// ParseRequest reads a request head from the start of buf. It returns how long the
// head was; 0 without an error means that it needs more bytes, and that req holds
// nothing of use. Fields and Scratch of req keep their capacity; TLS, Peer, Client
// and Local are left as they are. Errors are *Error.
func ParseRequest(buf []byte, s *Scanner, lim Limits, req *message.Request) (n int, err error) {
	h := head{req: req, fields: req.Fields[:0]}
	whole, bad := h.run(buf, s, lim)
	if whole {
		n = s.line
		bad = h.finishRequest()
	}
	req.Fields = h.fields
	if bad != nil {
		n, err = 0, bad
	}
	if whole || bad != nil {
		*s = Scanner{}
	}
	return n, err
}

const (
	version11  = "HTTP/1.1"
	versionLen = len(version11)
)

// requestLine reads method, target and version, with exactly one SP between them
// (RFC 9112, section 3).
func (h *head) requestLine(line []byte) *Error {
	m := tokenEnd(line)
	if m == 0 || m == len(line) || line[m] != ' ' {
		return errMethod
	}
	v := len(line) - versionLen
	if v < m+3 || line[v-1] != ' ' {
		return errRequestLine
	}
	minor, err := parseVersion(line[v:])
	if err != nil {
		return err
	}
	h.minor = minor
	req := h.req
	req.Method, req.Target = line[:m], line[m+1:v-1]
	req.Authority, req.Host = nil, nil
	req.Query, req.HasQuery = nil, false
	req.Scratch = req.Scratch[:0]
	return splitTarget(req)
}

// parseVersion returns the minor version. A version that is well formed but not
// ours is 505, anything else 400.
func parseVersion(v []byte) (minor int, err *Error) {
	switch string(v) {
	case version11:
		return 1, nil
	case "HTTP/1.0":
		return 0, nil
	}
	if string(v[:5]) == "HTTP/" && isDigit(v[5]) && v[6] == '.' && isDigit(v[7]) {
		return 0, errVersion
	}
	return 0, errRequestLine
}

// finishRequest judges a request once all of its lines are known.
func (h *head) finishRequest() *Error {
	if err := h.authority(); err != nil {
		return err
	}
	framing, length, err := h.framing()
	if err != nil {
		return err
	}
	if err := h.strip(); err != nil {
		return err
	}
	if h.expects && h.minor == 1 {
		return errExpect // HTTP/1.0 has none: ignored there (RFC 9110, section 10.1.1)
	}
	if h.trailers {
		h.fields = append(h.fields, message.Field{Name: teName, Value: teTrailers})
	}
	req := h.req
	if message.Connects(req) && framing != message.NoBody {
		return errConnectBody
	}
	req.Framing, req.Length = framing, max(length, 0)
	req.Major, req.Minor = 1, h.minor
	req.KeepAlive = h.persistent()
	hasBody := framing == message.Chunked || req.Length > 0
	req.Expect100 = h.expect && h.minor == 1 && hasBody
	req.Upgrade = nil
	if !hasBody && !message.Connects(req) {
		req.Upgrade = h.protocol()
	}
	return nil
}

// The one form of TE that is passed on. They are never written to.
var (
	teName     = []byte("TE")
	teTrailers = []byte("trailers")
)

// authority settles for whom the request is (RFC 9112, section 3.2).
func (h *head) authority() *Error {
	req := h.req
	switch {
	case h.hosts > 1:
		return errHostTwice
	case h.hosts == 0 && h.minor == 1:
		return errHostMissing
	case h.hosts == 1 && req.Authority != nil && !equalFold(h.host, req.Authority):
		return errHostDiffers
	case req.Authority == nil:
		req.Authority = h.host
	}
	if h.hosts == 0 && req.Authority == nil {
		return nil // HTTP/1.0
	}
	host, ok := hostOf(req.Authority)
	if !ok {
		return errHost
	}
	req.Host = lowered(host, req)
	return nil
}

// lowered returns host in lower case, in the scratch memory of req if need be.
func lowered(host []byte, req *message.Request) []byte {
	for i, c := range host {
		if lower(c) == c {
			continue
		}
		start := len(req.Scratch)
		req.Scratch = append(req.Scratch, host...)
		low := req.Scratch[start:len(req.Scratch):len(req.Scratch)]
		for ; i < len(low); i++ {
			low[i] = lower(low[i])
		}
		return low
	}
	return host
}

// splitTarget takes the target apart by its form (RFC 9112, section 3.2).
func splitTarget(req *message.Request) *Error {
	t := req.Target
	if !visible(t) {
		if bytes.IndexByte(t, '#') >= 0 {
			return errFragment
		}
		return errTargetChar
	}
	switch {
	case string(req.Method) == "CONNECT":
		if err := SetConnect(req, t); err != nil {
			return errTarget
		}
		return nil
	case t[0] == '/':
		return splitPath(req, t)
	case t[0] == '*':
		if len(t) > 1 || string(req.Method) != "OPTIONS" {
			return errTarget
		}
		req.Path = t
		return nil
	}
	return splitAbsolute(req, t)
}

// rootPath is the path of a request whose target has none. It is never written to.
var rootPath = []byte("/")

// splitAbsolute reads scheme://authority/path?query.
func splitAbsolute(req *message.Request, t []byte) *Error {
	scheme, rest, ok := bytes.Cut(t, []byte("://"))
	if !ok {
		return errTarget
	}
	if !message.EqualFold(scheme, "http") && !message.EqualFold(scheme, "https") {
		return errScheme
	}
	end := bytes.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	req.Authority = rest[:end]
	if bytes.IndexByte(req.Authority, '@') >= 0 {
		return errUserinfo
	}
	if end < len(rest) && rest[end] == '/' {
		return splitPath(req, rest[end:])
	}
	slash := t[len(scheme)+2 : len(scheme)+3]
	req.Path = slash
	if end < len(rest) {
		req.Query, req.HasQuery = rest[end+1:], true
	}
	return nil
}

// splitPath parts path and query and brings the path into its normal form.
func splitPath(req *message.Request, t []byte) *Error {
	var path []byte
	path, req.Query, req.HasQuery = bytes.Cut(t, []byte("?"))
	return normalize(req, path)
}
