package proxy

import (
	"encoding/binary"
	"hash/crc32"
	"slices"
)

// Passed are extensions that a node in the middle may pass on: those it got, without
// the checksum, which is of another header, and the name that the client asks for
// where there is one and none was told. What would pass most bytes is left out.
func Passed(got []byte, authority string, most int) []byte {
	var tlvs []byte
	named := authority == ""
	for len(got) >= tlvHead {
		size := tlvHead + int(binary.BigEndian.Uint16(got[1:]))
		if size > len(got) {
			break
		}
		if got[0] != tlvCRC32C && len(tlvs)+size <= most {
			tlvs = append(tlvs, got[:size]...)
			named = named || got[0] == tlvAuthority
		}
		got = got[size:]
	}
	if !named && len(tlvs)+tlvHead+len(authority) <= most {
		tlvs = append(tlvs, tlvAuthority)
		tlvs = binary.BigEndian.AppendUint16(tlvs, uint16(len(authority)))
		tlvs = append(tlvs, authority...)
	}
	return tlvs
}

// crcSize is that of the checksum's extension.
const crcSize = tlvHead + 4

// AppendChecked is Append with a checksum over the whole (section 2.2.3).
func AppendChecked(dst []byte, h Header) []byte {
	start := len(dst)
	h.TLVs = append(slices.Clip(h.TLVs), tlvCRC32C, 0, 4, 0, 0, 0, 0)
	dst = Append(dst, h)
	sum := crc32.Checksum(dst[start:], crc32.MakeTable(crc32.Castagnoli))
	binary.BigEndian.PutUint32(dst[len(dst)-4:], sum)
	return dst
}

// PassedMax is how many bytes of extensions fit beside addresses and checksum.
const PassedMax = MaxSize - headSize - tcp6Size - crcSize
