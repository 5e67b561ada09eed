package l4

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
)

// Proto is the protocol of a flow, by its number in an IP header.
type Proto uint8

// The protocols that flows have.
const (
	TCP Proto = 6
	UDP Proto = 17
)

// Tuple is what a flow is known by.
type Tuple struct {
	Proto  Proto
	Client netip.AddrPort
	VIP    netip.AddrPort // the address and port the client sends to
}

// Hash is the number that decides the flow's slot, the same on every node and in
// the kernel (l4/xdp/bpf), which takes the words of an address as it loads them on
// a little-endian machine. Changed, it would move the flows of every node that is
// not upgraded yet.
func (t Tuple) Hash() uint32 {
	return t.hash(uint32(bits.ReverseBytes16(t.Client.Port())) | uint32(bits.ReverseBytes16(t.VIP.Port()))<<16)
}

// HashSource is Hash for listeners that keep all flows of a client on one target:
// without the ports.
func (t Tuple) HashSource() uint32 { return t.hash(0) }

const (
	seedAddress = 0xdeadbeef
	seedProto   = 0x9e3779b9
)

func (t Tuple) hash(ports uint32) uint32 {
	from, to := t.Client.Addr().Unmap(), t.VIP.Addr().Unmap()
	if from.Is4() && to.Is4() {
		s, d := from.As4(), to.As4()
		return mix3(word(s[:])^seedAddress, word(d[:])^ports, uint32(t.Proto)+seedProto)
	}
	s, d := from.As16(), to.As16()
	h := mix3(word(s[0:])^word(s[4:])^seedAddress, word(s[8:])^ports, word(s[12:])+seedProto)
	rest := word(d[0:]) ^ bits.RotateLeft32(word(d[4:]), 8) ^ bits.RotateLeft32(word(d[8:]), 16) ^ word(d[12:])
	return mix3(h, rest, uint32(t.Proto))
}

func word(b []byte) uint32 { return binary.LittleEndian.Uint32(b) }

// mix3 is the last step of Bob Jenkins' lookup3, which the kernel has as
// __jhash_final.
func mix3(a, b, c uint32) uint32 {
	c ^= b
	c -= bits.RotateLeft32(b, 14)
	a ^= c
	a -= bits.RotateLeft32(c, 11)
	b ^= a
	b -= bits.RotateLeft32(a, 25)
	c ^= b
	c -= bits.RotateLeft32(b, 16)
	a ^= c
	a -= bits.RotateLeft32(c, 4)
	b ^= a
	b -= bits.RotateLeft32(a, 14)
	c ^= b
	c -= bits.RotateLeft32(b, 24)
	return c
}
