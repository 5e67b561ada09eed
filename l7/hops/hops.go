// Package hops finds out who the client of a request is, where proxies stand in
// between (X-Forwarded-For).
//
// What comes in: what a field says, and who is trusted. What goes out: an address.
// The field is hostile until a trusted proxy wrote it. Start reading at Client.
package hops

import (
	"bytes"
	"net/netip"
)

// hopsMax bounds how many proxies X-Forwarded-For is followed through.
const hopsMax = 32

// Trusts reports whether an address is one of the proxies.
func Trusts(proxies []netip.Prefix, a netip.Addr) bool {
	for _, p := range proxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// Client walks X-Forwarded-For from the right, where the nearest proxy wrote, to
// the first address that is no trusted proxy; what stands to the left of it may
// be anyone's invention. An entry that is no address ends the walk.
func Client(chain []byte, peer netip.AddrPort, proxies []netip.Prefix) netip.AddrPort {
	at := peer
	for range hopsMax {
		i := bytes.LastIndexByte(chain, ',')
		addr, ok := Hop(bytes.Trim(chain[i+1:], " \t"))
		if !ok {
			return at
		}
		at = addr
		if i < 0 || !Trusts(proxies, addr.Addr()) {
			return at
		}
		chain = chain[:i]
	}
	return at
}

// Hop reads one entry: an address, with a port or without; IPv6 with a port is
// in brackets.
func Hop(entry []byte) (netip.AddrPort, bool) {
	const longest = len("[0000:0000:0000:0000:0000:ffff:255.255.255.255]:65535")
	if len(entry) == 0 || len(entry) > longest {
		return netip.AddrPort{}, false
	}
	s := string(entry)
	if s[0] == '[' && s[len(s)-1] == ']' {
		s = s[1 : len(s)-1]
	}
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.AddrPortFrom(a.Unmap(), 0), a.Zone() == ""
	}
	ap, err := netip.ParseAddrPort(s)
	if err != nil || ap.Addr().Zone() != "" {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()), true
}
