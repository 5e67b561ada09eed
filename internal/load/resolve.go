package load

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"portico/internal/clock"
	"portico/internal/netx"
)

const (
	serverTimeout = time.Second     // then the next server is asked
	rounds        = 2               // over all servers
	systemTTL     = 5 * time.Second // the system does not say how long an answer holds
)

// errNoServer means that no server gave any answer.
var errNoServer = errors.New("no server answered")

// resolver is the stub of one client: it asks for one name and remembers the
// answer as long as its TTL says, and no longer. Requests that want the answer
// while it is asked for wait for the same one.
type resolver struct {
	life   context.Context // of the run; lookups outlive the request that began them
	plan   *plan
	source netip.Addr
	stats  *stats

	lookups sync.WaitGroup

	mu      sync.Mutex // guards what follows
	first   int        // the server to ask first: the one that answered last
	asking  *lookup    // under way, or nil
	answer  netip.Addr
	expires time.Time
}

// lookup is one round of questions that several requests may wait for.
type lookup struct {
	done   chan struct{} // closed when the rest is set
	answer netip.Addr
	err    error
}

// resolve returns the first address of the answer.
func (r *resolver) resolve(ctx context.Context) (netip.Addr, error) {
	if r.plan.literal.IsValid() {
		return r.plan.literal, nil
	}
	r.mu.Lock()
	if clock.Now().Before(r.expires) {
		defer r.mu.Unlock()
		return r.answer, nil
	}
	if r.asking == nil {
		r.asking = &lookup{done: make(chan struct{})}
		l := r.asking
		r.lookups.Go(func() { r.ask(l) })
	}
	l := r.asking
	r.mu.Unlock()
	select {
	case <-l.done:
		return l.answer, l.err
	case <-ctx.Done():
		return netip.Addr{}, ctx.Err()
	}
}

// ask looks the name up and ends the lookup. A failure is not remembered: the
// next request asks again, as a program without a cache of failures does.
func (r *resolver) ask(l *lookup) {
	r.mu.Lock()
	first := r.first
	r.mu.Unlock()
	got, server, err := r.lookup(r.life, first)
	r.stats.resolved(err)

	r.mu.Lock()
	defer r.mu.Unlock()
	r.asking, r.first = nil, server
	if l.err = err; err == nil {
		l.answer = got.addresses[0]
		r.answer, r.expires = l.answer, clock.Now().Add(got.ttl)
	}
	close(l.done)
}

// lookup asks for IPv4 addresses, then for IPv6 where there are none.
func (r *resolver) lookup(ctx context.Context, first int) (got reply, server int, err error) {
	if len(r.plan.DNS) == 0 {
		got, err = r.system(ctx)
		return got, first, err
	}
	name, err := dnsmessage.NewName(r.plan.host + ".")
	if err != nil {
		return reply{}, first, fmt.Errorf("name %q: %w", r.plan.host, err)
	}
	server = first
	for _, kind := range []dnsmessage.Type{dnsmessage.TypeA, dnsmessage.TypeAAAA} {
		got, server, err = r.servers(ctx, server, name, kind)
		if err != nil || len(got.addresses) > 0 {
			return got, server, err
		}
	}
	return reply{}, server, fmt.Errorf("name %q: no address (%s)", r.plan.host, got.rcode)
}

// servers asks one server after the other, beginning with the one that answered
// last, until one answers with addresses, none (NODATA) or no such name.
func (r *resolver) servers(ctx context.Context, first int, name dnsmessage.Name, kind dnsmessage.Type) (reply, int, error) {
	last := errNoServer
	for i := range rounds * len(r.plan.DNS) {
		n := (first + i) % len(r.plan.DNS)
		got, err := r.exchange(ctx, r.plan.DNS[n], name, kind)
		switch {
		case err != nil:
			r.stats.serverFailed()
		case got.rcode == dnsmessage.RCodeSuccess, got.rcode == dnsmessage.RCodeNameError:
			return got, n, nil
		default: // it cannot or will not say
			last = fmt.Errorf("server %s: %s", r.plan.DNS[n], got.rcode)
		}
		if ctx.Err() != nil {
			return reply{}, first, ctx.Err()
		}
	}
	return reply{}, first, fmt.Errorf("name %q: %w", r.plan.host, last)
}

func (r *resolver) system(ctx context.Context) (reply, error) {
	ctx, cancel := context.WithTimeout(ctx, r.plan.Timeout)
	defer cancel()
	addresses, err := net.DefaultResolver.LookupNetIP(ctx, "ip", r.plan.host)
	if err != nil {
		return reply{}, err
	}
	for i := range addresses {
		addresses[i] = addresses[i].Unmap()
	}
	return reply{addresses: addresses, ttl: systemTTL}, nil
}

// exchange asks one server over UDP, and over TCP when the answer did not fit.
func (r *resolver) exchange(ctx context.Context, server netip.AddrPort, name dnsmessage.Name, kind dnsmessage.Type) (reply, error) {
	ctx, cancel := context.WithTimeout(ctx, serverTimeout)
	defer cancel()
	id := uint16(rand.Uint32())
	question, err := query(id, name, kind)
	if err != nil {
		return reply{}, err
	}
	got, err := r.overUDP(ctx, server, question, func(m []byte) (reply, error) { return parseReply(m, id, name, kind) })
	if err != nil || !got.truncated {
		return got, err
	}
	message, err := r.overTCP(ctx, server, question)
	if err != nil {
		return reply{}, err
	}
	return parseReply(message, id, name, kind)
}

// overUDP waits for the reply among whatever else arrives.
func (r *resolver) overUDP(ctx context.Context, server netip.AddrPort, question []byte, parse func([]byte) (reply, error)) (reply, error) {
	dialer := net.Dialer{}
	if r.source.IsValid() && r.source.Is4() == server.Addr().Is4() {
		dialer.LocalAddr = net.UDPAddrFromAddrPort(netip.AddrPortFrom(r.source, 0))
	}
	conn, err := dialer.DialContext(ctx, "udp", server.String())
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = conn.Close() }()
	stop := closeWith(ctx, conn)
	defer stop()
	if _, err := conn.Write(question); err != nil {
		return reply{}, err
	}
	buf := make([]byte, udpSizeMax)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return reply{}, err
		}
		if got, err := parse(buf[:n]); err == nil {
			return got, nil
		}
	}
}

// overTCP asks with the length before each message (RFC 1035, section 4.2.2).
func (r *resolver) overTCP(ctx context.Context, server netip.AddrPort, question []byte) ([]byte, error) {
	conn, err := netx.Dialer{Source: r.source}.Dial(ctx, server)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	stop := closeWith(ctx, conn)
	defer stop()
	if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(question))), question...)); err != nil {
		return nil, err
	}
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return nil, err
	}
	message := make([]byte, binary.BigEndian.Uint16(length[:]))
	_, err = io.ReadFull(conn, message)
	return message, err
}

// closeWith ends reads and writes of conn when ctx ends. The function it returns
// must be called.
func closeWith(ctx context.Context, conn net.Conn) (stop func() bool) {
	return context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
}
