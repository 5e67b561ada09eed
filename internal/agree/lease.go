package agree

import (
	"time"

	"portico/spec"
)

// Lease is the right to something until a moment.
type Lease struct {
	Holder spec.NodeName
	// Epoch grows each time that another node takes the lease.
	Epoch uint64
	// Until is when it ends, on the clock that Files.Now reads.
	Until time.Duration
}
