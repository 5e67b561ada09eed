package relay

import (
	"net"
	"net/netip"
	"slices"
	"sync/atomic"

	"portico/internal/netx"
	"portico/l4"
	"portico/spec"
)

// bind is one listening socket.
type bind struct {
	relay   *Relay
	address netip.AddrPort
	socket  *net.TCPListener
	tcp     spec.ListenerTCP      // guarded by relay.mu
	tally   atomic.Pointer[tally] // of the listener it serves now

	active atomic.Int64
	total  atomic.Uint64
	failed atomic.Uint64
}

// tune sets the options of flows to come; the caller holds r.mu. Those that a
// kernel refuses are refused when a socket is opened, too, but here its flows come
// first.
func (b *bind) tune(tcp spec.ListenerTCP) {
	if tcp == b.tcp {
		return
	}
	b.tcp = tcp
	if err := netx.Tune(b.socket, netx.ListenerOptionsOf(&tcp)); err != nil {
		b.relay.o.Log.Error("tcp options not set", "error", err)
	}
}

// serve accepts on b until it is closed. The caller holds
// r.mu and has seen that the relay is not draining.
func (r *Relay) serve(b *bind) {
	log := r.o.Log.With("address", b.address)
	r.accepting.Go(func() { netx.Accept(r.running, b.socket, log, b.take) })
}

// take starts a flow for a connection, or resets it where a limit is reached or
// it is a probe that must see the node leave.
func (b *bind) take(client *net.TCPConn) {
	s := b.relay.state.Load()
	t := b.tally.Load()
	t.active.Add(1)
	b.active.Add(1)
	b.total.Add(1)
	f := &flow{relay: b.relay, bind: b, tally: t, client: client, tuple: b.tuple(client)}
	switch probers := b.relay.leaving.Load(); {
	case probers != nil && slices.Contains(*probers, f.tuple.Client.Addr()):
		f.end(Leaving)
	case b.full(s.table, t) || !b.relay.flows.add(f, b.relay.flowsMax):
		f.end(Limit)
	default:
		b.relay.open.Go(f.run)
		return
	}
	netx.Reset(client)
	f.leave()
}

// full reports whether the listener has more flows than it may.
func (b *bind) full(table *l4.Table, t *tally) bool {
	l := table.Listener(b.address)
	return l != nil && l.FlowsMax > 0 && t.active.Load() > int64(l.FlowsMax)
}

// tuple is the flow as l4.Decide knows it: the VIP is the one the client meant,
// which on a wildcard address only the connection tells.
func (b *bind) tuple(client *net.TCPConn) l4.Flow {
	f := l4.Flow{Client: netx.AddrPort(client.RemoteAddr()), VIP: b.address}
	if b.address.Addr().IsUnspecified() {
		f.VIP = netx.AddrPort(client.LocalAddr())
	}
	return f
}
