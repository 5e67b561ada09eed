package bfd

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"

	"portico/internal/clock"
)

// The ports of RFC 5881 and RFC 5883.
const (
	portOneHop   = 3784
	portSomeHops = 4784
)

// ttl is what packets over one hop are sent with, and must arrive with (RFC 5881,
// section 5): nobody further away can forge it.
const ttl = 255

// farewells are the packets that say AdminDown, so that one may be lost.
const (
	farewells     = 3
	farewellEvery = 20 * time.Millisecond
)

// queued packets of one session; more than one waits only after we were asleep.
const queued = 8

// Options are those of one session.
type Options struct {
	Settings
	Local, Remote netip.Addr // a link-local address has its zone
	// Hops is how far the router is; 0 means on a link of ours.
	Hops int
	// Changed is called with each new state, from one goroutine; it must not block.
	// lost says that the other end fell silent.
	Changed func(s State, lost bool)
}

// Endpoint shares a socket among the sessions of one local address. Its zero value
// is ready.
type Endpoint struct {
	mu        sync.Mutex // guards receivers
	receivers map[netip.AddrPort]*receiver
}

// receiver is the socket that the packets for one local address come to.
type receiver struct {
	conn     *net.UDPConn
	sessions sync.Map // of netip.Addr to *Watch
	open     int      // sessions; guarded by Endpoint.mu
	done     chan struct{}
}

// Watch is a session that runs.
type Watch struct {
	o        Options
	session  *Session // of the goroutine run alone
	state    atomic.Uint32
	out      *net.UDPConn
	packets  chan Packet
	heard    chan struct{} // closed with the first packet that was taken
	stop     chan struct{}
	finished chan struct{}
	release  func()
}

// Watch starts a session. It fails when the local address or its port cannot be
// had, or when the other end has a session already. Close ends it.
func (e *Endpoint) Watch(o Options) (*Watch, error) {
	w := &Watch{
		o: o, session: NewSession(o.Settings, discriminator(o.Local, o.Remote)), packets: make(chan Packet, queued),
		heard: make(chan struct{}), stop: make(chan struct{}), finished: make(chan struct{}),
	}
	w.state.Store(uint32(Down))
	release, err := e.register(w)
	if err != nil {
		return nil, err
	}
	w.release = release
	if w.out, err = dial(o.Local, o.Remote, port(o.Hops)); err != nil {
		release()
		return nil, err
	}
	go w.run()
	return w, nil
}

// discriminator is the same for each process of a node, so that a router takes what
// a process says of the session of the one before it.
func discriminator(local, remote netip.Addr) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(local.String() + " " + remote.String()))
	return h.Sum32() | 1 // never 0
}

// Bury says AdminDown for the session of a process that was killed, which its router
// may hold on to until the time of detection passed. The router takes that from who
// knows its discriminator alone, so it waits for a packet, at most for the bound.
func (e *Endpoint) Bury(ctx context.Context, o Options, bound time.Duration) error {
	o.Changed = func(State, bool) {}
	w, err := e.Watch(o)
	if err != nil {
		return err
	}
	defer w.Close()
	wait := time.NewTimer(bound)
	defer wait.Stop()
	select {
	case <-w.heard:
	case <-wait.C:
	case <-ctx.Done():
	}
	return nil
}

func port(hops int) uint16 {
	if hops > 0 {
		return portSomeHops
	}
	return portOneHop
}

// register gives the packets of a session's router to it.
func (e *Endpoint) register(w *Watch) (release func(), err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	at := netip.AddrPortFrom(w.o.Local, port(w.o.Hops))
	r, ok := e.receivers[at]
	if !ok {
		if r, err = receive(at, w.o.Hops); err != nil {
			return nil, err
		}
		if e.receivers == nil {
			e.receivers = map[netip.AddrPort]*receiver{}
		}
		e.receivers[at] = r
	}
	if _, taken := r.sessions.LoadOrStore(w.o.Remote, w); taken {
		return nil, fmt.Errorf("bfd: %v has a session already", w.o.Remote)
	}
	r.open++
	return func() { e.unregister(at, r, w) }, nil
}

func (e *Endpoint) unregister(at netip.AddrPort, r *receiver, w *Watch) {
	e.mu.Lock()
	defer e.mu.Unlock()
	r.sessions.Delete(w.o.Remote)
	if r.open--; r.open == 0 {
		delete(e.receivers, at)
		_ = r.conn.Close()
		<-r.done
	}
}

// receive listens for packets. Each address has a socket of its own, so that other
// nodes of the machine, or a routing daemon, keep theirs.
func receive(at netip.AddrPort, hops int) (*receiver, error) {
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
	if err != nil {
		return nil, fmt.Errorf("bfd: %w", err)
	}
	read, err := reader(conn, at.Addr())
	if err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("bfd: %w", err)
	}
	r := &receiver{conn: conn, done: make(chan struct{})}
	go r.run(read, hops)
	return r, nil
}

