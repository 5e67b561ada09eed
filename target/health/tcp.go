package health

import (
	"context"
	"net"
	"net/netip"
	"time"
)

// TCP are the parameters of the tcp check: it passes when the target accepts a
// connection. It says little about what serves behind the socket; use http
// where there is HTTP.
type TCP struct {
	// Port to connect to; 0 means the target's own.
	Port int `json:"port,omitempty" range:"0..65535"`
}

func newTCP(params any, _ Options) Probe {
	p := given[TCP](params)
	return func(ctx context.Context, dial Dial, to netip.AddrPort) error {
		conn, err := connect(ctx, dial, at(to, p.Port))
		if err != nil {
			return err
		}
		_ = conn.Close()
		return nil
	}
}

// given returns the parameters, or their defaults where there are none. Another
// type is a fault of whoever did not let target.Check refuse it.
func given[T any](params any) T {
	if params == nil {
		var defaults T
		return defaults
	}
	return *params.(*T)
}

// at is the address with another port; 0 keeps it.
func at(to netip.AddrPort, port int) netip.AddrPort {
	if port == 0 {
		return to
	}
	return netip.AddrPortFrom(to.Addr(), uint16(port))
}

// connect opens a connection on which nothing waits longer than ctx lasts. The
// caller closes it.
func connect(ctx context.Context, dial Dial, to netip.AddrPort) (net.Conn, error) {
	conn, err := dial(ctx, to)
	if err != nil {
		return nil, while("a connection", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	return &bound{Conn: conn, release: stop}, nil
}

// bound is a connection tied to a context.
type bound struct {
	net.Conn
	release func() bool
}

// Close closes the connection and lets go of the context.
func (b *bound) Close() error {
	b.release()
	return b.Conn.Close()
}
