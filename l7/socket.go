package l7

import (
	"crypto/tls"
	"net/netip"
	"sync/atomic"
	"time"

	"portico/internal/netx"
	"portico/l7/exchange"
	"portico/l7/loop"
	"portico/l7/tlsx"
	"portico/spec"
)

// socket is one listening socket; it is the loop.Service of its connections.
type socket struct {
	s       *Server
	ln      loop.Socket
	serving bool             // guarded by s.mu
	tcp     spec.ListenerTCP // guarded by s.mu
	bound   atomic.Pointer[bound]
}

// bound is what is served on a socket: one value for each spec.
type bound struct {
	bind spec.Bind
	live map[*spec.Listener]*listener // of bind.Listeners
}

// serve starts accepting; the caller holds s.mu.
func (k *socket) serve() {
	if !k.serving {
		k.serving = true
		k.ln.Serve(k)
	}
}

// tcpOf is how a socket is set: as the listener of its first VIP says, where it
// has several behind l4 nodes. Where clients' packets come wrapped, segments are as
// small as that takes.
func (s *Server) tcpOf(b *spec.Bind) spec.ListenerTCP {
	var first netip.Addr
	for vip := range b.Listeners {
		if !first.IsValid() || vip.Less(first) {
			first = vip
		}
	}
	tcp := b.Listeners[first].TCP
	if len(b.ProxyFrom) > 0 || s.o.SegmentMax == nil {
		return tcp
	}
	if most := s.o.SegmentMax(b.Address.Addr()); most > 0 && (tcp.MSS == 0 || most < tcp.MSS) {
		tcp.MSS = most
	}
	return tcp
}

// tune sets the options of connections to come. Those that a kernel refuses are
// refused when a socket is opened, too, but here its clients come first.
func (k *socket) tune(tcp spec.ListenerTCP) {
	if tcp == k.tcp {
		return
	}
	k.tcp = tcp
	if err := k.ln.Tune(netx.ListenerOptionsOf(&tcp)); err != nil {
		k.s.o.Log.Error("tcp options not set", "error", err)
	}
}

// close stops accepting.
func (k *socket) close() { k.ln.Close() }

// listeners lists what is served, each once.
func (k *socket) listeners() []*listener {
	var list []*listener
	if b := k.bound.Load(); b != nil {
		for _, l := range b.live {
			list = append(list, l)
		}
	}
	return list
}

// Listener is the one a connection to vip belongs to.
func (k *socket) Listener(vip netip.Addr) loop.Listener {
	b := k.bound.Load()
	if l := b.live[b.bind.For(vip)]; l != nil {
		return l
	}
	return nil
}

// ProxyFrom are the l4 nodes in front.
func (k *socket) ProxyFrom() []netip.Addr { return k.bound.Load().bind.ProxyFrom }

// Ready is whether l4 nodes should send flows here.
func (k *socket) Ready() bool { return k.s.ready.Load() }

// Refused counts a connection that ended before any request.
func (k *socket) Refused(_ netip.AddrPort, why loop.Refusal, err error) {
	k.s.metrics.refused[why].Inc()
	if why == loop.BadHandshake {
		k.s.metrics.handshakes[tlsx.Reason(err)].Inc()
	}
}

// listener is one listener on one socket, for as long as it is served there and
// its connections last. What the spec says of it is in the current handler.
type listener struct {
	s       *Server
	name    spec.ListenerName
	current atomic.Pointer[handler]
	gone    atomic.Bool // it is served no more

	active   atomic.Int64 // connections
	inFlight atomic.Int64 // requests, where Shedding bounds them
	total    atomic.Uint64
	failed   atomic.Uint64
}

// Handler is the one for a new request.
func (l *listener) Handler() exchange.Handler { return l.current.Load() }

// TLS is how clients of an https listener are greeted.
func (l *listener) TLS() *tls.Config { return l.current.Load().tls }

// Opened counts a connection, unless there are as many, or came as many, as the
// spec allows, or the listener was removed a moment ago.
func (l *listener) Opened(now time.Time) (why loop.Refusal, ok bool) {
	h := l.current.Load()
	limit := int64(h.spec.Limits.Connections)
	switch n := l.active.Add(1); {
	case l.gone.Load() || limit > 0 && n > limit:
		why = loop.TooMany
	case !h.rate.Take(now):
		why = loop.TooFast
	default:
		return why, true
	}
	l.active.Add(-1)
	return why, false
}

// Closed counts it as over.
func (l *listener) Closed() { l.active.Add(-1) }
