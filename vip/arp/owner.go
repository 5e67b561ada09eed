package arp

import (
	"context"
	"time"

	"portico/internal/agree"
	"portico/spec"
)

// Owner leases addresses by name, each to one node at a time. Two leases of one name
// never overlap, whatever its callers do. Methods return soon, or when ctx ends.
type Owner interface {
	// Now reads the clock of leases. It goes on while a machine sleeps.
	Now() time.Duration
	// Look returns the lease as it is; one that nobody ever had is the zero Lease.
	Look(ctx context.Context, name string) (agree.Lease, error)
	// Acquire takes the lease of a name for a term that begins no later than the
	// call, or prolongs it for its holder. It returns the lease as it is then: of
	// another holder, where it is not to be had. An error says that nothing is known.
	Acquire(ctx context.Context, name string, self spec.NodeName, term time.Duration) (agree.Lease, error)
	// Release ends the lease, if it is self's. The caller answers no more.
	Release(ctx context.Context, name string, self spec.NodeName) error
}
