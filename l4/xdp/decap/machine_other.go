//go:build !linux

package decap

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
)

// machine cannot be changed here.
type machine struct {
	pins, record string
}

type device struct {
	name string
	mtu  int
}

var errUnsupported = fmt.Errorf("programs in the kernel: only on Linux: %w", errors.ErrUnsupported)

// Able reports why this machine cannot unwrap packets.
func Able() error { return errUnsupported }

func (*machine) find(*plan) (device, error)         { return device{}, errUnsupported }
func (*machine) take(*plan, device) error           { return errUnsupported }
func (*machine) restore() error                     { return nil }
func (*machine) close() error                       { return nil }
func (*machine) counts() (map[string]uint64, error) { return nil, nil }
func (*machine) where() string                      { return "" }
func (*machine) next() *ebpf.Program                { return nil }
