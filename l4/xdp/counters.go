package xdp

import (
	"net/netip"

	"portico/spec"
)

// Traffic is what clients sent.
type Traffic struct {
	Packets uint64
	Bytes   uint64 // from the IP header on
	Flows   uint64 // that were learned
}

// ListenerCounters are those of one listener.
type ListenerCounters struct {
	Traffic
	Events map[Event]uint64
}

// Counters are what the kernel counted. They begin anew when maps do.
type Counters struct {
	Listeners map[spec.ListenerName]ListenerCounters
	Targets   map[netip.AddrPort]Traffic
	// Events are those of packets that belong to no listener.
	Events map[Event]uint64
}
