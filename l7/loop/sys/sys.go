// Package sys is the system calls on sockets that connections of an event loop make
// beside those of netx, as directly as a system allows.
//
// What comes in: non-blocking file descriptors. What goes out: what the kernel says,
// errors as it numbers them. It keeps nothing, and never waits.
//
// Start reading at Vector in sys_linux.go.
package sys

import (
	"golang.org/x/sys/unix"

	"portico/internal/poll"
)

// VectorMax is how many segments one call sends; what is beyond is sent by the next.
const VectorMax = 64

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

// Broken is the error that a connection was lost with, or nil; it is told once. Unlike
// a read, it finds it behind bytes that were not read yet.
func Broken(fd int) error {
	code, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil || code == 0 {
		return err
	}
	return unix.Errno(code)
}
