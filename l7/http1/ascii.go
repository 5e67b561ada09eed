package http1

import "encoding/binary"

// classes of a byte, in the table below.
const (
	isToken uint8 = 1 << iota // tchar (RFC 9110, section 5.6.2)
	isName                    // of a host name: unreserved (RFC 3986, section 2.3)
	isHex
)

// class is never written; it is an array so that a lookup needs no bounds check.
var class = [256]uint8{
	'!': isToken, '#': isToken, '$': isToken, '%': isToken, '&': isToken, '\'': isToken,
	'*': isToken, '+': isToken, '^': isToken, '`': isToken, '|': isToken,
	'-': isToken | isName, '.': isToken | isName, '_': isToken | isName, '~': isToken | isName,
	'0': isToken | isName | isHex, '1': isToken | isName | isHex, '2': isToken | isName | isHex,
	'3': isToken | isName | isHex, '4': isToken | isName | isHex, '5': isToken | isName | isHex,
	'6': isToken | isName | isHex, '7': isToken | isName | isHex, '8': isToken | isName | isHex,
	'9': isToken | isName | isHex,
	'A': isToken | isName | isHex, 'B': isToken | isName | isHex, 'C': isToken | isName | isHex,
	'D': isToken | isName | isHex, 'E': isToken | isName | isHex, 'F': isToken | isName | isHex,
	'G': isToken | isName, 'H': isToken | isName, 'I': isToken | isName, 'J': isToken | isName,
	'K': isToken | isName, 'L': isToken | isName, 'M': isToken | isName, 'N': isToken | isName,
	'O': isToken | isName, 'P': isToken | isName, 'Q': isToken | isName, 'R': isToken | isName,
	'S': isToken | isName, 'T': isToken | isName, 'U': isToken | isName, 'V': isToken | isName,
	'W': isToken | isName, 'X': isToken | isName, 'Y': isToken | isName, 'Z': isToken | isName,
	'a': isToken | isName | isHex, 'b': isToken | isName | isHex, 'c': isToken | isName | isHex,
	'd': isToken | isName | isHex, 'e': isToken | isName | isHex, 'f': isToken | isName | isHex,
	'g': isToken | isName, 'h': isToken | isName, 'i': isToken | isName, 'j': isToken | isName,
	'k': isToken | isName, 'l': isToken | isName, 'm': isToken | isName, 'n': isToken | isName,
	'o': isToken | isName, 'p': isToken | isName, 'q': isToken | isName, 'r': isToken | isName,
	's': isToken | isName, 't': isToken | isName, 'u': isToken | isName, 'v': isToken | isName,
	'w': isToken | isName, 'x': isToken | isName, 'y': isToken | isName, 'z': isToken | isName,
}

// Eight bytes are looked at in one word.
const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// ValidName reports whether name is a token, as the name of a field or a method must be.
func ValidName(name []byte) bool {
	return len(name) > 0 && tokenEnd(name) == len(name)
}

// tokenEnd returns how many bytes at the start of b are of a token.
func tokenEnd(b []byte) int {
	for i, c := range b {
		if class[c]&isToken == 0 {
			return i
		}
	}
	return len(b)
}

// ValidValue reports whether value holds no control character but HTAB
// (RFC 9110, section 5.5; obs-text is allowed).
func ValidValue(value []byte) bool {
	for len(value) >= 8 {
		w := binary.LittleEndian.Uint64(value)
		// Not zero when, and only when, a byte is below SP or is DEL; whether
		// that is no more than HTAB, the slow look says.
		del := w ^ ones*0x7f
		if ((w-ones*0x20)&^w|(del-ones)&^del)&highs != 0 && !validEach(value[:8]) {
			return false
		}
		value = value[8:]
	}
	return validEach(value)
}

func validEach(b []byte) bool {
	for _, c := range b {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// visible reports whether b holds nothing but visible ASCII without '#'.
func visible(b []byte) bool {
	for len(b) >= 8 {
		w := binary.LittleEndian.Uint64(b)
		del, hash := w^ones*0x7f, w^ones*'#'
		if ((w-ones*0x21)&^w|(del-ones)&^del|(hash-ones)&^hash|w)&highs != 0 {
			break // a bad one among these eight; the loop below says so
		}
		b = b[8:]
	}
	for _, c := range b {
		if c <= ' ' || c >= 0x7f || c == '#' {
			return false
		}
	}
	return true
}

// trim removes SP and HTAB at both ends.
func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// unhex returns the value of a hexadecimal digit, or -1.
func unhex(c byte) int {
	switch {
	case isDigit(c):
		return int(c - '0')
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}

// equalFold compares two byte strings, ignoring the case of ASCII letters alone.
func equalFold(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
