// Package sys is the system calls on sockets that connections of an event loop make,
// as directly as a system allows.
//
// What comes in: non-blocking file descriptors. What goes out: what the kernel says,
// errors as it numbers them. It keeps nothing, and never waits.
//
// Start reading at Recv and Send in sys_linux.go.
package sys

import (
	"net/netip"

	"golang.org/x/sys/unix"

	"portico/internal/poll"
)

// VectorMax is how many segments one call sends; what is beyond is sent by the next.
const VectorMax = 64

// Local is the address of this end of a connection.
func Local(fd int) netip.AddrPort {
	a, err := unix.Getsockname(fd)
	if err != nil {
		return netip.AddrPort{}
	}
	return sockaddr(a)
}

func sockaddr(a unix.Sockaddr) netip.AddrPort {
	switch a := a.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(a.Addr).Unmap(), uint16(a.Port))
	}
	return netip.AddrPort{}
}

// Readiness is how a socket can be used without waiting.
func Readiness(fd int) (r poll.Ready) {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN | unix.POLLOUT}}
	if _, err := unix.Poll(fds, 0); err != nil {
		return 0 // it is told of as ever
	}
	if fds[0].Revents&^unix.POLLOUT != 0 {
		r |= poll.In | poll.Ended // that the peer ended is not told apart
	}
	if fds[0].Revents&^unix.POLLIN != 0 {
		r |= poll.Out
	}
	return r
}

// Broken is the error that reading would end with now, or nil.
func Broken(fd int) error {
	var one [1]byte
	_, _, err := unix.Recvfrom(fd, one[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	if err == unix.EAGAIN || err == unix.EINTR {
		return nil
	}
	return err
}

// Reset closes so that the peer sees a reset, and what was not sent is thrown away.
func Reset(fd int) {
	_ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	_ = unix.Close(fd)
}
