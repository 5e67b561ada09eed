//go:build unix && !linux

package sys

import (
	"golang.org/x/sys/unix"

	"portico/internal/netx"
)

// Vector is empty: segments are sent one by one here.
type Vector struct{}

// Send writes several segments, none of them empty.
func (*Vector) Send(fd int, segs [][]byte) (total int, errno unix.Errno) {
	for _, seg := range segs {
		n, errno := netx.SendFD(fd, seg)
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

// Unsent would be how many bytes the kernel holds that the peer has not taken yet.
// It is not known here: a peer is seen to take something when more fits.
func Unsent(int) int { return 0 }
