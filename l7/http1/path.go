package http1

import (
	"bytes"
	"slices"

	"portico/l7/message"
)

// normalize sets req.Path to the normal form of path: escaped unreserved
// characters are decoded and dot segments removed (RFC 3986, sections 6.2.2.2 and
// 5.2.4), so that what a rule matches is what the target resolves. Other escapes,
// "%2F" among them, and backslashes stay as they are, but not beside dots: see
// ambiguous. Where nothing changes, Path is path itself.
func normalize(req *message.Request, path []byte) *Error {
	escaped := bytes.IndexByte(path, '%') >= 0
	if !escaped && !hasDots(path) {
		req.Path = path
		return nil
	}
	start := len(req.Scratch)
	if !escaped {
		req.Scratch = append(req.Scratch, path...)
	} else {
		decoded, err := decodeUnreserved(req.Scratch, path)
		if err != nil {
			return err
		}
		req.Scratch = decoded
	}
	p := removeDots(req.Scratch[start:])
	if ambiguous(p) {
		return errDots
	}
	req.Path = slices.Clip(p)
	return nil
}

// hasDots reports whether path has what may be a dot segment.
func hasDots(path []byte) bool {
	for {
		i := bytes.IndexByte(path, '.')
		if i < 0 {
			return false
		}
		if i > 0 && (path[i-1] == '/' || path[i-1] == '\\') && (i+1 == len(path) || class[path[i+1]]&isName == 0 || path[i+1] == '.') {
			return true
		}
		path = path[i+1:]
	}
}

// Normal reports whether a path that was put together from parts is in the normal
// form that every path of a request has: reading it as a request's would change
// nothing, and refuse nothing.
func Normal(path []byte) bool {
	for i, c := range path {
		if c != '%' {
			continue
		}
		if i+2 >= len(path) {
			return false
		}
		hi, lo := unhex(path[i+1]), unhex(path[i+2])
		if hi < 0 || lo < 0 || hi|lo == 0 || class[hi<<4|lo]&isName != 0 {
			return false
		}
	}
	return visible(path) && !ambiguous(path)
}

// ambiguous reports whether path, without dot segments, has one for a target that
// takes an escaped slash or a backslash for a slash, or drops what follows a
// semicolon. It would resolve another path than the one a rule matched.
func ambiguous(path []byte) bool {
	for i := 0; i < len(path); i++ {
		if path[i] != '.' {
			continue
		}
		before, dots := path[:i], i
		for i+1 < len(path) && path[i+1] == '.' {
			i++
		}
		if i-dots < 2 && slashEnds(before) && slashStarts(path[i+1:]) {
			return true
		}
	}
	return false
}

func slashEnds(p []byte) bool {
	n := len(p)
	return n > 0 && (p[n-1] == '/' || p[n-1] == '\\') || n > 2 && escapedSlash(p[n-3:])
}

func slashStarts(p []byte) bool {
	return len(p) == 0 || p[0] == '/' || p[0] == '\\' || p[0] == ';' || len(p) > 2 && escapedSlash(p[:3])
}

// escapedSlash reports "%2F", or "%5C" for a backslash.
func escapedSlash(p []byte) bool {
	return p[0] == '%' && (p[1] == '2' && lower(p[2]) == 'f' || p[1] == '5' && lower(p[2]) == 'c')
}

// decodeUnreserved appends path to dst with escapes decoded that need not be any.
func decodeUnreserved(dst, path []byte) ([]byte, *Error) {
	for i := 0; i < len(path); i++ {
		if path[i] != '%' {
			dst = append(dst, path[i])
			continue
		}
		if i+2 >= len(path) {
			return nil, errPercent
		}
		hi, lo := unhex(path[i+1]), unhex(path[i+2])
		if hi < 0 || lo < 0 {
			return nil, errPercent
		}
		c := byte(hi<<4 | lo)
		switch {
		case c == 0:
			return nil, errNUL
		case class[c]&isName != 0:
			dst = append(dst, c)
		default:
			dst = append(dst, path[i:i+3]...)
		}
		i += 2
	}
	return dst, nil
}

// removeDots removes dot segments in place. The path starts with a slash, and so
// does what is left of it.
func removeDots(p []byte) []byte {
	w := 0
	for r := 0; r < len(p); {
		end := len(p)
		if k := bytes.IndexByte(p[r+1:], '/'); k >= 0 {
			end = r + 1 + k
		}
		segment := p[r:end]
		r = end
		switch string(segment) {
		case "/.":
		case "/..":
			w = max(bytes.LastIndexByte(p[:w], '/'), 0)
		default:
			w += copy(p[w:], segment)
			continue
		}
		if r == len(p) { // what ends in a dot segment is a folder
			p[w] = '/'
			w++
		}
	}
	return p[:w]
}
