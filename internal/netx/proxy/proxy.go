// Package proxy writes and reads the PROXY protocol: the few bytes
// with which a node in front tells the next one whom a connection is from and
// which address the client connected to.
//
// What comes in are bytes and a Header; what goes out is the other of the two.
// It does no I/O and keeps nothing. Nodes of Portico speak version 2 to each other,
// and Parse refuses the line of text that is version 1; ParseAny takes both, and
// AppendV1 writes one, for clients and targets that know no other.
//
// The protocol is described in HAProxy's doc/proxy-protocol.txt; sections are
// those of its 2020/03/05 revision.
package proxy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"net/netip"
	"strings"
)

// MaxSize bounds a header: what fits the smallest segment every path carries
// (section 2), so that it arrives whole.
const MaxSize = 536

const (
	signature = "\r\n\r\n\x00\r\nQUIT\n" // section 2.2
	headSize  = len(signature) + 4
	v1Prefix  = "PROXY "

	commandLocal = 0x20 // version 2 in the high half
	commandProxy = 0x21

	familyUnspec = 0x00
	familyTCP4   = 0x11
	familyTCP6   = 0x21

	tcp4Size = 4 + 4 + 2 + 2
	tcp6Size = 16 + 16 + 2 + 2

	tlvHead      = 3
	tlvAuthority = 0x02 // section 2.2.2
	tlvCRC32C    = 0x03 // section 2.2.3
	tlvUniqueID  = 0x05 // section 2.2.5
	// tlvReadiness is ours, of the range for own use (section 2.2.8).
	tlvReadiness = 0xE0

	readinessValue = "portico-ready"
)

// ErrVersion1 says that the peer speaks the text version.
var ErrVersion1 = errors.New("PROXY header: version 1 is not taken; send version 2 (HAProxy: send-proxy-v2)")

// Header is what a PROXY header says.
type Header struct {
	// Local says that the sender speaks for itself: the addresses are those of
	// the connection. It is what health checks send.
	Local bool
	// Source is the client, Destination the address it connected to. Both are
	// invalid when the header names none; the connection's own then hold.
	Source, Destination netip.AddrPort
	// Readiness asks an l7 node whether it is ready, on a connection that
	// carries no request.
	Readiness bool
	// TLVs are the other extensions as they stand on the wire: type, length in
	// two bytes, value (section 2.2). Parse leaves them in its buffer, and drops
	// them where Readiness is set. The sender sees to it that the whole does not
	// pass MaxSize.
	TLVs []byte
}

// Append writes the header after dst. Addresses of two families are both
// written as IPv6.
func Append(dst []byte, h Header) []byte {
	start := len(dst)
	dst = append(dst, signature...)
	command, family := byte(commandProxy), byte(familyUnspec)
	if h.Local {
		command = commandLocal
	}
	source, destination := unmap(h.Source), unmap(h.Destination)
	switch {
	case h.Local || !source.IsValid() || !destination.IsValid():
		dst = append(dst, command, family, 0, 0)
	case source.Addr().Is4() && destination.Addr().Is4():
		dst = append(dst, command, familyTCP4, 0, 0)
		from, to := source.Addr().As4(), destination.Addr().As4()
		dst = append(append(dst, from[:]...), to[:]...)
		dst = appendPorts(dst, source, destination)
	default:
		dst = append(dst, command, familyTCP6, 0, 0)
		from, to := source.Addr().As16(), destination.Addr().As16()
		dst = append(append(dst, from[:]...), to[:]...)
		dst = appendPorts(dst, source, destination)
	}
	dst = append(dst, h.TLVs...)
	if h.Readiness {
		dst = append(dst, tlvReadiness, 0, byte(len(readinessValue)))
		dst = append(dst, readinessValue...)
	}
	binary.BigEndian.PutUint16(dst[start+headSize-2:], uint16(len(dst)-start-headSize))
	return dst
}

// AppendReadiness writes the header with which an l4 node asks an l7 node
// whether it is ready.
func AppendReadiness(dst []byte) []byte {
	return Append(dst, Header{Local: true, Readiness: true})
}

func appendPorts(dst []byte, source, destination netip.AddrPort) []byte {
	dst = binary.BigEndian.AppendUint16(dst, source.Port())
	return binary.BigEndian.AppendUint16(dst, destination.Port())
}

func unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// Parse reads the header that buf begins with.
//
//   - n > 0: the header is whole and was n bytes long.
//   - n == 0 without an error: more bytes are needed, never more than MaxSize in all.
//   - an error: this is no header to be believed, and no further byte will mend it.
func Parse(buf []byte) (h Header, n int, err error) {
	if err := checkSignature(buf); err != nil {
		return Header{}, 0, err
	}
	if len(buf) < headSize {
		return Header{}, 0, nil
	}
	command, family := buf[12], buf[13]
	n = headSize + int(binary.BigEndian.Uint16(buf[14:]))
	switch {
	case command>>4 != 2:
		return Header{}, 0, fmt.Errorf("PROXY header: version %d; want 2", command>>4)
	case command != commandLocal && command != commandProxy:
		return Header{}, 0, fmt.Errorf("PROXY header: unknown command %d", command&0x0f)
	case n > MaxSize:
		return Header{}, 0, fmt.Errorf("PROXY header: %d bytes long; at most %d are taken", n, MaxSize)
	case len(buf) < n:
		return Header{}, 0, nil
	}
	h.Local = command == commandLocal
	if h.Local && family != familyUnspec {
		return h, n, nil // the whole block is to be discarded (section 2.2)
	}
	rest, err := h.parseAddresses(family, buf[headSize:n])
	if err == nil {
		err = h.parseTLVs(buf[:n], rest)
	}
	if err != nil {
		return Header{}, 0, err
	}
	return h, n, nil
}

// checkSignature refuses what can no longer become a header.
func checkSignature(buf []byte) error {
	head := string(buf[:min(len(buf), len(signature))])
	switch {
	case strings.HasPrefix(signature, head):
		return nil
	case strings.HasPrefix(head, v1Prefix):
		return ErrVersion1
	case strings.HasPrefix(v1Prefix, head):
		return nil // wait, to say which version it is
	}
	return errors.New("PROXY header: the connection does not begin with one")
}

// parseAddresses reads the address block and returns what follows it.
func (h *Header) parseAddresses(family byte, block []byte) (rest []byte, err error) {
	var size int
	switch family {
	case familyUnspec:
		return block, nil
	case familyTCP4:
		size = tcp4Size
	case familyTCP6:
		size = tcp6Size
	default:
		return nil, fmt.Errorf("PROXY header: address family and protocol 0x%02x; want TCP over IPv4 (0x11) or IPv6 (0x21)", family)
	}
	if len(block) < size {
		return nil, fmt.Errorf("PROXY header: %d bytes of addresses; want %d", len(block), size)
	}
	width := (size - 4) / 2
	source, _ := netip.AddrFromSlice(block[:width])
	destination, _ := netip.AddrFromSlice(block[width : 2*width])
	ports := block[2*width:]
	h.Source = netip.AddrPortFrom(source.Unmap(), binary.BigEndian.Uint16(ports))
	h.Destination = netip.AddrPortFrom(destination.Unmap(), binary.BigEndian.Uint16(ports[2:]))
	return block[size:], nil
}

// parseTLVs walks the extensions at the end of the header; their lengths must
// add up, and a checksum must hold.
func (h *Header) parseTLVs(whole, tlvs []byte) error {
	h.TLVs = tlvs
	for at := len(whole) - len(tlvs); at < len(whole); {
		if len(whole)-at < tlvHead {
			return errors.New("PROXY header: an extension is cut short")
		}
		kind, start := whole[at], at+tlvHead
		at = start + int(binary.BigEndian.Uint16(whole[start-2:]))
		if at > len(whole) {
			return errors.New("PROXY header: an extension is longer than the header")
		}
		switch kind {
		case tlvCRC32C:
			if !checksumHolds(whole, start, at) {
				return errors.New("PROXY header: the checksum does not match")
			}
		case tlvReadiness:
			if h.Local && string(whole[start:at]) == readinessValue {
				h.Readiness = true
			}
		}
	}
	if h.Readiness {
		h.TLVs = nil
	}
	return nil
}

// checksumHolds computes CRC-32C over the whole header with the checksum's own
// bytes taken for zero (section 2.2.3).
func checksumHolds(whole []byte, start, end int) bool {
	var zero [4]byte
	if end-start != len(zero) {
		return false
	}
	table := crc32.MakeTable(crc32.Castagnoli)
	crc := crc32.Update(0, table, whole[:start])
	crc = crc32.Update(crc, table, zero[:])
	crc = crc32.Update(crc, table, whole[end:])
	return crc == binary.BigEndian.Uint32(whole[start:])
}
