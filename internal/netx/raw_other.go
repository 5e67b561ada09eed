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

// SendLastFD is SendFD for the last bytes of a connection.
func SendLastFD(fd int, p []byte) (int, syscall.Errno) { return SendFD(fd, p) }

func errnoOf(err error) syscall.Errno {
	var errno syscall.Errno
	if err == nil || errors.As(err, &errno) {
		return errno
	}
	return unix.EIO
}

// CloseFD closes a socket that nobody else uses.
func CloseFD(fd int) { _ = unix.Close(fd) }

// EndFD says that nothing more is sent; it fails only where the other side is gone.
func EndFD(fd int) { _ = unix.Shutdown(fd, unix.SHUT_WR) }

// ResetFD is Reset for the file descriptor of a connection.
func ResetFD(fd int) {
	_ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	_ = unix.Close(fd)
}

func openFD(family, kind int) (int, error) {
	fd, err := unix.Socket(family, kind, 0)
	if err != nil {
		return -1, err
	}
	unix.CloseOnExec(fd)
	if err := unix.SetNonblock(fd, true); err != nil {
		_ = unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func setFD(fd, level, option, value int) error { return unix.SetsockoptInt(fd, level, option, value) }

func bindFD(fd int, to netip.AddrPort) error { return unix.Bind(fd, sockaddr(to)) }

func connectFD(fd int, to netip.AddrPort) error { return unix.Connect(fd, sockaddr(to)) }

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Addr: a.Addr().As4(), Port: int(a.Port())}
	}
	return &unix.SockaddrInet6{Addr: a.Addr().As16(), Port: int(a.Port())}
}

// Batch takes datagrams, one with each call here.
type Batch struct {
	data [1 << 16]byte
	n    int
	from netip.AddrPort
}

// Recv takes what there is and does not wait; it returns how many datagrams came.
func (b *Batch) Recv(fd int) (int, syscall.Errno) {
	n, from, err := unix.Recvfrom(fd, b.data[:], unix.MSG_DONTWAIT)
	if err != nil {
		return -1, errnoOf(err)
	}
	b.n, b.from = n, addrPortOf(from)
	return 1, 0
}

// At is a datagram of the last Recv and whom it is from; the address that it was sent
// to is not told here.
func (b *Batch) At(int) (data []byte, from netip.AddrPort, to netip.Addr) {
	return b.data[:b.n], b.from, netip.Addr{}
}

// SendTo sends a datagram, from the address that the kernel chooses.
func SendTo(fd int, data []byte, to netip.AddrPort, _ netip.Addr) syscall.Errno {
	return errnoOf(unix.Sendto(fd, data, unix.MSG_DONTWAIT, sockaddr(to)))
}

func tellAddress(int, bool) error { return nil }

func float(int) error { return nil }
