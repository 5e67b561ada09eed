package netx

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// bindWithoutPort lets the kernel choose the source port at connect, when it
// knows the destination. A kernel that cannot just chooses earlier.
func bindWithoutPort(_, _ string, c syscall.RawConn) error {
	return c.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
	})
}

// keepAliveOnAccept turns keepalive on in the listening socket: on Linux what it
// accepts inherits that, which saves four system calls for every connection.
func keepAliveOnAccept(_, _ string, c syscall.RawConn) error {
	var err error
	ctlErr := c.Control(func(fd uintptr) {
		for _, o := range [...][3]int{
			{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
			{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, int(keepAlive.Seconds())},
			{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, int(keepAlive.Seconds())},
		} {
			if e := unix.SetsockoptInt(int(fd), o[0], o[1], o[2]); e != nil {
				err = e
			}
		}
	})
	if ctlErr != nil {
		return ctlErr
	}
	return err
}

const acceptInheritsKeepAlive = true
