package h2

import "encoding/binary"

// kind is the type of a frame (RFC 9113, section 6).
type kind uint8

const (
	frameData kind = iota
	frameHeaders
	framePriority
	frameReset
	frameSettings
	framePush
	framePing
	frameGoAway
	frameWindow
	frameContinuation
)

// Flags of frames.
const (
	flagEnd        = 0x1 // END_STREAM of DATA and HEADERS
	flagAck        = 0x1 // of SETTINGS and PING
	flagEndHeaders = 0x4
	flagPadded     = 0x8
	flagPriority   = 0x20
)

const (
	headSize = 9
	// frameMax is how large a frame may be, both ways: the least that every peer
	// takes. Larger ones save nothing that counts and hold others up.
	frameMax  = 16 << 10
	windowMax = 1<<31 - 1
	idMax     = 1<<31 - 1
	// windowStart is every window before settings change it.
	windowStart = 1<<16 - 1
)

// preface is what a client sends first.
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// Preface is what a client that knows beforehand to speak HTTP/2 sends first.
const Preface = preface

// frame is the head of one.
type frame struct {
	size   int
	kind   kind
	flags  uint8
	stream uint32
}

func parseFrame(b *[headSize]byte) frame {
	return frame{
		size:   int(b[0])<<16 | int(b[1])<<8 | int(b[2]),
		kind:   kind(b[3]),
		flags:  b[4],
		stream: binary.BigEndian.Uint32(b[5:]) & idMax,
	}
}

func (f *frame) has(flag uint8) bool { return f.flags&flag != 0 }

func appendFrame(dst []byte, size int, k kind, flags uint8, stream uint32) []byte {
	return append(dst, byte(size>>16), byte(size>>8), byte(size), byte(k), flags,
		byte(stream>>24), byte(stream>>16), byte(stream>>8), byte(stream))
}

// appendWord writes a frame whose payload is one number.
func appendWord(dst []byte, k kind, stream, n uint32) []byte {
	return binary.BigEndian.AppendUint32(appendFrame(dst, 4, k, 0, stream), n)
}
