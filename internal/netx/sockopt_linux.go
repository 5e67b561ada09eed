package netx

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	acceptInheritsKeepAlive = true
	canShare                = true
	// fastOpenQueue bounds the connections that carried data with their SYN and
	// were not acknowledged yet; beyond, clients shake hands as ever.
	fastOpenQueue = 1024
	backlogMax    = 1<<16 - 1 // the kernel takes net.core.somaxconn where that is less
)

// bindWithoutPort lets the kernel choose the source port at connect, when it
// knows the destination. A kernel that cannot just chooses earlier.
func bindWithoutPort(fd int) {
	_ = setFD(fd, unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
}

// keepIdle is the option for how long a connection is silent before it is probed.
const keepIdle = unix.TCP_KEEPIDLE

// share lets sockets that are bound later have the same address.
func share(fd int) error {
	return optionError("SO_REUSEPORT", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1))
}

// tuneListener sets the options of a listening socket; on Linux what it accepts
// inherits them, which saves several system calls for every connection.
func tuneListener(fd int, o *Options) error {
	every := o.keepAlive()
	settings := []setting{{"SO_KEEPALIVE", unix.SOL_SOCKET, unix.SO_KEEPALIVE, number(every > 0)}}
	if every > 0 {
		settings = append(settings,
			setting{"TCP_KEEPIDLE", unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, seconds(every)},
			setting{"TCP_KEEPINTVL", unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, seconds(every)})
	}
	if o.Floating {
		settings = append(settings, setting{"IP_FREEBIND", unix.SOL_IP, unix.IP_FREEBIND, 1}) // IPv6 reads it too
	}
	settings = append(settings, setting{"TCP_FASTOPEN", unix.IPPROTO_TCP, unix.TCP_FASTOPEN, number(o.FastOpen) * fastOpenQueue})
	return errors.Join(setAll(fd, settings), tune(fd, o))
}

// tuneDialer sets the options of a socket that is about to connect, but for
// keepalive, which package net sets.
func tuneDialer(fd int, o *Options) error {
	if *o == (Options{KeepAlive: o.KeepAlive, Nagle: o.Nagle}) {
		return nil
	}
	err := tune(fd, o)
	if o.FastOpen {
		// A kernel that cannot shakes hands first.
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_FASTOPEN_CONNECT, 1)
	}
	return err
}

// OpeningFD reports whether a connection that was begun is not answered yet, though with
// TCP_FASTOPEN_CONNECT it may have been written to.
func OpeningFD(fd int) bool {
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	return err == nil && info.State == unix.BPF_TCP_SYN_SENT
}

// tune sets what both kinds of socket have.
func tune(fd int, o *Options) error {
	if o.Fragment {
		// For an IPv6 socket it does nothing: there no router cuts packets (RFC
		// 8200, section 5).
		_ = unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DONT)
	}
	if o.Congestion != "" {
		_ = unix.SetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION, o.Congestion)
	}
	return setAll(fd, []setting{
		{"TCP_USER_TIMEOUT", unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(o.UserTimeout.Milliseconds())},
		{"TCP_MAXSEG", unix.IPPROTO_TCP, unix.TCP_MAXSEG, o.MSS},
	})
}

// retune is tuneListener for a socket that listens already, and may have had
// other options.
func retune(fd int, o *Options) error {
	if o.Congestion == "" {
		if usual, err := os.ReadFile("/proc/sys/net/ipv4/tcp_congestion_control"); err == nil {
			_ = unix.SetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION, strings.TrimSpace(string(usual)))
		}
	}
	if !o.Fragment {
		_ = unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_WANT)
	}
	return errors.Join(tuneListener(fd, o), backlog(fd, o))
}

// backlog bounds what waits to be accepted, on a socket that listens already.
func backlog(fd int, o *Options) error {
	n := o.Backlog
	if n == 0 {
		n = backlogMax
	}
	return optionError("backlog", unix.Listen(fd, n))
}

// setting is one number for the kernel.
type setting struct {
	name                 string
	level, option, value int
}

func setAll(fd int, settings []setting) error {
	for _, s := range settings {
		if err := unix.SetsockoptInt(fd, s.level, s.option, s.value); err != nil {
			return optionError(fmt.Sprintf("%s %d", s.name, s.value), err)
		}
	}
	return nil
}

func optionError(name string, err error) error {
	if err != nil {
		return fmt.Errorf("socket option %s: %w", name, err)
	}
	return nil
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}

// control runs a function on the file descriptor of a socket.
func control(c syscall.Conn, do func(fd int) error) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	return controlRaw(raw, do)
}

func controlRaw(raw syscall.RawConn, do func(fd int) error) error {
	var err error
	if ctlErr := raw.Control(func(fd uintptr) { err = do(int(fd)) }); ctlErr != nil {
		return ctlErr
	}
	return err
}

// CheckCongestion reports why the kernel does not grant this process an algorithm
// of congestion control, and what it does grant; nil when it does.
func CheckCongestion(name string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil //nolint:nilerr // nothing is known of the algorithm
	}
	defer func() { _ = unix.Close(fd) }()
	err = unix.SetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION, name)
	which, why := "tcp_available_congestion_control", "this kernel has no"
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EPERM):
		which, why = "tcp_allowed_congestion_control", "this process may not use the"
	}
	known, _ := os.ReadFile("/proc/sys/net/ipv4/" + which)
	return fmt.Errorf("%s congestion control %q: it has %s", why, name, strings.Join(strings.Fields(string(known)), ", "))
}

// FastOpenAccepted reports whether the kernel lets listening sockets take data
// with a SYN (net.ipv4.tcp_fastopen, bit 1).
func FastOpenAccepted() bool {
	text, err := os.ReadFile("/proc/sys/net/ipv4/tcp_fastopen")
	var bits int
	if _, scanErr := fmt.Sscanf(string(text), "%v", &bits); err != nil || scanErr != nil {
		return true // nothing is known against it
	}
	return bits&2 != 0
}
