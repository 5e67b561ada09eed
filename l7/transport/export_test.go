package transport

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
)

// Handshake greets the target at an address on a new connection to it, and
// returns the connection to use, or conn itself where targets are greeted in
// plain text. On an error, conn is closed.
func (t *Transport) Handshake(ctx context.Context, conn net.Conn, to netip.AddrPort) (net.Conn, error) {
	config := t.Config(to)
	if config == nil {
		return conn, nil
	}
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, &HandshakeError{to, err}
	}
	return secure, nil
}
