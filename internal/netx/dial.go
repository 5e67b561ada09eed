package netx

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
)

// Dialer opens connections from one address of the node. Its zero value leaves
// the choice of the source to the kernel.
type Dialer struct {
	// Source is the address to connect from, where that can work: it must be of
	// the destination's family, and both on loopback or both not. Its port is
	// chosen when the destination is known, so that the ports of the source are
	// used once for each destination and not once for all.
	Source netip.Addr
	// Options are those of the sockets.
	Options Options
}

// Dial connects to an address, with TCP_NODELAY on. The context
// bounds the connecting only; the caller closes the connection. The error says
// "dial 10.0.0.7:8080: connection refused".
func (d Dialer) Dial(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	to = unmap(to)
	from := d.from(to.Addr())
	dialer := net.Dialer{KeepAliveConfig: d.Options.keepAliveConfig()}
	if !dialer.KeepAliveConfig.Enable {
		dialer.KeepAlive = -1
	}
	dialer.Control = func(_, _ string, c syscall.RawConn) error {
		return controlRaw(c, func(fd int) error {
			if from.IsValid() {
				bindWithoutPort(fd)
			}
			return tuneDialer(fd, &d.Options)
		})
	}
	// A refusal may come before package net looks at the context.
	err := ctx.Err()
	var conn net.Conn
	switch {
	case err != nil:
	case from.IsValid():
		conn, err = dialer.DialTCP(ctx, network(to.Addr()), from, to)
	default:
		// DialTCP would bind to the unspecified address, and with it choose a port
		// that is used up for every destination.
		conn, err = dialer.DialContext(ctx, network(to.Addr()), to.String())
	}
	if err != nil {
		return nil, dialError(from.Addr(), to, err)
	}
	return conn, nil
}

// from is where to connect from; the zero value leaves it to the kernel.
func (d Dialer) from(to netip.Addr) netip.AddrPort {
	source := d.Source.Unmap()
	if !source.IsValid() || source.IsUnspecified() ||
		source.Is4() != to.Is4() || source.IsLoopback() != to.IsLoopback() {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(source, 0)
}

func dialError(from netip.Addr, to netip.AddrPort, err error) error {
	worded := reword("dial", to, err)
	if from.IsValid() && errors.Is(err, syscall.EADDRNOTAVAIL) {
		return fmt.Errorf("%w; %s is not an address of this machine, or has no free port left", worded, from)
	}
	return worded
}

// NoFile reports whether an error is that of a full file table, of the process or of the
// machine: no peer is at fault.
func NoFile(err error) bool { return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) }
