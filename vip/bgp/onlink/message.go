package onlink

import (
	"net"
	"net/netip"
)

// The types of RFC 4861, section 4, and what they have in common.
const (
	typeSolicitation  = 133
	typeAdvertisement = 134

	hopLimit = 255 // of all messages; less came through a router
)

// The least that the messages have, in bytes, and the options that may follow.
const (
	solicitationMin  = 8
	advertisementMin = 16
	optionUnit       = 8 // lengths of options are counted in these
	optionSourceMAC  = 1
)

// advertisement says that this node is there, and no router for anybody: every
// lifetime and timer is zero, which for a timer means that it says nothing.
func advertisement(mac net.HardwareAddr) []byte {
	b := make([]byte, advertisementMin)
	b[0] = typeAdvertisement
	return withMAC(b, mac)
}

// solicitation asks routers to advertise themselves now.
func solicitation(mac net.HardwareAddr) []byte {
	b := make([]byte, solicitationMin)
	b[0] = typeSolicitation
	return withMAC(b, mac)
}

// withMAC adds the option with our address of the link layer, where it is Ethernet's.
func withMAC(b []byte, mac net.HardwareAddr) []byte {
	if len(mac) != 6 {
		return b
	}
	return append(append(b, optionSourceMAC, 1), mac...)
}

// isRouter reports whether a message that was read from the link is the advertisement
// of a router: RFC 4861, section 6.1.2. The kernel has checked its checksum.
func isRouter(message []byte, hops int, from netip.Addr) bool {
	if hops != hopLimit || !from.Is6() || !from.IsLinkLocalUnicast() {
		return false
	}
	if len(message) < advertisementMin || message[0] != typeAdvertisement || message[1] != 0 {
		return false
	}
	for options := message[advertisementMin:]; len(options) > 0; {
		if len(options) < 2 {
			return false
		}
		length := int(options[1]) * optionUnit
		if length == 0 || length > len(options) {
			return false
		}
		options = options[length:]
	}
	return true
}
