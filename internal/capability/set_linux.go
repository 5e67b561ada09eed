package capability

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Have is the set that the process can use now.
func Have() Set {
	text, err := os.ReadFile("/proc/thread-self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if hex, ok := strings.CutPrefix(line, "CapEff:"); ok {
			has, _ := strconv.ParseUint(strings.TrimSpace(hex), 16, 64)
			return Set(has)
		}
	}
	return 0
}

// last is the highest capability there may be.
const last = 63

// Keep gives up every capability but those of a set, for good: in all sets of all
// threads, and for programs that the process might start, which gain none either
// (no_new_privs). What the process does not have it is not given. Those of still are
// to be given up by another Keep; no program that it starts gets them.
//
// The error is errors.ErrUnsupported in a binary with C in it (cgo), whose threads
// Go does not all know; nothing is given up then.
func Keep(keep, still Set) error {
	if err := all(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0); err != nil {
		return fmt.Errorf("no_new_privs: %w", err)
	}
	if err := all(unix.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0); err != nil && !errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("ambient capabilities: %w", err)
	}
	if err := bound(keep); err != nil {
		return err
	}
	return set(keep | still)
}

// bound takes capabilities off what a program may ever be given. Without
// CAP_SETPCAP that is not allowed, and no_new_privs has to do.
func bound(keep Set) error {
	for c := range uintptr(last + 1) {
		if keep&(1<<c) != 0 {
			continue
		}
		err := all(unix.SYS_PRCTL, unix.PR_CAPBSET_DROP, c, 0)
		switch {
		case errors.Is(err, unix.EPERM) || errors.Is(err, unix.EINVAL): // the latter: there is no such capability
			return nil
		case err != nil:
			return fmt.Errorf("bounding set: %w", err)
		}
	}
	return nil
}

// set makes what the threads have and may use what is kept of it. A capability set
// aside, permitted and not effective, is not taken up.
func set(keep Set) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var now [2]unix.CapUserData
	if err := unix.Capget(&header, &now[0]); err != nil {
		return fmt.Errorf("capget: %w", err)
	}
	for i := range now {
		half := uint32(keep >> (32 * i))
		now[i].Permitted &= half
		now[i].Effective &= half
		now[i].Inheritable = 0
	}
	_, _, errno := syscall.AllThreadsSyscall(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&now)), 0)
	if errno != 0 {
		return fmt.Errorf("capset: %w", errno)
	}
	return nil
}

// all makes a system call on every thread.
func all(trap, a, b, c uintptr) error {
	if _, _, errno := syscall.AllThreadsSyscall6(trap, a, b, c, 0, 0, 0); errno != 0 {
		return errno
	}
	return nil
}

// OpenPort is the first port that takes no capability (net.ipv4.ip_unprivileged_port_start).
func OpenPort() uint16 {
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start")
	if err != nil {
		return openPort
	}
	port, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 16)
	if err != nil {
		return openPort
	}
	return uint16(port)
}
