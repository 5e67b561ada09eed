package sys

import (
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// System calls on the path of requests are made raw: they never block, the
// sockets being non-blocking, and telling the scheduler of each would cost as
// much again (entersyscall; the monitor then takes the processor away).

// Vector is what a call with several segments needs; a loop has one.
type Vector struct {
	iov [VectorMax]unix.Iovec
	msg unix.Msghdr
}

// Recv reads once.
func Recv(fd int, p []byte) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)), 0, 0, 0)
	return int(n), errno
}

// Send writes once; it raises no signal.
func Send(fd int, p []byte) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)), unix.MSG_NOSIGNAL, 0, 0)
	return int(n), errno
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
	return int(n), errno
}

// Accept takes one connection, non-blocking.
func Accept(fd int) (int, netip.AddrPort, unix.Errno) {
	var from unix.RawSockaddrAny
	size := uint32(unix.SizeofSockaddrAny)
	n, _, errno := unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(fd), uintptr(unsafe.Pointer(&from)),
		uintptr(unsafe.Pointer(&size)), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
	if errno != 0 {
		return -1, netip.AddrPort{}, errno
	}
	return int(n), addrPort(&from), 0
}

// addrPort is an address the kernel gave, an IPv4 one in its only form.
func addrPort(a *unix.RawSockaddrAny) netip.AddrPort {
	switch a.Addr.Family {
	case unix.AF_INET:
		in := (*unix.RawSockaddrInet4)(unsafe.Pointer(a))
		return netip.AddrPortFrom(netip.AddrFrom4(in.Addr), swapped(in.Port))
	case unix.AF_INET6:
		in := (*unix.RawSockaddrInet6)(unsafe.Pointer(a))
		return netip.AddrPortFrom(netip.AddrFrom16(in.Addr).Unmap(), swapped(in.Port))
	}
	return netip.AddrPort{}
}

// swapped turns a port from network order.
func swapped(port uint16) uint16 {
	b := (*[2]byte)(unsafe.Pointer(&port))
	return uint16(b[0])<<8 | uint16(b[1])
}

// Unsent is how many bytes the kernel holds that the peer has not taken yet.
func Unsent(fd int) int {
	var n int32
	_, _, _ = unix.RawSyscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCOUTQ, uintptr(unsafe.Pointer(&n)))
	return int(n)
}
