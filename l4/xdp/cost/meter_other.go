//go:build !linux

package cost

import (
	"errors"

	"portico/l4/xdp"
)

var errUnsupported = errors.New("cost: programs in the kernel are of Linux")

// Meter runs packets through programs, on Linux.
type Meter struct{}

// NewMeter always fails.
func NewMeter() (*Meter, error) { return nil, errUnsupported }

// Close does nothing.
func (*Meter) Close() error { return nil }

// Kernel always fails.
func (*Meter) Kernel(*xdp.Kernel, Shape, int) (Reading, error) { return Reading{}, errUnsupported }

// Bare always fails.
func (*Meter) Bare(Shape, int) (Reading, error) { return Reading{}, errUnsupported }
