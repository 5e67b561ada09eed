package relay

import (
	"net/netip"
	"sync/atomic"
	"time"

	"portico/internal/clock"
	"portico/internal/netx"
	"portico/l4"
	"portico/spec"
)

// bind is one listening address: a socket for each loop, among which the kernel
// spreads flows.
type bind struct {
	relay   *Relay
	proto   l4.Proto
	address netip.AddrPort
	tcp     spec.ListenerTCP      // guarded by relay.mu
	tally   atomic.Pointer[tally] // of the listener it serves now
	logs    atomic.Bool           // flows are logged
	on      []socket              // one for each loop

	active atomic.Int64
	total  atomic.Uint64
	failed atomic.Uint64
}

// socket is the listening socket of one loop.
type socket interface {
	begin()
	close()
}

// newBind takes over listening sockets, one for each loop.
func newBind(r *Relay, p l4.Proto, address netip.AddrPort, fds []int) *bind {
	b := &bind{relay: r, proto: p, address: address}
	for i, fd := range fds {
		if p == l4.UDP {
			b.on = append(b.on, &receiver{bind: b, loop: r.loops[i], fd: fd, flows: map[tuple]*datagrams{}})
			continue
		}
		b.on = append(b.on, &acceptor{bind: b, loop: r.loops[i], fd: fd})
	}
	return b
}

// serves notes which listener it is of from now on. The caller holds r.mu.
func (b *bind) serves(l *l4.Listener, t *tally) {
	t.rate.Store(t.rate.Load().Keep(l.FlowRate, clock.Now()))
	b.tally.Store(t)
	b.logs.Store(l.Log)
}

// tune sets the options of flows to come; the caller holds r.mu. Those that a
// kernel refuses are refused when a socket is opened, too, but here its flows come
// first.
func (b *bind) tune(tcp spec.ListenerTCP) {
	if tcp == b.tcp || b.proto == l4.UDP {
		return
	}
	b.tcp = tcp
	for _, s := range b.on {
		a := s.(*acceptor)
		if err := netx.TuneFD(a.fd, b.address, netx.ListenerOptionsOf(&tcp)); err != nil {
			b.relay.o.Log.Error("tcp options not set", "error", err)
		}
	}
}

// take starts a flow for a connection, or resets it where a limit is reached or
// it is a probe that must see the node leave.
func (b *bind) take(l *loop, fd int, client netip.AddrPort) {
	t := b.tally.Load()
	f := &flow{life: life{loop: l, bind: b, tally: t, tuple: b.tuple(fd, client)}}
	f.start()
	f.client = end{flow: f, fd: fd, out: true, prompt: true} // as its listening socket is
	f.target = end{flow: f, fd: -1}
	if b.relay.isProbe(client.Addr()) {
		f.note(Leaving)
	} else if f.note(b.refuses(t, l.now)); f.why == open {
		f.begin()
		return
	}
	f.end()
	f.client.close(l, netx.ResetFD)
}

// refuses says why a flow that was counted as begun is not taken; it is open where
// it is, and then among those that the process has room for.
func (b *bind) refuses(t *tally, now time.Time) Reason {
	switch {
	case b.full(b.relay.state.Load().table, t):
		return Limit
	case !t.rate.Load().Take(now):
		return Rate
	case !b.relay.enter():
		return Limit
	}
	return open
}

// full reports whether the listener has more flows than it may.
func (b *bind) full(table *l4.Table, t *tally) bool {
	l := table.Listener(b.proto, b.address)
	return l != nil && l.FlowsMax > 0 && t.active.Load() > int64(l.FlowsMax)
}

// tuple is the flow as l4.Decide knows it: the VIP is the one the client meant,
// which on a wildcard address only the connection tells.
func (b *bind) tuple(fd int, client netip.AddrPort) l4.Flow {
	f := l4.Flow{Client: client, VIP: b.address}
	if b.address.Addr().IsUnspecified() {
		f.VIP = netx.LocalFD(fd)
	}
	return f
}

// close closes the sockets, those of udp once no flow is left; connections that wait in
// the kernel are reset.
func (b *bind) close() {
	b.relay.each(func(l *loop) { b.on[l.at].close() })
	if b.proto == l4.UDP {
		b.relay.each(func(l *loop) { b.on[l.at].(*receiver).shut() }) // now that none takes a new flow
	}
}

// serve starts accepting. The caller holds r.mu.
func (b *bind) serve() {
	b.relay.each(func(l *loop) { b.on[l.at].begin() })
}

// reopen has a bind of udp that was closed take flows again; the caller holds relay.mu.
// It is false where that is over: sockets are closed, or about to be.
func (b *bind) reopen() bool {
	count := func(do func(*receiver)) int {
		var open atomic.Int64
		b.relay.each(func(l *loop) {
			if r := b.on[l.at].(*receiver); r.fd >= 0 {
				do(r)
				open.Add(1)
			}
		})
		return int(open.Load())
	}
	if count(func(*receiver) {}) == len(b.on) && count(func(r *receiver) { r.closing = false }) == len(b.on) {
		return true
	}
	b.close()
	return false
}
