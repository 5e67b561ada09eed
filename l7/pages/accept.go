package pages

import (
	"bytes"

	"portico/l7/message"
)

const (
	// rangesMax bounds how many media ranges of a request are looked at; browsers
	// send eight.
	rangesMax = 32
	// one is the quality 1, of which there are thousandths (RFC 9110, section 12.4.2).
	one = 1000
)

// prefer returns the kind that a client would rather have of those offered. A
// client that has no preference is a program: it gets text where there is any.
func prefer(fields []message.Field, offers [kinds]bool) Kind {
	var quality [kinds]int
	var exact [kinds]int // how well the best range fits: */* 1, text/* 2, text/html 3
	ranges := 0
	for i := range fields {
		if !message.EqualFold(fields[i].Name, "accept") {
			continue
		}
		for rest := fields[i].Value; len(rest) > 0 && ranges < rangesMax; ranges++ {
			var part []byte
			part, rest, _ = bytes.Cut(rest, comma)
			weigh(part, &quality, &exact)
		}
	}
	best, found := Kind(0), false
	for _, k := range [...]Kind{HTML, JSON, Text} {
		if offers[k] && (!found || quality[k] > quality[best] || quality[k] == quality[best] && exact[k] > exact[best]) {
			best, found = k, true
		}
	}
	if offers[Text] && quality[Text] == quality[best] && exact[best] <= 1 {
		return Text
	}
	return best
}

var (
	comma     = []byte(",")
	semicolon = []byte(";")
)

// weigh takes one media range with its quality; the most specific range for a kind
// decides (RFC 9110, section 12.5.1).
func weigh(part []byte, quality, exact *[kinds]int) {
	name, rest, _ := bytes.Cut(part, semicolon)
	name = bytes.Trim(name, " \t")
	q := one
	for len(rest) > 0 {
		var p []byte
		p, rest, _ = bytes.Cut(rest, semicolon)
		if p = bytes.Trim(p, " \t"); len(p) > 2 && p[0]|0x20 == 'q' && p[1] == '=' {
			q = thousandths(p[2:])
		}
	}
	for k, t := range types {
		if fit := fits(name, t); fit > exact[k] {
			quality[k], exact[k] = q, fit
		}
	}
}

// fits says how well a media range fits a content type; 0 when it does not.
func fits(name []byte, kind string) int {
	slash := bytes.IndexByte(name, '/')
	switch {
	case slash < 0:
		return 0
	case string(name) == "*/*":
		return 1
	case message.EqualFold(name, kind):
		return 3
	case string(name[slash:]) == "/*" && len(kind) > slash && kind[slash] == '/' && message.EqualFold(name[:slash], kind[:slash]):
		return 2
	}
	return 0
}

// thousandths reads a quality: 0.5 is 500. What is none is 0.
func thousandths(text []byte) int {
	if len(text) == 0 || len(text) > len("0.123") || text[0] != '0' && text[0] != '1' {
		return 0
	}
	n, unit := int(text[0]-'0')*one, one/10
	for i, c := range text[1:] {
		switch {
		case i == 0 && c == '.':
		case i > 0 && '0' <= c && c <= '9':
			n += int(c-'0') * unit
			unit /= 10
		default:
			return 0
		}
	}
	return min(n, one)
}
