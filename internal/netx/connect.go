//go:build unix

package netx

import (
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Connect begins to connect to an address as Dial does, with these options instead
// of the dialer's, and does not wait: the
// socket is non-blocking, and can be written when Connected knows how it ended.
// The caller closes it.
func (d Dialer) Connect(to netip.AddrPort, o Options) (fd int, err error) {
	d.Options = o
	to = unmap(to)
	from := d.from(to.Addr())
	if fd, err = socketTo(to); err != nil {
		return -1, dialError(from.Addr(), to, err)
	}
	if err = d.connect(fd, from, to); err != nil {
		_ = unix.Close(fd)
		return -1, dialError(from.Addr(), to, err)
	}
	return fd, nil
}

func (d Dialer) connect(fd int, from, to netip.AddrPort) error {
	settings := [][3]int{{unix.IPPROTO_TCP, unix.TCP_NODELAY, 1}}
	if every := d.Options.keepAlive(); every > 0 {
		settings = append(settings, [][3]int{
			{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
			{unix.IPPROTO_TCP, keepIdle, seconds(every)},
			{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, seconds(every)},
		}...)
	}
	for _, o := range settings {
		if err := unix.SetsockoptInt(fd, o[0], o[1], o[2]); err != nil {
			return os.NewSyscallError("setsockopt", err)
		}
	}
	if err := tuneDialer(fd, &d.Options); err != nil {
		return err
	}
	if from.IsValid() {
		bindWithoutPort(fd)
		if err := unix.Bind(fd, sockaddr(from)); err != nil {
			return os.NewSyscallError("bind", err)
		}
	}
	switch err := unix.Connect(fd, sockaddr(to)); err {
	case nil, unix.EINPROGRESS, unix.EINTR:
		return nil
	default:
		return os.NewSyscallError("connect", err)
	}
}

// Connected reports how the connecting ended that Connect began.
func (d Dialer) Connected(fd int, to netip.AddrPort) error {
	to = unmap(to)
	code, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err == nil && code != 0 {
		err = syscall.Errno(code)
	}
	if err != nil {
		return dialError(d.from(to.Addr()).Addr(), to, err)
	}
	return nil
}

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Addr: a.Addr().As4(), Port: int(a.Port())}
	}
	return &unix.SockaddrInet6{Addr: a.Addr().As16(), Port: int(a.Port())}
}
