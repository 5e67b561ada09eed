package cost

import (
	"net/netip"
	"time"
)

// Shape is what packets look like.
type Shape struct {
	VIP netip.AddrPort
	// Flags are those of TCP.
	Flags uint8
	// Flows is how many flows come in turn, a power of two.
	Flows int
	// First is the number of the first, so that flows can be new.
	First int
	// Bytes of each frame; 0 means 64 of data.
	Bytes int
}

// Reading is what a packet cost.
type Reading struct {
	Time time.Duration // by the kernel, for all packets, divided by them
	// Instructions is 0 where the machine does not count them.
	Instructions float64
	// Verdict is what the last packet came to.
	Verdict uint32
}
