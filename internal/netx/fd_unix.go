//go:build unix

package netx

import (
	"context"
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// ListenFDs is ListenMany for who waits for sockets by a poller of its own: n file
// descriptors, non-blocking, of which several may be copies of one socket where the
// system cannot share an address. What is accepted sends small writes at once. The
// caller closes them.
func ListenFDs(ctx context.Context, addr netip.AddrPort, n int, o Options) ([]int, error) {
	list, err := ListenMany(ctx, addr, n, o)
	if err != nil {
		return nil, err
	}
	defer func() {
		for _, l := range list {
			_ = l.Close() // the copies stay open
		}
	}()
	var fds []int
	for i := range n {
		fd, err := copyOf(list[i%len(list)])
		if err != nil {
			for _, fd := range fds {
				_ = unix.Close(fd)
			}
			return nil, fmt.Errorf("listen %s: %w", addr, err)
		}
		fds = append(fds, fd)
	}
	return fds, nil
}

// copyOf is a file descriptor of a listening socket that the runtime does not watch.
func copyOf(l *net.TCPListener) (fd int, err error) {
	raw, err := l.SyscallConn()
	if err != nil {
		return -1, err
	}
	ctlErr := raw.Control(func(of uintptr) {
		if err = unix.SetsockoptInt(int(of), unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err == nil {
			fd, err = unix.FcntlInt(of, unix.F_DUPFD_CLOEXEC, 0)
		}
	})
	if ctlErr != nil {
		return -1, ctlErr
	}
	return fd, err
}

// LocalFD is the address of this end of a socket.
func LocalFD(fd int) netip.AddrPort {
	a, err := unix.Getsockname(fd)
	if err != nil {
		return netip.AddrPort{}
	}
	return addrPortOf(a)
}

func addrPortOf(a unix.Sockaddr) netip.AddrPort {
	switch a := a.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(a.Addr).Unmap(), uint16(a.Port))
	}
	return netip.AddrPort{}
}
