package template

import (
	"unicode/utf8"
)

const hex = "0123456789ABCDEF"

// escape rewrites what was appended from an index on, so that it is text and
// nothing else in that form.
func escape(dst []byte, from int, form Form) []byte {
	grow := 0
	for i := from; i < len(dst); i++ {
		grow += escapedLen(dst[i], form) - 1
	}
	if form == JSON && !utf8.Valid(dst[from:]) {
		dst = onlyASCII(dst, from)
		return escape(dst, from, form)
	}
	if grow == 0 {
		return dst
	}
	// Written from the end, in place: what is read next is never overwritten.
	read := len(dst) - 1
	for range grow {
		dst = append(dst, 0)
	}
	write := len(dst)
	for ; read >= from; read-- {
		c := dst[read]
		write -= escapedLen(c, form)
		writeEscaped(dst[write:], c, form)
	}
	return dst
}

// onlyASCII puts a question mark for each byte beyond ASCII, where the text is not
// UTF-8 as JSON must be (RFC 8259, section 8.1).
func onlyASCII(dst []byte, from int) []byte {
	for i := from; i < len(dst); i++ {
		if dst[i] >= utf8.RuneSelf {
			dst[i] = '?'
		}
	}
	return dst
}

// escapes are what characters become that mean something in a document.
func escapes(c byte, form Form) string {
	switch form {
	case HTML:
		switch c {
		case '&':
			return "&amp;"
		case '<':
			return "&lt;"
		case '>':
			return "&gt;"
		case '"':
			return "&#34;"
		case '\'':
			return "&#39;"
		}
	case JSON:
		switch c {
		case '"':
			return `\"`
		case '\\':
			return `\\`
		case '<':
			return `\u003C` // JSON is put into HTML
		}
	case Plain:
	}
	return ""
}

func escapedLen(c byte, form Form) int {
	switch e := escapes(c, form); {
	case e != "":
		return len(e)
	case c >= ' ' && c != 0x7f:
		return 1
	case form == JSON:
		return len(`\u0000`)
	default:
		return len("%00")
	}
}

// writeEscaped writes one character; control characters, which end lines, are
// written as a URL or JSON would.
func writeEscaped(dst []byte, c byte, form Form) {
	e := escapes(c, form)
	switch {
	case e != "":
		copy(dst, e)
	case c >= ' ' && c != 0x7f:
		dst[0] = c
	case form == JSON:
		copy(dst, `\u00`)
		dst[4], dst[5] = hex[c>>4], hex[c&15]
	default:
		dst[0], dst[1], dst[2] = '%', hex[c>>4], hex[c&15]
	}
}
