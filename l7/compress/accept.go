package compress

import (
	"bytes"

	"portico/l7/message"
)

// Encoding is a content coding (RFC 9110, section 8.4.1).
type Encoding uint8

// The encodings. None leaves a body as it is.
const (
	None Encoding = iota
	Gzip
	Brotli
	Zstd
	encodings
)

// String is the encoding's name in Content-Encoding and Accept-Encoding.
func (e Encoding) String() string {
	switch e {
	case Gzip:
		return "gzip"
	case Brotli:
		return "br"
	case Zstd:
		return "zstd"
	default:
		return "identity"
	}
}

// Parse returns the encoding of a name in lower case.
func Parse(name string) (Encoding, bool) {
	for e := range encodings {
		if e.String() == name {
			return e, true
		}
	}
	return None, false
}

// unsaid is the weight of an encoding that a client did not name.
const unsaid = -1

// weights are what a client says of encodings, in thousandths.
type weights struct {
	of   [encodings]int
	rest int // of those it did not name, by "*"
}

// Negotiate chooses among offered encodings, the first preferred, by what a client
// says in Accept-Encoding: the one it weighs highest, unless it prefers none. A
// client that says nothing gets none (RFC 9110, section 12.5.3).
func Negotiate(fields []message.Field, offered []Encoding) Encoding {
	w := weights{rest: unsaid}
	for i := range w.of {
		w.of[i] = unsaid
	}
	for _, f := range fields {
		if message.EqualFold(f.Name, "accept-encoding") {
			w.read(f.Value)
		}
	}
	best, most := None, max(w.of[None], 0)
	for _, e := range offered {
		weight := w.of[e]
		if weight == unsaid {
			weight = w.rest
		}
		if weight > 0 && (weight > most || best == None && weight == most) {
			best, most = e, weight
		}
	}
	return best
}

// read takes one line of Accept-Encoding. What it cannot read it leaves out.
func (w *weights) read(line []byte) {
	for len(line) > 0 {
		var item []byte
		item, line, _ = bytes.Cut(line, comma)
		name, params, _ := bytes.Cut(item, semicolon)
		weight, ok := weightOf(params)
		if !ok {
			continue
		}
		switch name = bytes.Trim(name, " \t"); {
		case string(name) == "*":
			w.rest = weight
		case message.EqualFold(name, "x-gzip"): // RFC 9110, section 8.4.1.3
			w.of[Gzip] = weight
		default:
			for e := range encodings {
				if message.EqualFold(name, e.String()) {
					w.of[e] = weight
				}
			}
		}
	}
}

var comma, semicolon = []byte(","), []byte(";")

// weightOf reads "q=0.5" as 500 thousandths (RFC 9110, section 12.4.2); without
// it the weight is 1.
func weightOf(params []byte) (int, bool) {
	params = bytes.Trim(params, " \t")
	if len(params) == 0 {
		return 1000, true
	}
	if len(params) < 3 || params[0]|0x20 != 'q' || params[1] != '=' {
		return 0, false
	}
	digits := params[2:]
	if len(digits) > len("0.000") || len(digits) > 1 && digits[1] != '.' || digits[0] != '0' && digits[0] != '1' {
		return 0, false
	}
	weight := int(digits[0]-'0') * 1000
	scale := 100
	for i := 2; i < len(digits); i++ {
		if digits[i] < '0' || digits[i] > '9' {
			return 0, false
		}
		weight += int(digits[i]-'0') * scale
		scale /= 10
	}
	return weight, weight <= 1000
}
