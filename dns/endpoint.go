package dns

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"syscall"
	"time"

	"portico/internal/clock"
	"portico/internal/netx"
	"portico/spec"
)

const (
	// socketsMax is how many UDP sockets share one address: one for each core,
	// up to where the sockets of one address stop being what is scarce.
	socketsMax = 4
	// bindTries is how often a port of the kernel's choice is tried until it is
	// free for both transports.
	bindTries = 10
	// graceMax bounds how long TCP connections may take to end.
	graceMax = 2 * time.Second
)

// endpoint is one address that is listened on, over both transports.
type endpoint struct {
	want     netip.AddrPort // as the spec says, maybe with port 0
	at       netip.AddrPort // as it is bound
	udp      []*net.UDPConn
	listener *net.TCPListener
	conns    *conns
	counters *counters
	server   *Server
	log      *slog.Logger

	cancel  context.CancelFunc // nil until serve
	running sync.WaitGroup
}

// open binds an address. The TCP socket comes first: it refuses an address that
// another process has, where UDP sockets that are meant to be shared would not.
func (s *Server) open(addr netip.AddrPort) (*endpoint, error) {
	for try := 1; ; try++ {
		e, err := s.tryOpen(addr)
		if err == nil || addr.Port() != 0 || try == bindTries || !errors.Is(err, syscall.EADDRINUSE) {
			return e, err
		}
	}
}

func (s *Server) tryOpen(addr netip.AddrPort) (*endpoint, error) {
	l, err := netx.Listen(context.Background(), addr)
	if err != nil {
		return nil, err
	}
	e := &endpoint{want: addr, listener: l, at: l.Addr().(*net.TCPAddr).AddrPort(), server: s}
	e.at = netip.AddrPortFrom(e.at.Addr().Unmap(), e.at.Port())
	for range min(runtime.GOMAXPROCS(0), socketsMax) {
		c, err := listenUDP(e.at)
		if err != nil {
			e.close()
			return nil, fmt.Errorf("listen %s over UDP: %w", addr, cause(err))
		}
		e.udp = append(e.udp, c)
		if !sharesUDP {
			break
		}
	}
	e.log = s.log.With("listen", e.at)
	if s.counters[addr] == nil {
		s.counters[addr] = new(counters)
	}
	e.counters = s.counters[addr]
	e.conns = newConns(e)
	return e, nil
}

// cause is what the kernel said.
func cause(err error) error {
	if no := syscall.Errno(0); errors.As(err, &no) {
		return no
	}
	return err
}

// close closes sockets that were never served.
func (e *endpoint) close() {
	_ = e.listener.Close()
	for _, c := range e.udp {
		_ = c.Close()
	}
}

// serve starts answering.
func (e *endpoint) serve() {
	ctx, cancel := context.WithCancel(context.Background())
	e.cancel = cancel
	for i, c := range e.udp {
		r := &responder{table: &e.server.table, stats: &e.counters.stats[overUDP][i]}
		e.running.Go(func() {
			serveUDP(c, r, e.log)
			_ = c.Close()
		})
	}
	e.running.Go(func() { netx.Accept(ctx, e.listener, e.log, e.conns.accept) })
}

// stop closes the sockets, after what they have received is answered; TCP
// connections may end within the grace. It returns at once, and from then on the
// address may be bound again.
func (e *endpoint) stop(grace time.Duration) {
	_ = e.listener.Close()
	e.conns.end(grace)
	if e.cancel == nil {
		e.close()
		return
	}
	e.cancel()
	for _, c := range e.udp {
		_ = c.SetReadDeadline(clock.Now()) // its loop empties and closes it
	}
}

// wait waits until everything of the endpoint has ended.
func (e *endpoint) wait() {
	e.running.Wait()
	e.conns.wait()
}

// grace is how long TCP connections may take to end. The caller holds mu.
func (s *Server) grace() time.Duration {
	if s.drain == spec.Off {
		return graceMax
	}
	return min(s.drain.D(), graceMax)
}

// network names the family of an address for package net. With it, an IPv6
// socket takes no IPv4.
func network(a netip.Addr) string {
	if a.Is4() {
		return "udp4"
	}
	return "udp6"
}
