//go:build !linux

package dns

import (
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"

	"portico/dns/wire"
)

// sharesUDP says that several sockets share an address and the kernel spreads
// the datagrams over them.
const sharesUDP = false

// queryMax is the longest datagram that is read; a longer one is no query.
const queryMax = 2048

func listenUDP(addr netip.AddrPort) (*net.UDPConn, error) {
	return net.ListenUDP(network(addr.Addr()), net.UDPAddrFromAddrPort(addr))
}

func serveUDP(c *net.UDPConn, r *responder, log *slog.Logger) {
	var msg [queryMax]byte
	var rep [wire.SizeMax]byte
	for {
		n, from, err := c.ReadFromUDPAddrPort(msg[:])
		switch {
		case errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrDeadlineExceeded):
			return
		case err != nil:
			log.Debug("dns receive", "error", err)
			continue
		}
		if reply := r.udp(rep[:0], msg[:n], from.Addr().Unmap()); len(reply) > 0 {
			_, _ = c.WriteToUDPAddrPort(reply, from) // a lost reply is asked for again
		}
	}
}
