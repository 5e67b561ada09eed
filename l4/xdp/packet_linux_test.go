package xdp_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"
)

// frame is an Ethernet frame to be built, or as it was read.
type frame struct {
	vlans    []uint16
	src, dst netip.AddrPort
	proto    uint8
	tcpFlags uint8
	ttl      uint8
	options  int    // bytes of IPv4 options, or of an IPv6 destination options header
	fragment uint16 // frag_off of IPv4, or of the IPv6 fragment header; 0 is none
	id       uint32
	payload  []byte
}

var (
	macA = []byte{2, 0, 0, 0, 0, 1} // the router
	macB = []byte{2, 0, 0, 0, 0, 2} // us
)

const (
	tcpFIN = 0x01
	tcpSYN = 0x02
	tcpRST = 0x04
	tcpACK = 0x10
)

// build makes the bytes of the frame, with right checksums.
func (f frame) build() []byte {
	b := append(append([]byte{}, macB...), macA...)
	for _, v := range f.vlans {
		b = append(b, 0x81, 0x00, byte(v>>8), byte(v))
	}
	l4 := f.transport()
	if f.src.Addr().Is4() {
		return append(append(append(b, 0x08, 0x00), f.ip4(len(l4))...), l4...)
	}
	return append(append(append(b, 0x86, 0xdd), f.ip6(len(l4))...), l4...)
}

func (f frame) ip4(payload int) []byte {
	h := make([]byte, 20+f.options)
	h[0] = byte(0x40 | len(h)/4)
	binary.BigEndian.PutUint16(h[2:], uint16(len(h)+payload))
	binary.BigEndian.PutUint16(h[4:], uint16(f.id))
	binary.BigEndian.PutUint16(h[6:], f.fragment)
	h[8], h[9] = f.hops(), f.proto
	s, d := f.src.Addr().As4(), f.dst.Addr().As4()
	copy(h[12:], s[:])
	copy(h[16:], d[:])
	for i := 20; i < len(h); i++ {
		h[i] = 1 // no operation
	}
	binary.BigEndian.PutUint16(h[10:], ^sum(0, h))
	return h
}

func (f frame) ip6(payload int) []byte {
	h := make([]byte, 40)
	h[0] = 0x60
	next := &h[6]
	if f.options > 0 {
		x := make([]byte, f.options)
		x[1] = byte(f.options/8 - 1)
		x[2], x[3] = 1, byte(f.options-4) // PadN
		*next = 60
		h = append(h, x...)
		h[6], next = 60, &h[40]
	}
	if f.fragment > 0 {
		x := make([]byte, 8)
		binary.BigEndian.PutUint16(x[2:], f.fragment)
		binary.BigEndian.PutUint32(x[4:], f.id)
		*next = 44
		at := len(h)
		h = append(h, x...)
		if at > 40 {
			h[40] = 44
		} else {
			h[6] = 44
		}
		h[at] = f.proto
	} else if f.options > 0 {
		h[40] = f.proto
	} else {
		h[6] = f.proto
	}
	binary.BigEndian.PutUint16(h[4:], uint16(len(h)-40+payload))
	h[7] = f.hops()
	s, d := f.src.Addr().As16(), f.dst.Addr().As16()
	copy(h[8:], s[:])
	copy(h[24:], d[:])
	return h
}

func (f frame) hops() uint8 {
	if f.ttl == 0 {
		return 64
	}
	return f.ttl
}

// transport is TCP, UDP, or for anything else the payload with an ICMP checksum.
func (f frame) transport() []byte {
	var h []byte
	at := 2
	switch f.proto {
	case 6:
		h = make([]byte, 20)
		h[12], h[13], at = 0x50, f.tcpFlags, 16
		binary.BigEndian.PutUint32(h[4:], 1000)
		binary.BigEndian.PutUint16(h[14:], 65535)
	case 17:
		h = make([]byte, 8)
		binary.BigEndian.PutUint16(h[4:], uint16(8+len(f.payload)))
		at = 6
	}
	if f.proto == 6 || f.proto == 17 {
		binary.BigEndian.PutUint16(h, f.src.Port())
		binary.BigEndian.PutUint16(h[2:], f.dst.Port())
	}
	if f.fragment&0x1fff != 0 && f.src.Addr().Is4() || f.fragment > 1 && f.src.Addr().Is6() {
		return f.payload // the middle of something
	}
	h = append(h, f.payload...)
	binary.BigEndian.PutUint16(h[at:], ^f.pseudo(h))
	return h
}

// pseudo sums a transport with its pseudo header (RFC 9293, section 3.1).
func (f frame) pseudo(l4 []byte) uint16 {
	if f.proto == 1 {
		return sum(0, l4)
	}
	var p []byte
	p = append(append(p, f.src.Addr().AsSlice()...), f.dst.Addr().AsSlice()...)
	p = binary.BigEndian.AppendUint32(p, uint32(len(l4)))
	p = append(p, 0, 0, 0, f.proto)
	return sum(uint32(sum(0, p)), l4)
}

func sum(s uint32, b []byte) uint16 {
	for ; len(b) > 1; b = b[2:] {
		s += uint32(b[0])<<8 | uint32(b[1])
	}
	if len(b) == 1 {
		s += uint32(b[0]) << 8
	}
	for s > 0xffff {
		s = s&0xffff + s>>16
	}
	return uint16(s)
}

