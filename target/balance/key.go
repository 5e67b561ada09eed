package balance

import (
	"net/netip"

	"github.com/zeebo/xxh3"
)

// Key hashes an address and port the same way on every node: xxh3 of the text
// of the address, with an IPv4 address mapped into IPv6 taken as IPv4.
func Key(addr netip.AddrPort) uint64 {
	var buf [64]byte // an address with a zone that is longer is still right, but allocates
	plain := netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())
	return xxh3.Hash(plain.AppendTo(buf[:0]))
}

// Mix derives from key a value of its own for each attempt, alike on every node
// and as evenly spread as key itself is not: a client that the first choice
// failed is sent elsewhere, and different clients to different places.
//
// It is the finalizer of SplitMix64 (Steele, Lea and Flood, "Fast Splittable
// Pseudorandom Number Generators", OOPSLA 2014).
func Mix(key uint64, attempt int) uint64 {
	const golden = 0x9e3779b97f4a7c15
	x := key + (uint64(attempt)+1)*golden
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
