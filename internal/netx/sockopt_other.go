//go:build unix && !linux

package netx

import (
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	acceptInheritsKeepAlive = false
	canShare                = false
)

// bindWithoutPort has no counterpart here: the port is chosen at bind.
func bindWithoutPort(int) {}

func share(int) error { return nil }

func tuneListener(int, *Options) error { return nil }

func tuneDialer(int, *Options) error { return nil }

func retune(int, *Options) error { return nil }

func backlog(int, *Options) error { return nil }

func control(syscall.Conn, func(fd int) error) error { return nil }

func controlRaw(syscall.RawConn, func(fd int) error) error { return nil }

// CheckCongestion knows nothing against any algorithm here, where none is chosen.
func CheckCongestion(string) error { return nil }

// FastOpenAccepted knows nothing against it here.
func FastOpenAccepted() bool { return true }

// keepIdle is the option for how long a connection is silent before it is probed.
const keepIdle = unix.TCP_KEEPALIVE

// socketTo makes a non-blocking socket of the family of an address.
func socketTo(to netip.AddrPort) (int, error) {
	family := unix.AF_INET6
	if to.Addr().Is4() {
		family = unix.AF_INET
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	unix.CloseOnExec(fd)
	if err := unix.SetNonblock(fd, true); err != nil {
		_ = unix.Close(fd)
		return -1, os.NewSyscallError("socket", err)
	}
	return fd, nil
}
