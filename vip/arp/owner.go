package arp

import (
	"context"
	"net/netip"
	"time"

	"portico/spec"
)

// Lease is the right to answer for an address until a moment.
type Lease struct {
	Holder spec.NodeName
	// Epoch grows each time that another node takes the lease.
	Epoch uint64
	// Until is when it ends, on the clock that Now of its Owner reads.
	Until time.Duration
}

// Owner leases addresses, each to one node at a time. Two leases of one address
// never overlap, whatever its callers do. Methods return soon, or when ctx ends.
type Owner interface {
	// Now reads the clock of leases. It goes on while a machine sleeps.
	Now() time.Duration
	// Look returns the lease as it is; one that nobody ever had is the zero Lease.
	Look(ctx context.Context, a netip.Addr) (Lease, error)
	// Acquire takes the lease of an address for a term that begins no later than the
	// call, or prolongs it for its holder. It returns the lease as it is then: of
	// another holder, where it is not to be had. An error says that nothing is known.
	Acquire(ctx context.Context, a netip.Addr, self spec.NodeName, term time.Duration) (Lease, error)
	// Release ends the lease, if it is self's. The caller answers no more.
	Release(ctx context.Context, a netip.Addr, self spec.NodeName) error
}
