// Package frame is the frames of HTTP/2: their heads, as bytes and back.
//
// What comes in: bytes. What goes out: what they say. Whether that is allowed where it
// stands is not decided here.
//
// Start reading at Head.
package frame

import "encoding/binary"

// Kind is the type of a frame (RFC 9113, section 6).
type Kind uint8

// The kinds.
const (
	Data Kind = iota
	Headers
	Priority
	Reset
	Settings
	Push
	Ping
	GoAway
	Window
	Continuation
)

// Flags of frames.
const (
	FlagEnd        = 0x1 // END_STREAM of DATA and HEADERS
	FlagAck        = 0x1 // of SETTINGS and PING
	FlagEndHeaders = 0x4
	FlagPadded     = 0x8
	FlagPriority   = 0x20
)

// Sizes and bounds.
const (
	HeadSize = 9
	// Max is how large a frame may be, both ways: the least that every peer
	// takes. Larger ones save nothing that counts and hold others up.
	Max       = 16 << 10
	WindowMax = 1<<31 - 1
	IDMax     = 1<<31 - 1
	// WindowStart is every window before settings change it.
	WindowStart = 1<<16 - 1
)

// Preface is what a client sends first.
const Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// Head is the head of one.
type Head struct {
	Size   int
	Kind   Kind
	Flags  uint8
	Stream uint32
}

// Parse reads a head.
func Parse(b *[HeadSize]byte) Head {
	return Head{
		Size:   int(b[0])<<16 | int(b[1])<<8 | int(b[2]),
		Kind:   Kind(b[3]),
		Flags:  b[4],
		Stream: binary.BigEndian.Uint32(b[5:]) & IDMax,
	}
}

// Has reports whether a flag is set.
func (f *Head) Has(flag uint8) bool { return f.Flags&flag != 0 }

// Append writes a head.
func Append(dst []byte, size int, k Kind, flags uint8, stream uint32) []byte {
	return append(dst, byte(size>>16), byte(size>>8), byte(size), byte(k), flags,
		byte(stream>>24), byte(stream>>16), byte(stream>>8), byte(stream))
}

// AppendWord writes a frame whose payload is one number.
func AppendWord(dst []byte, k Kind, stream, n uint32) []byte {
	return binary.BigEndian.AppendUint32(Append(dst, 4, k, 0, stream), n)
}
