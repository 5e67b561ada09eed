//go:build unix && !linux

package sys

import (
	"errors"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Vector is empty: segments are sent one by one here.
type Vector struct{}

// Recv reads once.
func Recv(fd int, p []byte) (int, unix.Errno) {
	n, err := unix.Read(fd, p)
	return n, errnoOf(err)
}

// Send writes once.
func Send(fd int, p []byte) (int, unix.Errno) {
	n, err := unix.Write(fd, p)
	return n, errnoOf(err)
}

// Send writes several segments, none of them empty.
func (*Vector) Send(fd int, segs [][]byte) (total int, errno unix.Errno) {
	for _, seg := range segs {
		n, errno := Send(fd, seg)
		if errno != 0 {
			if total > 0 {
				return total, 0
			}
			return -1, errno
		}
		if total += n; n < len(seg) {
			break
		}
	}
	return total, 0
}

// Accept takes one connection, non-blocking.
func Accept(fd int) (int, netip.AddrPort, unix.Errno) {
	n, from, err := unix.Accept(fd)
	if err != nil {
		return -1, netip.AddrPort{}, errnoOf(err)
	}
	unix.CloseOnExec(n)
	if err := unix.SetNonblock(n, true); err != nil {
		_ = unix.Close(n)
		return -1, netip.AddrPort{}, errnoOf(err)
	}
	return n, sockaddr(from), 0
}

func errnoOf(err error) unix.Errno {
	var errno unix.Errno
	if err == nil || errors.As(err, &errno) {
		return errno
	}
	return unix.EIO
}

// Unsent would be how many bytes the kernel holds that the peer has not taken yet.
// It is not known here: a peer is seen to take something when more fits.
func Unsent(int) int { return 0 }
