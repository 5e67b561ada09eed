package hpack

import "portico/l7/message"

// static is the static table (RFC 7541, appendix A), from index 1 on.
var static = [...]message.Field{
	entry(":authority", ""),
	entry(":method", "GET"),
	entry(":method", "POST"),
	entry(":path", "/"),
	entry(":path", "/index.html"),
	entry(":scheme", "http"),
	entry(":scheme", "https"),
	entry(":status", "200"),
	entry(":status", "204"),
	entry(":status", "206"),
	entry(":status", "304"),
	entry(":status", "400"),
	entry(":status", "404"),
	entry(":status", "500"),
	entry("accept-charset", ""),
	entry("accept-encoding", "gzip, deflate"),
	entry("accept-language", ""),
	entry("accept-ranges", ""),
	entry("accept", ""),
	entry("access-control-allow-origin", ""),
	entry("age", ""),
	entry("allow", ""),
	entry("authorization", ""),
	entry("cache-control", ""),
	entry("content-disposition", ""),
	entry("content-encoding", ""),
	entry("content-language", ""),
	entry("content-length", ""),
	entry("content-location", ""),
	entry("content-range", ""),
	entry("content-type", ""),
	entry("cookie", ""),
	entry("date", ""),
	entry("etag", ""),
	entry("expect", ""),
	entry("expires", ""),
	entry("from", ""),
	entry("host", ""),
	entry("if-match", ""),
	entry("if-modified-since", ""),
	entry("if-none-match", ""),
	entry("if-range", ""),
	entry("if-unmodified-since", ""),
	entry("last-modified", ""),
	entry("link", ""),
	entry("location", ""),
	entry("max-forwards", ""),
	entry("proxy-authenticate", ""),
	entry("proxy-authorization", ""),
	entry("range", ""),
	entry("referer", ""),
	entry("refresh", ""),
	entry("retry-after", ""),
	entry("server", ""),
	entry("set-cookie", ""),
	entry("strict-transport-security", ""),
	entry("transfer-encoding", ""),
	entry("user-agent", ""),
	entry("vary", ""),
	entry("via", ""),
	entry("www-authenticate", ""),
}

func entry(name, value string) message.Field {
	return message.Field{Name: []byte(name), Value: []byte(value)}
}

// staticSize is how many entries the static table has.
const staticSize = len(static)

// Index is the place of a name in the static table; 0 means that it has none.
type Index uint8

// Indexes of what is written without a look at the table.
const (
	Authority Index = 1
	get       Index = 2
	post      Index = 3
	root      Index = 4
	http      Index = 6
	https     Index = 7
	status200 Index = 8
	length    Index = 28
)

// slots is an open hash of the static table's names, regular ones alone.
var slots = fill()

const slotsSize = 256 // four times the names: most misses end at the first look

func fill() (s [slotsSize]Index) {
	for i := 14; i < staticSize; i++ {
		at := slot(static[i].Name)
		for s[at] != 0 {
			at = (at + 1) % slotsSize
		}
		s[at] = Index(i + 1)
	}
	return s
}

// slot is where a name is looked for first, whatever the case of its letters.
func slot(name []byte) uint {
	n := uint(len(name))
	first, middle, last := uint(name[0]|0x20), uint(name[n/2]|0x20), uint(name[n-1]|0x20)
	return (n*7 + first*31 + middle*113 + last*5) % slotsSize
}

// Find returns the index of a name that is not empty, ignoring the case of letters.
func Find(name []byte) Index {
	for at := slot(name); slots[at] != 0; at = (at + 1) % slotsSize {
		if equal(name, static[slots[at]-1].Name) {
			return slots[at]
		}
	}
	return 0
}

// equal compares a name with one in lower case.
func equal(name, lower []byte) bool {
	if len(name) != len(lower) {
		return false
	}
	for i, c := range name {
		if folded[c] != lower[i] {
			return false
		}
	}
	return true
}

// folded maps ASCII letters to lower case.
var folded = fold()

func fold() (t [256]byte) {
	for i := range t {
		t[i] = byte(i)
		if 'A' <= i && i <= 'Z' {
			t[i] += 'a' - 'A'
		}
	}
	return t
}