// seen is a packet as a host would read it.
type seen struct {
	frame
	outer   *outer // nil when it came without
	raw     []byte // from the inner IP header on
	fromMAC []byte
	toMAC   []byte
}

// outer is the header that the balancer put before a packet.
type outer struct {
	src, dst netip.Addr
	port     uint16 // source of UDP; 0 when there is none
	second   netip.Addr
	left     uint8
}

// read takes a frame apart; every checksum in it must be right.
func read(t *testing.T, b []byte) seen {
	t.Helper()
	s, err := parse(b)
	if err != nil {
		t.Fatalf("%v in % x", err, b)
	}
	return s
}

func parse(b []byte) (s seen, err error) {
	if len(b) < 14 {
		return s, fmt.Errorf("a frame of %d bytes", len(b))
	}
	s.toMAC, s.fromMAC, b = b[:6], b[6:12], b[12:]
	for len(b) >= 4 && b[0] == 0x81 {
		s.vlans = append(s.vlans, binary.BigEndian.Uint16(b[2:]))
		b = b[4:]
	}
	inner, o, err := unwrap(b[2:])
	if err != nil {
		return s, err
	}
	s.outer, s.raw = o, inner
	return s, s.inside(inner)
}

// unwrap takes the balancer's header off, if there is one.
func unwrap(b []byte) ([]byte, *outer, error) {
	f, l4, err := header(b)
	if err != nil {
		return nil, nil, err
	}
	o := &outer{src: f.src.Addr(), dst: f.dst.Addr()}
	switch {
	case f.proto == 4 || f.proto == 41:
		return l4, o, nil
	case f.proto == 60 && len(l4) >= 24 && l4[2] == 0x1e:
		o.left, o.second = l4[5], netip.AddrFrom16([16]byte(l4[8:24]))
		return l4[24:], o, nil
	case f.proto == 17 && len(l4) >= 16 && binary.BigEndian.Uint16(l4[2:]) == 6080:
		o.port = binary.BigEndian.Uint16(l4)
		if n := int(binary.BigEndian.Uint16(l4[4:])); n != len(l4) {
			return nil, nil, fmt.Errorf("UDP of %d bytes in %d", n, len(l4))
		}
		if u := binary.BigEndian.Uint16(l4[6:]); u != 0 {
			return nil, nil, fmt.Errorf("outer UDP checksum %#x", u)
		}
		words := int(l4[8] & 0x1f)
		private := l4[12 : 12+4*words]
		o.left = private[1]
		if private[0] == 1 && !bytes.Equal(private[4:8], make([]byte, 4)) {
			o.second = netip.AddrFrom4([4]byte(private[4:8]))
		}
		if private[0] == 2 && !bytes.Equal(private[4:20], make([]byte, 16)) {
			o.second = netip.AddrFrom16([16]byte(private[4:20]))
		}
		return l4[12+4*words:], o, nil
	}
	return b, nil, nil
}

// header reads an IP header and what is behind it, cut to its length.
func header(b []byte) (f frame, l4 []byte, err error) {
	if len(b) < 20 {
		return f, nil, fmt.Errorf("IP of %d bytes", len(b))
	}
	if b[0]>>4 == 4 {
		hl, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
		if hl < 20 || total < hl || total > len(b) {
			return f, nil, fmt.Errorf("lengths %d and %d in %d bytes", hl, total, len(b))
		}
		if sum(0, b[:hl]) != 0xffff {
			return f, nil, fmt.Errorf("IPv4 header checksum is wrong")
		}
		f.proto, f.ttl = b[9], b[8]
		f.options, f.fragment = hl-20, binary.BigEndian.Uint16(b[6:])
		f.src = netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[12:16])), 0)
		f.dst = netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[16:20])), 0)
		return f, b[hl:total], nil
	}
	if len(b) < 40 || b[0]>>4 != 6 {
		return f, nil, fmt.Errorf("no IP: % x", b[:20])
	}
	total := 40 + int(binary.BigEndian.Uint16(b[4:]))
	if total > len(b) {
		return f, nil, fmt.Errorf("IPv6 of %d bytes in %d", total, len(b))
	}
	f.proto, f.ttl = b[6], b[7]
	f.src = netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[8:24])), 0)
	f.dst = netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[24:40])), 0)
	return f, b[40:total], nil
}

// inside reads the innermost packet.
func (s *seen) inside(b []byte) error {
	vlans := s.vlans
	f, l4, err := header(b)
	if err != nil {
		return fmt.Errorf("inside: %w", err)
	}
	s.frame = f
	s.vlans = vlans
	s.payload = l4
	whole := f.fragment&0x3fff == 0 || f.src.Addr().Is6()
	if f.proto == 6 && len(l4) >= 20 || f.proto == 17 && len(l4) >= 8 {
		s.src = netip.AddrPortFrom(f.src.Addr(), binary.BigEndian.Uint16(l4))
		s.dst = netip.AddrPortFrom(f.dst.Addr(), binary.BigEndian.Uint16(l4[2:]))
		if f.proto == 6 {
			s.tcpFlags = l4[13]
		}
	}
	if whole && (f.proto == 6 || f.proto == 17 || f.proto == 1 || f.proto == 58) && s.pseudo(l4) != 0xffff {
		return fmt.Errorf("checksum of protocol %d is wrong", f.proto)
	}
	return nil
}
