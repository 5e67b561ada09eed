// Package netx opens and closes TCP sockets the way every tier wants it:
// outgoing ones from the node's own address, listening ones with errors that
// say what to do, accept loops that outlive a full file table, and resets where
// a clean end would be a lie.
//
// It knows no protocol above TCP and keeps no state between calls.
package netx

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
)

// Reset closes the connection so that the peer sees a reset and not an end: what
// was not sent yet is thrown away. A TLS connection is reset beneath.
func Reset(conn net.Conn) {
	inner := conn
	for {
		if l, ok := inner.(interface{ SetLinger(sec int) error }); ok {
			_ = l.SetLinger(0) // a connection that is gone needs no reset
			break
		}
		w, ok := inner.(interface{ NetConn() net.Conn })
		if !ok {
			break
		}
		inner = w.NetConn()
	}
	// Close the innermost: a TLS close would first send an alert, and may wait.
	_ = inner.Close()
}

// IsReset reports whether an error of a read or write says that the peer reset
// the connection, or that the kernel gave it up.
func IsReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) ||
		errors.Is(err, syscall.ETIMEDOUT) || errors.Is(err, syscall.ECONNABORTED)
}

// network names the family of an address for package net.
func network(a netip.Addr) string {
	if a.Is4() {
		return "tcp4"
	}
	return "tcp6"
}

// AddrPort is an address of a TCP connection in its only form: an IPv4 address
// that came in by an IPv6 socket is an IPv4 address. It is the zero AddrPort for
// an address of another kind.
func AddrPort(a net.Addr) netip.AddrPort {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	return unmap(tcp.AddrPort())
}

// unmap gives the address of an AddrPort its only form.
func unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// reword says "doing address: why" without the layers package net puts in
// between; the cause stays there for errors.Is.
func reword(doing string, addr netip.AddrPort, err error) error {
	cause := err
	if op := (*net.OpError)(nil); errors.As(cause, &op) {
		cause = op.Err
	}
	if sys := (*os.SyscallError)(nil); errors.As(cause, &sys) {
		cause = sys.Err
	}
	return fmt.Errorf("%s %s: %w", doing, addr, cause)
}
