//go:build linux

package lab

import (
	"fmt"
	"runtime"
	"unsafe"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"portico/internal/testkit/netns"
)

// pass puts a program on an interface that lets everything pass. A veth looks at what
// the program at its other end sends back only while it has one itself.
func pass(s *netns.Space, name string) (err error) {
	fd, err := loadPass()
	if err != nil {
		return fmt.Errorf("load a program: %w", err)
	}
	defer func() { _ = unix.Close(fd) }()
	s.Run(func() {
		var l netlink.Link
		if l, err = netlink.LinkByName(name); err == nil {
			err = netlink.LinkSetXdpFd(l, fd)
		}
	})
	return err
}

// loadPass loads XDP_PASS into the kernel: r0 = 2; exit. Its last argument is what
// bpf(2) calls union bpf_attr, as far as it is needed.
func loadPass() (fd int, err error) {
	const xdp = 6 // BPF_PROG_TYPE_XDP
	instructions := [...]uint64{0x2_0000_00b7, 0x95}
	license := [...]byte{'G', 'P', 'L', 0}
	attr := struct {
		kind, count      uint32
		program, license uint64
		_                [104]byte
	}{
		kind: xdp, count: uint32(len(instructions)),
		program: uint64(uintptr(unsafe.Pointer(&instructions))), license: uint64(uintptr(unsafe.Pointer(&license))),
	}
	var r uintptr
	errno := unix.EAGAIN
	for errno == unix.EAGAIN { // a signal came, such as the runtime's own
		r, _, errno = unix.Syscall(unix.SYS_BPF, unix.BPF_PROG_LOAD, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr))
	}
	runtime.KeepAlive(&instructions)
	runtime.KeepAlive(&license)
	if errno != 0 {
		return 0, errno
	}
	return int(r), nil
}
