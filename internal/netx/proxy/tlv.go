package proxy

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"iter"
	"slices"
)

// uniqueIDMax is the longest id of a connection (section 2.2.5).
const uniqueIDMax = 128

// all goes through extensions, until one is cut short; whole is with type and length.
func all(tlvs []byte) iter.Seq2[byte, []byte] {
	return func(yield func(kind byte, whole []byte) bool) {
		for len(tlvs) >= tlvHead {
			size := tlvHead + int(binary.BigEndian.Uint16(tlvs[1:]))
			if size > len(tlvs) || !yield(tlvs[0], tlvs[:size]) {
				return
			}
			tlvs = tlvs[size:]
		}
	}
}

// Passed are extensions that a node in the middle may pass on: those it got, without
// the checksum, which is of another header, and the name that the client asks for
// where there is one and none was told. What would pass most bytes is left out.
func Passed(got []byte, authority string, most int) []byte {
	var tlvs []byte
	named := authority == ""
	for kind, whole := range all(got) {
		if kind != tlvCRC32C && len(tlvs)+len(whole) <= most {
			tlvs = append(tlvs, whole...)
			named = named || kind == tlvAuthority
		}
	}
	if !named {
		tlvs = appendFitting(tlvs, tlvAuthority, authority, most)
	}
	return tlvs
}

// appendFitting adds an extension, unless there would be too many bytes then.
func appendFitting(tlvs []byte, kind byte, value string, most int) []byte {
	if len(tlvs)+tlvHead+len(value) > most {
		return tlvs
	}
	tlvs = binary.BigEndian.AppendUint16(append(tlvs, kind), uint16(len(value)))
	return append(tlvs, value...)
}

// Identified are extensions with an id of the connection: fresh, unless there is one
// of whoever was before. The id is told as logs write it: in hexadecimal digits where
// it is no text. It is empty where there is no room for one.
func Identified(tlvs []byte, fresh string, most int) (with []byte, id string) {
	for kind, whole := range all(tlvs) {
		if value := whole[tlvHead:]; kind == tlvUniqueID && len(value) > 0 && len(value) <= uniqueIDMax {
			if bytes.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r > '~' }) {
				return tlvs, hex.EncodeToString(value)
			}
			return tlvs, string(value)
		}
	}
	if with = appendFitting(tlvs, tlvUniqueID, fresh, most); len(with) == len(tlvs) {
		return tlvs, ""
	}
	return with, fresh
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
