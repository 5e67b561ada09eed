package netx

import (
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The calls here are made raw: they never block, the sockets being non-blocking,
// and telling the scheduler of each would cost as much again.

// AcceptFD takes one connection, non-blocking, and says whom it is from.
func AcceptFD(fd int) (int, netip.AddrPort, syscall.Errno) {
	var from unix.RawSockaddrAny
	size := uint32(unix.SizeofSockaddrAny)
	n, _, errno := unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(fd), uintptr(unsafe.Pointer(&from)),
		uintptr(unsafe.Pointer(&size)), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
	if errno != 0 {
		return -1, netip.AddrPort{}, errno
	}
	return int(n), RawAddrPort(&from), 0
}

// RecvFD reads once.
func RecvFD(fd int, p []byte) (int, syscall.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), 0, 0, 0)
	return int(n), errno
}

// SendFD writes once; it raises no signal.
func SendFD(fd int, p []byte) (int, syscall.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), unix.MSG_NOSIGNAL, 0, 0)
	return int(n), errno
}

// RawAddrPort is an address the kernel gave, an IPv4 one in its only form.
func RawAddrPort(a *unix.RawSockaddrAny) netip.AddrPort {
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

// swapped turns a port from or to network order.
func swapped(port uint16) uint16 {
	b := (*[2]byte)(unsafe.Pointer(&port))
	return uint16(b[0])<<8 | uint16(b[1])
}

// CloseFD closes a socket that nobody else uses.
func CloseFD(fd int) { _, _, _ = unix.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0) }

// EndFD says that nothing more is sent; it fails only where the other side is gone.
func EndFD(fd int) { _, _, _ = unix.RawSyscall(unix.SYS_SHUTDOWN, uintptr(fd), unix.SHUT_WR, 0) }

// ResetFD is Reset for the file descriptor of a connection.
func ResetFD(fd int) {
	linger := unix.Linger{Onoff: 1}
	_, _, _ = unix.RawSyscall6(unix.SYS_SETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_LINGER,
		uintptr(unsafe.Pointer(&linger)), unsafe.Sizeof(linger), 0)
	CloseFD(fd)
}

// openFD makes a non-blocking socket.
func openFD(family, kind int) (int, error) {
	fd, _, errno := unix.RawSyscall(unix.SYS_SOCKET, uintptr(family), uintptr(kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC), 0)
	return int(fd), orNil(errno)
}

func setFD(fd, level, option, value int) error {
	n := int32(value)
	_, _, errno := unix.RawSyscall6(unix.SYS_SETSOCKOPT, uintptr(fd), uintptr(level), uintptr(option), uintptr(unsafe.Pointer(&n)), unsafe.Sizeof(n), 0)
	return orNil(errno)
}

func bindFD(fd int, to netip.AddrPort) error {
	var a unix.RawSockaddrAny
	size := putAddrPort(&a, to)
	_, _, errno := unix.RawSyscall(unix.SYS_BIND, uintptr(fd), uintptr(unsafe.Pointer(&a)), size)
	return orNil(errno)
}

func connectFD(fd int, to netip.AddrPort) error {
	var a unix.RawSockaddrAny
	size := putAddrPort(&a, to)
	_, _, errno := unix.RawSyscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&a)), size)
	return orNil(errno)
}

func orNil(errno syscall.Errno) error {
	if errno != 0 {
		return errno
	}
	return nil
}

// putAddrPort writes an address as the kernel reads it, and returns its size.
func putAddrPort(a *unix.RawSockaddrAny, of netip.AddrPort) uintptr {
	if of.Addr().Is4() {
		in := (*unix.RawSockaddrInet4)(unsafe.Pointer(a))
		*in = unix.RawSockaddrInet4{Family: unix.AF_INET, Port: swapped(of.Port()), Addr: of.Addr().As4()}
		return unix.SizeofSockaddrInet4
	}
	in := (*unix.RawSockaddrInet6)(unsafe.Pointer(a))
	*in = unix.RawSockaddrInet6{Family: unix.AF_INET6, Port: swapped(of.Port()), Addr: of.Addr().As16()}
	return unix.SizeofSockaddrInet6
}
