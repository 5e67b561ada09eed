//go:build !linux

package netx

import "syscall"

// bindWithoutPort has no counterpart here: the port is chosen at bind.
func bindWithoutPort(_, _ string, _ syscall.RawConn) error { return nil }

func keepAliveOnAccept(_, _ string, _ syscall.RawConn) error { return nil }

const acceptInheritsKeepAlive = false
