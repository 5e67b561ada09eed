package http1

import (
	"bytes"
	"net/netip"
)

// hostMax bounds a host name, in bytes; DNS can carry 253.
const hostMax = 255

// hostOf returns the host of an authority, without the port and without the dot
// that may end a name. Of a reg-name (RFC 3986, section 3.2.2) only unreserved
// characters are taken: no name in DNS has others, and an escaped letter or a
// comma is a second meaning.
func hostOf(authority []byte) (host []byte, ok bool) {
	var end int
	if len(authority) > 0 && authority[0] == '[' {
		end = bytes.IndexByte(authority, ']') + 1
		if end == 0 || !isIPv6(authority[1:end-1]) {
			return nil, false
		}
		host = authority[:end]
	} else {
		for end < len(authority) && class[authority[end]]&isName != 0 {
			end++
		}
		host = bytes.TrimSuffix(authority[:end], []byte("."))
		if !isHostName(host) {
			return nil, false
		}
	}
	return host, validPort(authority[end:])
}

// hasPort reports whether a valid authority names a port.
func hasPort(authority []byte) bool {
	colon := bytes.LastIndexByte(authority, ':')
	return colon > bytes.LastIndexByte(authority, ']') && colon < len(authority)-1
}

// isHostName refuses empty labels; the characters were looked at.
func isHostName(host []byte) bool {
	return len(host) > 0 && len(host) <= hostMax && host[0] != '.' && host[len(host)-1] != '.' &&
		!bytes.Contains(host, []byte(".."))
}

func isIPv6(b []byte) bool {
	const longest = len("0000:0000:0000:0000:0000:ffff:255.255.255.255")
	if len(b) > longest {
		return false
	}
	a, err := netip.ParseAddr(string(b))
	return err == nil && a.Is6() && a.Zone() == ""
}

// validPort accepts nothing, or a colon with at most a port's digits after it.
func validPort(b []byte) bool {
	if len(b) == 0 {
		return true
	}
	if b[0] != ':' || len(b) > len(":65535") {
		return false
	}
	port := 0
	for _, c := range b[1:] {
		if !isDigit(c) {
			return false
		}
		port = port*10 + int(c-'0')
	}
	return port <= 65535
}
