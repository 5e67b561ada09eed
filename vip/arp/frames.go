package arp

import (
	"encoding/binary"
	"net"
	"net/netip"
)

// The frames that tell a link of an address, from the Ethernet header on.
const (
	etherARP  = 0x0806
	etherIPv6 = 0x86dd
)

// frames are what tells everybody on a link that an address is at a MAC now.
func frames(a netip.Addr, mac net.HardwareAddr) [][]byte {
	if a.Is4() {
		return [][]byte{gratuitous(a, mac, 1), gratuitous(a, mac, 2)}
	}
	return [][]byte{advertisement(a, mac)}
}

// gratuitous is an ARP request (op 1) or reply (op 2) of an address about itself.
// Some hosts and switches heed only the one (RFC 5227, section 3), some the other.
func gratuitous(a netip.Addr, mac net.HardwareAddr, op uint16) []byte {
	broadcast := net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	b := ethernet(broadcast, mac, etherARP)
	b = append(b, 0, 1, 8, 0, 6, 4) // Ethernet and IPv4 (RFC 826)
	b = binary.BigEndian.AppendUint16(b, op)
	b = append(b, mac...)
	b = append(b, a.AsSlice()...)
	if op == 1 {
		b = append(b, make([]byte, 6)...)
	} else {
		b = append(b, broadcast...)
	}
	return append(b, a.AsSlice()...)
}

// advertisement is an unsolicited neighbor advertisement to all nodes, with the
// override flag, so that caches take it (RFC 4861, section 7.2.6).
func advertisement(a netip.Addr, mac net.HardwareAddr) []byte {
	allNodes := netip.MustParseAddr("ff02::1")
	const (
		icmpv6   = 58
		kind     = 136 // neighbor advertisement
		override = 0x20
		hopLimit = 255 // else it is not taken: it may have come through a router
	)
	body := []byte{kind, 0, 0, 0, override, 0, 0, 0}
	body = append(body, a.AsSlice()...)
	body = append(body, 2, 1) // the option with our MAC, in units of 8 bytes
	body = append(body, mac...)
	binary.BigEndian.PutUint16(body[2:], checksum(a, allNodes, icmpv6, body))

	b := ethernet(net.HardwareAddr{0x33, 0x33, 0, 0, 0, 1}, mac, etherIPv6)
	b = append(b, 0x60, 0, 0, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(len(body)))
	b = append(b, icmpv6, hopLimit)
	b = append(b, a.AsSlice()...)
	b = append(b, allNodes.AsSlice()...)
	return append(b, body...)
}

func ethernet(to, from net.HardwareAddr, kind uint16) []byte {
	b := append([]byte(nil), to...)
	b = append(b, from...)
	return binary.BigEndian.AppendUint16(b, kind)
}

// checksum is that of a body of IPv6 with its pseudo-header (RFC 8200, section 8.1).
func checksum(from, to netip.Addr, proto byte, body []byte) uint16 {
	b := append(from.AsSlice(), to.AsSlice()...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(body)))
	b = append(b, 0, 0, 0, proto)
	b = append(b, body...)
	if len(b)%2 == 1 {
		b = append(b, 0)
	}
	var sum uint32
	for i := 0; i < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
