package wire

import "encoding/binary"

// RCode is the outcome that a reply tells.
type RCode uint16

// The outcomes there are for us (RFC 1035, section 4.1.1; BADVERS: RFC 6891,
// section 9).
const (
	Success  RCode = 0
	FormErr  RCode = 1
	ServFail RCode = 2
	NXDomain RCode = 3
	NotImp   RCode = 4
	Refused  RCode = 5
	BadVers  RCode = 16
)

var rcodeNames = map[RCode]string{
	Success: "NOERROR", FormErr: "FORMERR", ServFail: "SERVFAIL", NXDomain: "NXDOMAIN",
	NotImp: "NOTIMP", Refused: "REFUSED", BadVers: "BADVERS",
}

// String is the name of the registry.
func (r RCode) String() string { return rcodeNames[r] }

// Tail is all of a reply that is known before the query comes: the sections
// behind the question. Names in it may point to the question, which starts at
// byte 12, so a Tail that does fits only the name it was packed for.
type Tail struct {
	RCode RCode
	AA    bool // the answer has authority
	// Bytes are the packed records of the three sections.
	Bytes []byte
	// Counts are the numbers of records: answer, authority, additional.
	Counts [3]uint16
	// Need is how many of Bytes must arrive. What follows are additional records
	// that are left out where space is short, without a mark (RFC 2181, section 9).
	Need int
}

// optLen is the length of the OPT of a reply: no options.
const optLen = 11

// AppendReply appends to dst the reply that t makes to the query, at most limit
// bytes. Where that is too little, the sections are empty and cut is true: the
// client asks again over TCP.
func (q *Query) AppendReply(dst []byte, t *Tail, limit int) (reply []byte, cut bool) {
	flags := flagQR | q.flags&(flagRD|flagCD) | uint16(t.RCode&0xf)
	if t.AA {
		flags |= flagAA
	}
	body, counts := t.Bytes, t.Counts
	room := limit - HeaderLen - len(q.question)
	if q.EDNS {
		room -= optLen
	}
	if len(body) > room {
		body, counts[2] = t.Bytes[:t.Need], 0
		if cut = len(body) > room; cut {
			body, counts = nil, [3]uint16{}
			flags |= flagTC
		}
	}
	if q.EDNS {
		counts[2]++
	}
	dst = appendHeader(dst, q.ID, flags, 1, counts)
	dst = append(dst, q.question...)
	dst = append(dst, body...)
	if q.EDNS {
		dst = q.appendOPT(dst, t.RCode)
	}
	return dst, cut
}

// AppendError appends a reply that is a header and nothing else, for a message
// of which no more was understood.
func (q *Query) AppendError(dst []byte, r RCode) []byte {
	flags := flagQR | q.flags&(opcodeBits|flagRD) | uint16(r&0xf)
	return appendHeader(dst, q.ID, flags, 0, [3]uint16{})
}

func appendHeader(dst []byte, id, flags, questions uint16, counts [3]uint16) []byte {
	dst = binary.BigEndian.AppendUint16(dst, id)
	dst = binary.BigEndian.AppendUint16(dst, flags)
	dst = binary.BigEndian.AppendUint16(dst, questions)
	for _, n := range counts {
		dst = binary.BigEndian.AppendUint16(dst, n)
	}
	return dst
}

// appendOPT says what we take and the upper bits of the outcome, in version 0.
func (q *Query) appendOPT(dst []byte, r RCode) []byte {
	var do byte
	if q.do {
		do = doBit >> 8
	}
	return append(dst,
		0, 0, typeOPT, SizeMax>>8, SizeMax&0xff,
		byte(r>>4), 0, do, 0,
		0, 0)
}
