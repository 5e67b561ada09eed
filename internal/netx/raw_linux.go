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
func SendFD(fd int, p []byte) (int, syscall.Errno) { return sendFD(fd, p, 0) }

// SendLastFD is SendFD for the last bytes of a connection: EndFD or CloseFD must follow
// at once, and have them travel in one segment with the end.
func SendLastFD(fd int, p []byte) (int, syscall.Errno) { return sendFD(fd, p, unix.MSG_MORE) }

func sendFD(fd int, p []byte, flags uintptr) (int, syscall.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), unix.MSG_NOSIGNAL|flags, 0, 0)
	return int(n), Later(errno)
}

// Later is what the error of a write means: with TCP_FASTOPEN_CONNECT one may send a SYN
// without its bytes, which are to be written again once the connection can take them.
func Later(errno syscall.Errno) syscall.Errno {
	if errno == unix.EINPROGRESS {
		return unix.EAGAIN
	}
	return errno
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

// batchMax is how many datagrams one call takes.
const batchMax = 16

// datagramMax is the most that a datagram holds.
const datagramMax = 1 << 16

// Batch takes several datagrams with one call.
type Batch struct {
	list     [batchMax]message
	vectors  [batchMax]unix.Iovec
	names    [batchMax]unix.RawSockaddrAny
	controls [batchMax][controlSize]byte
	data     [batchMax][datagramMax]byte
}

// message is struct mmsghdr of recvmmsg(2).
type message struct {
	head unix.Msghdr
	n    uint32
}

// controlSize holds one in6_pktinfo, the larger of the two, with its head.
const controlSize = 64

// Recv takes what there is and does not wait; it returns how many datagrams came.
func (b *Batch) Recv(fd int) (int, syscall.Errno) {
	for i := range b.list {
		b.vectors[i].Base = &b.data[i][0]
		b.vectors[i].SetLen(datagramMax)
		h := &b.list[i].head
		h.Name, h.Namelen = (*byte)(unsafe.Pointer(&b.names[i])), unix.SizeofSockaddrAny
		h.Iov, h.Control, h.Flags = &b.vectors[i], &b.controls[i][0], 0
		h.SetIovlen(1)
		h.SetControllen(controlSize)
	}
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&b.list[0])), batchMax, unix.MSG_DONTWAIT, 0, 0)
	return int(n), errno
}

// At is a datagram of the last Recv, whom it is from, and the address it was sent to
// where the socket has several (see ListenUDP). The bytes hold until the next Recv.
func (b *Batch) At(i int) (data []byte, from netip.AddrPort, to netip.Addr) {
	m := &b.list[i]
	data, from = b.data[i][:m.n], RawAddrPort(&b.names[i])
	size := int(m.head.Controllen)
	if size < unix.CmsgLen(unix.SizeofInet4Pktinfo) {
		return data, from, to
	}
	control := b.controls[i][:]
	h := (*unix.Cmsghdr)(unsafe.Pointer(&control[0]))
	at := control[unix.CmsgLen(0):]
	switch {
	case h.Level == unix.SOL_IP && h.Type == unix.IP_PKTINFO:
		to = netip.AddrFrom4((*unix.Inet4Pktinfo)(unsafe.Pointer(&at[0])).Addr)
	case h.Level == unix.SOL_IPV6 && h.Type == unix.IPV6_PKTINFO && size >= unix.CmsgLen(unix.SizeofInet6Pktinfo):
		to = netip.AddrFrom16((*unix.Inet6Pktinfo)(unsafe.Pointer(&at[0])).Addr).Unmap()
	}
	return data, from, to
}

// SendTo sends a datagram, from an address where the socket has several; the zero
// Addr leaves it to the kernel.
func SendTo(fd int, data []byte, to netip.AddrPort, from netip.Addr) syscall.Errno {
	var name unix.RawSockaddrAny
	var control [controlSize]byte
	v := unix.Iovec{Base: unsafe.SliceData(data)}
	v.SetLen(len(data))
	h := unix.Msghdr{Name: (*byte)(unsafe.Pointer(&name)), Iov: &v}
	h.Namelen = uint32(putAddrPort(&name, to))
	h.SetIovlen(1)
	if from.IsValid() {
		h.Control = &control[0]
		h.SetControllen(putSource(control[:], from))
	}
	_, _, errno := unix.RawSyscall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(&h)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
	return errno
}

// putSource writes the control message that chooses the source, and returns its size.
func putSource(control []byte, from netip.Addr) int {
	h := (*unix.Cmsghdr)(unsafe.Pointer(&control[0]))
	at := control[unix.CmsgLen(0):]
	if from.Is4() {
		h.Level, h.Type = unix.SOL_IP, unix.IP_PKTINFO
		h.SetLen(unix.CmsgLen(unix.SizeofInet4Pktinfo))
		(*unix.Inet4Pktinfo)(unsafe.Pointer(&at[0])).Spec_dst = from.As4()
		return unix.CmsgSpace(unix.SizeofInet4Pktinfo)
	}
	h.Level, h.Type = unix.SOL_IPV6, unix.IPV6_PKTINFO
	h.SetLen(unix.CmsgLen(unix.SizeofInet6Pktinfo))
	(*unix.Inet6Pktinfo)(unsafe.Pointer(&at[0])).Addr = from.As16()
	return unix.CmsgSpace(unix.SizeofInet6Pktinfo)
}

// tellAddress has a socket of several addresses say which one a datagram was sent to.
func tellAddress(fd int, is4 bool) error {
	if is4 {
		return setFD(fd, unix.SOL_IP, unix.IP_PKTINFO, 1)
	}
	return setFD(fd, unix.SOL_IPV6, unix.IPV6_RECVPKTINFO, 1)
}

// float lets a socket have an address that the machine does not have yet.
func float(fd int) error { return setFD(fd, unix.SOL_IP, unix.IP_FREEBIND, 1) } // IPv6 reads it too
