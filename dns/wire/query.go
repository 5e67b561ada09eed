package wire

import "encoding/binary"

// What a query may hold at most.
const (
	HeaderLen = 12
	NameMax   = 255 // RFC 1035, section 2.3.4, with the byte of the root
	labelMax  = 63
	// recordsMax bounds the records behind the question: an OPT, a signature
	// that is ignored, the SOA of an IXFR.
	recordsMax = 8
)

// Sizes of a reply over UDP.
const (
	// SizeMin is what every client takes (RFC 1035, section 2.3.4).
	SizeMin = 512
	// SizeMax is what we send at most and say we take: it crosses the networks
	// there are without fragments.
	SizeMax = 1232
	// SizeMaxTCP is what the two bytes of a frame's length can say.
	SizeMaxTCP = 65535
)

// The types and classes that the reader itself must know.
const (
	TypeIXFR = 251
	TypeAXFR = 252
	TypeANY  = 255
	ClassIN  = 1

	typeOPT = 41
)

// Bits of the header's second pair of bytes.
const (
	flagQR     = 1 << 15
	flagAA     = 1 << 10
	flagTC     = 1 << 9
	flagRD     = 1 << 8
	flagCD     = 1 << 4
	opcodeBits = 0xf << 11
)

// doBit says that the client takes DNSSEC (RFC 3225).
const doBit = 1 << 15

// Outcome is what became of reading a message.
type Outcome uint8

// The outcomes of Parse.
const (
	Drop    Outcome = iota // no reply is due: no header, or itself a reply
	Broken                 // FORMERR
	NoSuch                 // NOTIMP: another opcode than QUERY
	BadEDNS                // BADVERS: a version of EDNS above ours
	Good                   // a query
)

// Query is one question as it was asked. It refers to the message it was read
// from, and may be used again for the next.
type Query struct {
	ID          uint16
	Type, Class uint16
	// EDNS says that an OPT record came along, so that one is due (RFC 6891).
	EDNS bool

	flags    uint16
	size     uint16
	do       bool
	question []byte // name, type and class as they were sent
	nameLen  int
	key      [NameMax]byte
}

// Key is the name in wire format and lower case. It is valid until the next Parse.
func (q *Query) Key() []byte { return q.key[:q.nameLen] }

// Limit is how long a reply over UDP may be.
func (q *Query) Limit() int {
	if !q.EDNS {
		return SizeMin
	}
	return int(min(max(q.size, SizeMin), SizeMax))
}

// Parse reads a message as a query. It is strict: a message with anything but
// one question, with records where a query has none, or with bytes left over is
// Broken. After Drop nothing of q may be used; after Broken and NoSuch only
// AppendError may be called.
func (q *Query) Parse(msg []byte) Outcome {
	if len(msg) < HeaderLen {
		return Drop
	}
	q.ID = binary.BigEndian.Uint16(msg)
	q.flags = binary.BigEndian.Uint16(msg[2:])
	q.EDNS, q.do, q.size, q.question = false, false, 0, nil
	if q.flags&flagQR != 0 {
		return Drop
	}
	if q.flags&opcodeBits != 0 {
		return NoSuch
	}
	if binary.BigEndian.Uint16(msg[4:]) != 1 { // RFC 9619
		return Broken
	}
	off, ok := q.readQuestion(msg)
	if !ok {
		return Broken
	}
	return q.readRecords(msg, off)
}

// readQuestion returns where the question ends. Nothing stands before its name,
// so it cannot be compressed.
func (q *Query) readQuestion(msg []byte) (int, bool) {
	off, n := HeaderLen, 0
	for {
		if off >= len(msg) {
			return 0, false
		}
		label := int(msg[off])
		if label > labelMax || n+1+label >= NameMax && label > 0 || off+1+label > len(msg) {
			return 0, false
		}
		q.key[n] = byte(label)
		for i, c := range msg[off+1 : off+1+label] {
			q.key[n+1+i] = lower(c)
		}
		off += 1 + label
		n += 1 + label
		if label == 0 {
			break
		}
	}
	if off+4 > len(msg) {
		return 0, false
	}
	q.nameLen = n
	q.Type = binary.BigEndian.Uint16(msg[off:])
	q.Class = binary.BigEndian.Uint16(msg[off+2:])
	q.question = msg[HeaderLen : off+4]
	return off + 4, true
}

// readRecords walks what stands behind the question and takes in the OPT.
func (q *Query) readRecords(msg []byte, off int) Outcome {
	answers := int(binary.BigEndian.Uint16(msg[6:]))
	authority := int(binary.BigEndian.Uint16(msg[8:]))
	additional := int(binary.BigEndian.Uint16(msg[10:]))
	// An IXFR names the serial it has in the authority section (RFC 1995).
	if answers != 0 || authority != 0 && q.Type != TypeIXFR || authority+additional > recordsMax {
		return Broken
	}
	out := Good
	for i := range authority + additional {
		name := off
		off = skipName(msg, off)
		if off < 0 || off+10 > len(msg) {
			return Broken
		}
		rr := msg[off:]
		rdlen := int(binary.BigEndian.Uint16(rr[8:]))
		off += 10 + rdlen
		if off > len(msg) {
			return Broken
		}
		if i < authority || binary.BigEndian.Uint16(rr) != typeOPT {
			continue
		}
		if q.EDNS || msg[name] != 0 { // one OPT, of the root: RFC 6891, section 6.1.1
			return Broken
		}
		if !optionsOK(rr[10 : 10+rdlen]) {
			return Broken
		}
		q.EDNS = true
		q.size = binary.BigEndian.Uint16(rr[2:])
		q.do = binary.BigEndian.Uint16(rr[6:])&doBit != 0
		if rr[5] != 0 {
			out = BadEDNS
		}
	}
	if off != len(msg) {
		return Broken
	}
	return out
}

// skipName returns where the name at off ends, or -1. A pointer ends a name, and
// where it points is of no interest.
func skipName(msg []byte, off int) int {
	for n := 0; off < len(msg); {
		label := int(msg[off])
		switch {
		case label == 0:
			return off + 1
		case label&0xc0 == 0xc0:
			if off+2 > len(msg) {
				return -1
			}
			return off + 2
		case label > labelMax:
			return -1
		}
		off += 1 + label
		if n += 1 + label; n >= NameMax {
			return -1
		}
	}
	return -1
}

// optionsOK reports whether the options of an OPT fill it exactly.
func optionsOK(data []byte) bool {
	for len(data) > 0 {
		if len(data) < 4 {
			return false
		}
		n := 4 + int(binary.BigEndian.Uint16(data[2:]))
		if n > len(data) {
			return false
		}
		data = data[n:]
	}
	return true
}

// lower is the lower case of an ASCII letter (RFC 4343).
func lower(c byte) byte {
	if c-'A' <= 'Z'-'A' {
		return c + 'a' - 'A'
	}
	return c
}
