//go:build unix && !linux

package netx

import (
	"errors"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// AcceptFD takes one connection, non-blocking, and says whom it is from.
func AcceptFD(fd int) (int, netip.AddrPort, syscall.Errno) {
	n, from, err := unix.Accept(fd)
	if err != nil {
		return -1, netip.AddrPort{}, errnoOf(err)
	}
	unix.CloseOnExec(n)
	if err := unix.SetNonblock(n, true); err != nil {
		_ = unix.Close(n)
		return -1, netip.AddrPort{}, errnoOf(err)
	}
	return n, addrPortOf(from), 0
}

// RecvFD reads once.
func RecvFD(fd int, p []byte) (int, syscall.Errno) {
	n, err := unix.Read(fd, p)
	return n, errnoOf(err)
}

// SendFD writes once.
func SendFD(fd int, p []byte) (int, syscall.Errno) {
	n, err := unix.Write(fd, p)
	return n, errnoOf(err)
}

func errnoOf(err error) syscall.Errno {
	var errno syscall.Errno
	if err == nil || errors.As(err, &errno) {
		return errno
	}
	return unix.EIO
}
