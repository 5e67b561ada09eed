package http1

import (
	"bytes"
	"slices"

	"portico/l7/message"
)

// normalize sets req.Path to the normal form of path: escaped unreserved
// characters are decoded and dot segments removed (RFC 3986, sections 6.2.2.2 and
// 5.2.4), so that what a rule matches is what the target resolves. Other escapes,
// "%2F" among them, and backslashes stay as they are. Where nothing changes, Path
// is path itself.
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
	req.Path = slices.Clip(p)
	return nil
}

// hasDots reports whether path has a dot segment, or two dots that start a segment.
func hasDots(path []byte) bool {
	for {
		i := bytes.IndexByte(path, '.')
		if i < 0 {
			return false
		}
		if i > 0 && path[i-1] == '/' && (i+1 == len(path) || path[i+1] == '/' || path[i+1] == '.') {
			return true
		}
		path = path[i+1:]
	}
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
