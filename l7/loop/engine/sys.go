package engine

import (
	"net/netip"

	"golang.org/x/sys/unix"

	"portico/l7/loop"
)

// vectorMax is how many segments one call sends; what is beyond is sent by the next.
const vectorMax = 64

// local is the address of this end of a connection.
func local(fd int) netip.AddrPort {
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

// readiness is how a socket can be used without waiting.
func readiness(fd int) (r loop.Ready) {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN | unix.POLLOUT}}
	if _, err := unix.Poll(fds, 0); err != nil {
		return 0 // it is told of as ever
	}
	if fds[0].Revents&^unix.POLLOUT != 0 {
		r |= loop.In | loop.Ended // that the peer ended is not told apart
	}
	if fds[0].Revents&^unix.POLLIN != 0 {
		r |= loop.Out
	}
	return r
}

// broken is the error that reading would end with now, or nil.
func broken(fd int) error {
	var one [1]byte
	_, _, err := unix.Recvfrom(fd, one[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	if err == unix.EAGAIN || err == unix.EINTR {
		return nil
	}
	return err
}

// reset closes so that the peer sees a reset, and what was not sent is thrown away.
func reset(fd int) {
	_ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	_ = unix.Close(fd)
}
