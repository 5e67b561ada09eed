//go:build unix && !linux

package netx

import (
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	acceptInheritsKeepAlive = false
	canShare                = false
)

// bindWithoutPort has no counterpart here: the port is chosen at bind.
func bindWithoutPort(int) {}

func share(int) error { return nil }

func tuneListener(int, *Options) error { return nil }

func tuneDialer(int, *Options) error { return nil }

// OpeningFD is false here, where nothing is written before a connection is there.
func OpeningFD(int) bool { return false }

func retune(int, *Options) error { return nil }

func backlog(int, *Options) error { return nil }

func control(syscall.Conn, func(fd int) error) error { return nil }

func controlRaw(syscall.RawConn, func(fd int) error) error { return nil }

// CheckCongestion knows nothing against any algorithm here, where none is chosen.
func CheckCongestion(string) error { return nil }

// FastOpenAccepted knows nothing against it here.
func FastOpenAccepted() bool { return true }

// keepIdle is the option for how long a connection is silent before it is probed.
const keepIdle = unix.TCP_KEEPALIVE
