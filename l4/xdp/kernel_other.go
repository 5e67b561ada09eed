//go:build !linux

package xdp

import (
	"log/slog"
	"net"
	"net/netip"

	"github.com/cilium/ebpf"
)

// KernelOptions are what Open needs.
type KernelOptions struct {
	Pins  string
	Flows int
	Log   *slog.Logger
}

// Kernel is the balancer in the kernel, which only Linux has.
type Kernel struct{}

func unsupported() error { return &Unsupported{Feature: "datapath xdp", Needs: "Linux"} }

// Able says that this system is not.
func Able() error { return unsupported() }

// Open always fails.
func Open(KernelOptions) (*Kernel, error) { return nil, unsupported() }

// Adopted is false.
func (*Kernel) Adopted() bool { return false }

// Apply always fails.
func (*Kernel) Apply(*Plan) error { return unsupported() }

// Attach always fails.
func (*Kernel) Attach(...string) error { return unsupported() }

// Next always fails.
func (*Kernel) Next(*ebpf.Program) error { return unsupported() }

// Counters always fails.
func (*Kernel) Counters() (*Counters, error) { return nil, unsupported() }

// Close does nothing.
func (*Kernel) Close() error { return nil }

// Leave does nothing.
func (*Kernel) Leave() error { return nil }

func (*Kernel) on() map[string]bool { return nil }

func deviceOf(netip.Addr) (device, error) { return device{}, unsupported() }

func (device) neighbor(netip.Addr) net.HardwareAddr { return nil }

func removePins(string) error { return nil }
