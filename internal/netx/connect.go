//go:build unix

package netx

import (
	"errors"
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
	family := unix.AF_INET6
	if to.Addr().Is4() {
		family = unix.AF_INET
	}
	if fd, err = openFD(family, unix.SOCK_STREAM); err != nil {
		return -1, dialError(from.Addr(), to, os.NewSyscallError("socket", err))
	}
	if err = d.connect(fd, from, to); err != nil {
		CloseFD(fd)
		return -1, dialError(from.Addr(), to, err)
	}
	return fd, nil
}

func (d Dialer) connect(fd int, from, to netip.AddrPort) error {
	if !d.Options.Nagle {
		if err := NoDelayFD(fd); err != nil {
			return os.NewSyscallError("setsockopt", err)
		}
	}
	if err := KeepAliveFD(fd, d.Options); err != nil {
		return err
	}
	if err := tuneDialer(fd, &d.Options); err != nil {
		return err
	}
	if from.IsValid() {
		bindWithoutPort(fd)
		if err := bindFD(fd, from); err != nil {
			return os.NewSyscallError("bind", err)
		}
	}
	err := connectFD(fd, to)
	if err == nil || errors.Is(err, unix.EINPROGRESS) || errors.Is(err, unix.EINTR) {
		return nil
	}
	return os.NewSyscallError("connect", err)
}

// NoDelayFD has every write sent at once, also while an earlier one is not acknowledged.
func NoDelayFD(fd int) error { return setFD(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1) }

// KeepAliveFD sets how a connection is asked whether the peer is still there.
func KeepAliveFD(fd int, o Options) error {
	every := o.keepAlive()
	if every == 0 {
		return nil
	}
	for _, o := range [][3]int{
		{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
		{unix.IPPROTO_TCP, keepIdle, seconds(every)},
		{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, seconds(every)},
	} {
		if err := setFD(fd, o[0], o[1], o[2]); err != nil {
			return os.NewSyscallError("setsockopt", err)
		}
	}
	return nil
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
