package sys

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"portico/internal/netx"
)

// Calls are made raw, as in netx: the sockets are non-blocking, and telling the
// scheduler of each would cost as much again (entersyscall; the monitor then takes the
// processor away).

// Vector is what a call with several segments needs; a loop has one.
type Vector struct {
	iov [VectorMax]unix.Iovec
	msg unix.Msghdr
}

// Send writes several segments once, none of them empty.
func (v *Vector) Send(fd int, segs [][]byte) (int, unix.Errno) {
	for i, seg := range segs {
		v.iov[i].Base = &seg[0]
		v.iov[i].SetLen(len(seg))
	}
	v.msg.Iov = &v.iov[0]
	v.msg.SetIovlen(len(segs))
	n, _, errno := unix.RawSyscall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(&v.msg)), unix.MSG_NOSIGNAL)
	for i := range segs {
		v.iov[i].Base = nil // input must not be kept alive
	}
	return int(n), netx.Later(errno)
}

// Unsent is how many bytes the kernel holds that the peer has not taken yet.
func Unsent(fd int) int {
	var n int32
	_, _, _ = unix.RawSyscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCOUTQ, uintptr(unsafe.Pointer(&n)))
	return int(n)
}
