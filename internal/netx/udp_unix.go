//go:build unix

package netx

import (
	"context"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// ListenUDP opens n sockets that take datagrams at one address, non-blocking, among
// which the kernel spreads clients by a hash; where it cannot, they are copies of one.
// An address that someone else has is an error. A socket on the unspecified address
// says which one a datagram was sent to. Of the options only Floating counts. The
// caller closes them.
func ListenUDP(_ context.Context, addr netip.AddrPort, n int, o Options) (fds []int, err error) {
	addr = unmap(addr)
	defer func() {
		if err != nil {
			for _, fd := range fds {
				CloseFD(fd)
			}
			fds, err = nil, listenError(addr, err)
		}
	}()
	for i := range n {
		var fd int
		if i > 0 && !canShare {
			if fd, err = unix.FcntlInt(uintptr(fds[0]), unix.F_DUPFD_CLOEXEC, 0); err != nil {
				return fds, os.NewSyscallError("fcntl", err)
			}
			fds = append(fds, fd)
			continue
		}
		if fd, err = openUDP(addr.Addr()); err != nil {
			return fds, err
		}
		fds = append(fds, fd)
		if err = bindUDP(fd, addr, o.Floating, i > 0); err != nil {
			return fds, err
		}
		addr = LocalFD(fd) // with the port, where the kernel chose it
	}
	return fds, nil
}

func openUDP(of netip.Addr) (int, error) {
	family := unix.AF_INET6
	if of.Is4() {
		family = unix.AF_INET
	}
	fd, err := openFD(family, unix.SOCK_DGRAM)
	return fd, os.NewSyscallError("socket", err)
}

// bindUDP binds a socket; only after the first does it let others have the address.
func bindUDP(fd int, addr netip.AddrPort, floating, shared bool) error {
	var err error
	if !addr.Addr().Is4() {
		err = setFD(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1)
	}
	if err == nil && addr.Addr().IsUnspecified() {
		err = tellAddress(fd, addr.Addr().Is4())
	}
	if err == nil && floating {
		err = float(fd)
	}
	if err == nil && shared {
		err = share(fd)
	}
	if err != nil {
		return os.NewSyscallError("setsockopt", err)
	}
	if err := bindFD(fd, addr); err != nil {
		return os.NewSyscallError("bind", err)
	}
	return share(fd)
}

// ConnectUDP opens a socket that sends datagrams to an address and takes those from it
// alone, non-blocking. That nobody is there is an error of a later call. The caller
// closes it.
func (d Dialer) ConnectUDP(to netip.AddrPort) (int, error) {
	to = unmap(to)
	from := d.from(to.Addr())
	fd, err := openUDP(to.Addr())
	if err != nil {
		return -1, dialError(from.Addr(), to, err)
	}
	if from.IsValid() {
		err = os.NewSyscallError("bind", bindFD(fd, from))
	}
	if err == nil {
		err = os.NewSyscallError("connect", connectFD(fd, to))
	}
	if err != nil {
		CloseFD(fd)
		return -1, dialError(from.Addr(), to, err)
	}
	return fd, nil
}
