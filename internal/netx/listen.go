package netx

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"portico/internal/capability"
)

// Listen opens a listening socket on exactly this address: 0.0.0.0 takes no IPv6
// and [::] no IPv4. The address may be one a stopped process used a moment ago
// (SO_REUSEADDR). Connections have keepalive on. The error says what is wrong
// and what to do: "listen 127.0.0.1:80: permission denied; …".
func Listen(ctx context.Context, addr netip.AddrPort) (*net.TCPListener, error) {
	return listen(ctx, unmap(addr), Options{}, false)
}

// ListenMany is Listen for n sockets on one address, among which the kernel
// spreads connections by a hash of their addresses. An address that someone else
// has is an error as ever; that it is shared begins with the first socket. A
// system that cannot share gives one socket. The caller closes all; those that
// wait to be accepted on one that is closed are reset, so close all or none while
// clients come.
func ListenMany(ctx context.Context, addr netip.AddrPort, n int, o Options) ([]*net.TCPListener, error) {
	addr = unmap(addr)
	first, err := listen(ctx, addr, o, false)
	if err != nil {
		return nil, err
	}
	all := []*net.TCPListener{first}
	if n <= 1 || !canShare {
		return all, nil
	}
	// Only now: before bind it would let in whoever shares the address already.
	err = control(first, share)
	at := AddrPort(first.Addr()) // with the port, where the kernel chose it
	for i := 1; i < n && err == nil; i++ {
		var l *net.TCPListener
		if l, err = listen(ctx, at, o, true); err == nil {
			all = append(all, l)
		}
	}
	if err != nil {
		for _, l := range all {
			_ = l.Close()
		}
		return nil, err
	}
	return all, nil
}

// Tune gives a listening socket other options; connections that it accepts from
// then on have them.
func Tune(l *net.TCPListener, o Options) error {
	return control(l, func(fd int) error { return TuneFD(fd, AddrPort(l.Addr()), o) })
}

// TuneFD is Tune for the file descriptor of a socket that listens on addr.
func TuneFD(fd int, addr netip.AddrPort, o Options) error {
	if err := retune(fd, &o); err != nil {
		return fmt.Errorf("listen %s: %w", addr, err)
	}
	return nil
}

// listen opens one socket; shared lets it join those that have the address.
func listen(ctx context.Context, addr netip.AddrPort, o Options, shared bool) (*net.TCPListener, error) {
	config := net.ListenConfig{KeepAliveConfig: o.keepAliveConfig()}
	config.Control = func(_, _ string, c syscall.RawConn) error {
		return controlRaw(c, func(fd int) error {
			if shared {
				if err := share(fd); err != nil {
					return err
				}
			}
			return tuneListener(fd, &o)
		})
	}
	if acceptInheritsKeepAlive || o.keepAlive() == 0 {
		config.KeepAlive, config.KeepAliveConfig = -1, net.KeepAliveConfig{}
	}
	// The subflows of a multipath connection may reach another node.
	config.SetMultipathTCP(false)
	l, err := config.Listen(ctx, network(addr.Addr()), addr.String())
	if err != nil {
		return nil, listenError(addr, err)
	}
	tcp := l.(*net.TCPListener)
	if o.Backlog > 0 {
		if err := control(tcp, func(fd int) error { return backlog(fd, &o) }); err != nil {
			_ = tcp.Close()
			return nil, listenError(addr, err)
		}
	}
	return tcp, nil
}

func listenError(addr netip.AddrPort, err error) error {
	worded := reword("listen", addr, err)
	open := capability.OpenPort()
	switch {
	case errors.Is(err, syscall.EACCES) && addr.Port() < open:
		return fmt.Errorf("%w; %s, or use a port from %d", worded, capability.NetBindService.Grant(), open)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("%w; %s is not an address of this machine", worded, addr.Addr())
	}
	return worded
}