// run hands packets on until the socket is closed.
func (r *receiver) run(read readFunc, hops int) {
	defer close(r.done)
	b := make([]byte, 256) // packets have 24 bytes
	for {
		n, hopLimit, from, err := read(b)
		if err != nil {
			return
		}
		p, err := Parse(b[:n])
		if err != nil || (hops == 0 && hopLimit != ttl) {
			continue
		}
		if w, ok := r.sessions.Load(from); ok {
			select {
			case w.(*Watch).packets <- p:
			default: // a flood; what is queued is as good
			}
		}
	}
}

// readFunc reads a packet, its TTL or hop limit (0 when that is not known), and who
// sent it.
type readFunc func(b []byte) (n, hopLimit int, from netip.Addr, err error)

func reader(conn *net.UDPConn, local netip.Addr) (readFunc, error) {
	address := func(a net.Addr) netip.Addr {
		if u, ok := a.(*net.UDPAddr); ok {
			return u.AddrPort().Addr().Unmap()
		}
		return netip.Addr{}
	}
	if local.Is4() {
		c := ipv4.NewPacketConn(conn)
		return func(b []byte) (int, int, netip.Addr, error) {
			n, m, a, err := c.ReadFrom(b)
			if err != nil || m == nil {
				return n, 0, address(a), err
			}
			return n, m.TTL, address(a), nil
		}, c.SetControlMessage(ipv4.FlagTTL, true)
	}
	c := ipv6.NewPacketConn(conn)
	return func(b []byte) (int, int, netip.Addr, error) {
		n, m, a, err := c.ReadFrom(b)
		if err != nil || m == nil {
			return n, 0, address(a), err
		}
		return n, m.HopLimit, address(a), nil
	}, c.SetControlMessage(ipv6.FlagHopLimit, true)
}

// The source ports that RFC 5881, section 4, allows.
const (
	sourceMin   = 49152
	sourceCount = 65536 - sourceMin
	sourceTries = 20 // one is free unless most are taken
)

func dial(local, remote netip.Addr, port uint16) (conn *net.UDPConn, err error) {
	to := net.UDPAddrFromAddrPort(netip.AddrPortFrom(remote, port))
	for range sourceTries {
		from := netip.AddrPortFrom(local, uint16(sourceMin+rand.IntN(sourceCount)))
		if conn, err = net.DialUDP("udp", net.UDPAddrFromAddrPort(from), to); err == nil {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("bfd: %w", err)
	}
	if local.Is4() {
		err = ipv4.NewConn(conn).SetTTL(ttl)
	} else {
		err = ipv6.NewConn(conn).SetHopLimit(ttl)
	}
	if err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("bfd: %w", err)
	}
	return conn, nil
}

// State is that of our end.
func (w *Watch) State() State { return State(w.state.Load()) }

// Close says AdminDown to the other end, a few times, and ends the session.
func (w *Watch) Close() {
	close(w.stop)
	<-w.finished
}

// run steps the session until Close.
func (w *Watch) run() {
	defer close(w.finished)
	defer w.release()
	defer func() { _ = w.out.Close() }()
	send, expire := time.NewTimer(0), time.NewTimer(slow)
	defer send.Stop()
	defer expire.Stop()
	for heard := false; ; {
		changed := false
		select {
		case <-w.stop:
			w.farewell()
			return
		case p := <-w.packets:
			var final bool
			before := w.session.Interval()
			if changed, final = w.session.Receive(clock.Now(), p); final {
				w.write(w.session.Final())
			}
			if w.session.Knows() && !heard {
				heard = true
				close(w.heard)
			}
			if changed || w.session.Interval() < before {
				send.Reset(0) // the other end waits for it; a shorter interval holds at once (section 6.8.3)
			}
		case <-send.C:
			if w.session.Interval() > 0 {
				w.write(w.session.Packet())
			}
			send.Reset(jitter(max(w.session.Interval(), w.o.Interval)))
		case <-expire.C:
			changed = w.expire()
		}
		if w.session.State() > Down {
			expire.Reset(max(0, w.session.Deadline().Sub(clock.Now())))
		}
		if changed {
			w.state.Store(uint32(w.session.State()))
			w.o.Changed(w.session.State(), w.session.Lost())
		}
	}
}

// expire looks at the deadline, unless packets wait that arrived before it.
func (w *Watch) expire() (changed bool) {
	now := clock.Now()
	if len(w.packets) > 0 {
		return false
	}
	if w.session.State() > Down && now.Sub(w.session.Deadline()) > w.o.Interval {
		// It was us who slept: the router has one more interval to be heard in.
		w.session.Forgive(now)
	}
	return w.session.Expire(now)
}

func (w *Watch) farewell() {
	w.session.Close()
	every := time.NewTicker(farewellEvery)
	defer every.Stop()
	for range farewells {
		w.write(w.session.Packet())
		<-every.C
	}
}

// write sends a packet; one that is lost is sent again in time.
func (w *Watch) write(p Packet) { _, _ = w.out.Write(p.Append(make([]byte, 0, size))) }

// jitter takes up to a quarter off, so that sessions do not fall into step (RFC
// 5880, section 6.8.7).
func jitter(d time.Duration) time.Duration { return d - rand.N(d/4+1) }
