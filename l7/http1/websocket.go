package http1

import (
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
)

// acceptGUID is what the proof appends to the key (RFC 6455, section 1.3).
const acceptGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// AppendAccept appends the value of Sec-WebSocket-Accept, the proof that the key of
// a request for a WebSocket was read (RFC 6455, section 4.2.2). SHA-1 is what the
// protocol names; nothing here is secret.
func AppendAccept(dst, key []byte) []byte {
	var b [64 + len(acceptGUID)]byte
	in := append(append(b[:0], key...), acceptGUID...)
	sum := sha1.Sum(in)
	return base64.StdEncoding.AppendEncode(dst, sum[:])
}

// WebSocketKey makes a key for such a request of two numbers that nobody drew before.
func WebSocketKey(a, b uint64) (key [24]byte) {
	raw := binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, a), b)
	base64.StdEncoding.Encode(key[:], raw)
	return key
}
