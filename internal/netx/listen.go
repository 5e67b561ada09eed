package netx

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
)

// firstOpenPort is the first port that an ordinary user may listen on, where
// the machine was not told otherwise.
const firstOpenPort = 1024

// Listen opens a listening socket on exactly this address: 0.0.0.0 takes no IPv6
// and [::] no IPv4. The address may be one a stopped process used a moment ago
// (SO_REUSEADDR). Connections have keepalive on. The error says what is wrong
// and what to do: "listen 127.0.0.1:80: permission denied; …".
func Listen(ctx context.Context, addr netip.AddrPort) (*net.TCPListener, error) {
	addr = unmap(addr)
	config := net.ListenConfig{Control: keepAliveOnAccept}
	if acceptInheritsKeepAlive {
		config.KeepAlive = -1
	}
	// The subflows of a multipath connection may reach another node.
	config.SetMultipathTCP(false)
	l, err := config.Listen(ctx, network(addr.Addr()), addr.String())
	if err != nil {
		return nil, listenError(addr, err)
	}
	return l.(*net.TCPListener), nil
}

func listenError(addr netip.AddrPort, err error) error {
	worded := reword("listen", addr, err)
	switch {
	case errors.Is(err, syscall.EACCES) && addr.Port() < firstOpenPort:
		return fmt.Errorf("%w; run as root, grant the binary the capability (setcap cap_net_bind_service=+ep), or use a port from %d", worded, firstOpenPort)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("%w; %s is not an address of this machine", worded, addr.Addr())
	}
	return worded
}
