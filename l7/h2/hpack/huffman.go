package hpack

import "errors"

var errHuffman = errors.New("huffman code")

const (
	shortMax = 8  // codes of up to this many bits are found by one look
	longMax  = 30 // the longest code
	symbols  = 257
)

// code is what the decoder knows of the Huffman code.
type code struct {
	// short says by the next shortMax bits which octet they begin with, and how
	// many bits it has; none means that the code is longer.
	short [1 << shortMax]struct{ octet, bits uint8 }
	// Of the codes of each length: the first, how many there are, and where
	// their octets begin in order.
	first, count, at [longMax + 1]uint32
	order            [symbols]uint16
}

var huffman = makeCode()

// makeCode lays out a canonical code by its lengths. The end of a string has the
// last of the longest codes, and is never in one (RFC 7541, section 5.2).
func makeCode() *code {
	c := &code{}
	next, at := uint32(0), uint32(0)
	for bits := uint32(1); bits <= longMax; bits++ {
		next <<= 1
		c.first[bits], c.at[bits] = next, at
		for octet, l := range lengths {
			if uint32(l) != bits {
				continue
			}
			c.order[at] = uint16(octet)
			if bits <= shortMax {
				from := next << (shortMax - bits)
				for i := from; i < from+1<<(shortMax-bits); i++ {
					c.short[i].octet, c.short[i].bits = uint8(octet), uint8(bits)
				}
			}
			at++
			next++
		}
		c.count[bits] = next - c.first[bits]
	}
	return c
}

// appendHuffman decodes a string.
func appendHuffman(dst, in []byte) ([]byte, error) {
	var bits uint64 // the next ones, from the highest on
	n := 0          // how many there are
	for {
		for n <= 56 && len(in) > 0 {
			bits |= uint64(in[0]) << (56 - n)
			n += 8
			in = in[1:]
		}
		s := huffman.short[bits>>(64-shortMax)]
		if size := int(s.bits); size > 0 && size <= n {
			dst = append(dst, s.octet)
			bits, n = bits<<size, n-size
			continue
		}
		if n < 8 { // a prefix of the end's code fills up the last octet
			if bits>>(64-n) != 1<<n-1 {
				return dst, errHuffman
			}
			return dst, nil
		}
		octet, size := huffman.long(bits)
		if size == 0 || size > n {
			return dst, errHuffman
		}
		dst = append(dst, octet)
		bits, n = bits<<size, n-size
	}
}

// long finds a code that is longer than shortMax; size is 0 where there is none.
func (c *code) long(bits uint64) (octet byte, size int) {
	for size := shortMax + 1; size <= longMax; size++ {
		value := uint32(bits >> (64 - size))
		if value >= c.first[size] && value-c.first[size] < c.count[size] {
			return byte(c.order[c.at[size]+value-c.first[size]]), size
		}
	}
	return 0, 0
}
