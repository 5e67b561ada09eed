package decap

import (
	"encoding/binary"
	"net/netip"
)

// What the programs under test are told.
var (
	addr = netip.MustParseAddr

	self4, self6     = addr("198.18.0.1"), addr("2001:db8::1")
	lb4, lb6         = addr("198.18.0.2"), addr("2001:db8::2")
	peer4, peer6     = addr("198.18.0.3"), addr("2001:db8::3")
	alien4, alien6   = addr("198.18.0.9"), addr("2001:db8::9")
	vip4, vip6       = addr("127.0.0.1"), addr("::1") // where the test has sockets
	other4, other6   = addr("198.18.1.1"), addr("2001:db8:1::1")
	nobody4, nobody6 = netip.IPv4Unspecified(), netip.IPv6Unspecified()
)

// Packets as l4 nodes and clients send them, written here a second time so that
// the program is not tested against itself.

const (
	syn = 0x02
	ack = 0x10
	rst = 0x04
)

func sum(b []byte) uint16 {
	var s uint32
	for ; len(b) > 1; b = b[2:] {
		s += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		s += uint32(b[0]) << 8
	}
	for s>>16 > 0 {
		s = s&0xffff + s>>16
	}
	return ^uint16(s)
}

// ip puts the header of the family of its addresses before a payload.
func ip(src, dst netip.Addr, proto byte, payload []byte) []byte {
	if src.Is4() {
		h := make([]byte, 20, 20+len(payload))
		h[0], h[8], h[9] = 0x45, 64, proto
		binary.BigEndian.PutUint16(h[2:], uint16(20+len(payload)))
		h[6] = 0x40 // DF
		copy(h[12:], src.AsSlice())
		copy(h[16:], dst.AsSlice())
		binary.BigEndian.PutUint16(h[10:], sum(h))
		return append(h, payload...)
	}
	h := make([]byte, 40, 40+len(payload))
	h[0], h[6], h[7] = 0x60, proto, 64
	binary.BigEndian.PutUint16(h[4:], uint16(len(payload)))
	copy(h[8:], src.AsSlice())
	copy(h[24:], dst.AsSlice())
	return append(h, payload...)
}

// segment is a TCP segment; seq, acked and window are those of a handshake's end.
func segment(src, dst netip.AddrPort, flags byte, seq, acked uint32, payload string) []byte {
	h := make([]byte, 20, 20+len(payload))
	binary.BigEndian.PutUint16(h, src.Port())
	binary.BigEndian.PutUint16(h[2:], dst.Port())
	binary.BigEndian.PutUint32(h[4:], seq)
	binary.BigEndian.PutUint32(h[8:], acked)
	h[12], h[13] = 5<<4, flags
	binary.BigEndian.PutUint16(h[14:], 65535)
	h = append(h, payload...)
	pseudo := append(append(append([]byte{}, src.Addr().AsSlice()...), dst.Addr().AsSlice()...), 0, 6, byte(len(h)>>8), byte(len(h)))
	binary.BigEndian.PutUint16(h[16:], sum(append(pseudo, h...)))
	return ip(src.Addr(), dst.Addr(), 6, h)
}

// tcp is a segment of which only the flow matters.
func tcp(src, dst netip.AddrPort, flags byte) []byte { return segment(src, dst, flags, 1, 1, "") }

func udp(src, dst netip.AddrPort, payload []byte) []byte {
	h := make([]byte, 8, 8+len(payload))
	binary.BigEndian.PutUint16(h, src.Port())
	binary.BigEndian.PutUint16(h[2:], dst.Port())
	binary.BigEndian.PutUint16(h[4:], uint16(8+len(payload)))
	return ip(src.Addr(), dst.Addr(), 17, append(h, payload...))
}

// icmp is an error about a packet.
func icmp(src, dst netip.Addr, kind byte, about []byte) []byte {
	proto := byte(1)
	if src.Is6() {
		proto = 58
	}
	return ip(src, dst, proto, append([]byte{kind, 0, 0, 0, 0, 0, 0, 0}, about...))
}

func protoOf(packet []byte) byte {
	if packet[0]>>4 == 4 {
		return 4
	}
	return 41
}

// gue wraps a packet in UDP.
func gue(src, dst netip.Addr, left byte, second netip.Addr, inner []byte) []byte {
	words, kind := byte(2), byte(1)
	if src.Is6() {
		words, kind = 5, 2
	}
	h := []byte{words, protoOf(inner), 0, 0, kind, left, 0, 0}
	h = append(append(h, second.AsSlice()...), inner...)
	return udp(netip.AddrPortFrom(src, 0xc123), netip.AddrPortFrom(dst, 6080), h)
}

// option wraps a packet in IPv6 with a Destination Options header.
func option(src, dst netip.Addr, left byte, second netip.Addr, inner []byte) []byte {
	h := []byte{protoOf(inner), 2, 0x1e, 20, 1, left, 0, 0}
	return ip(src, dst, 60, append(append(h, second.AsSlice()...), inner...))
}

// plain wraps a packet in IP alone.
func plain(src, dst netip.Addr, inner []byte) []byte { return ip(src, dst, protoOf(inner), inner) }

var (
	macFrom = [6]byte{2, 0, 0, 0, 0, 1}
	macTo   = [6]byte{2, 0, 0, 0, 0, 2}
)

// frame puts Ethernet before a packet.
func frame(packet []byte) []byte {
	f := append(append([]byte{}, macTo[:]...), macFrom[:]...)
	if protoOf(packet) == 4 {
		f = append(f, 0x08, 0x00)
	} else {
		f = append(f, 0x86, 0xdd)
	}
	return append(f, packet...)
}
