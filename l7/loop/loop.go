// Package loop is the boundary between the L7 tier and what moves its bytes.
//
// What comes in: addresses to listen on, and a Service that says what is served
// there. What goes out: connections to targets, and the bytes that machines of
// l7/exchange ask to be sent.
//
// A driver never decides anything about a request; it reads PROXY headers, does
// TLS, accepts, dials, pools, reads and writes, and executes actions.
//
// Start reading at Driver; package engine is what stands behind it, and a Poller
// is what its loops wait with.
package loop

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net/netip"
	"time"

	"portico/internal/netx"
	"portico/l7/exchange"
)

// Service is what is served on one socket. Its answers may change between calls
// (a new spec); each is asked anew for every connection.
type Service interface {
	// Listener is the one a connection to vip belongs to, or nil. It is the same
	// value for as long as that listener is served.
	Listener(vip netip.Addr) Listener
	// ProxyFrom are those that must, and alone may, connect, and send a PROXY v2
	// header first. Empty means that clients connect directly, without one.
	ProxyFrom() []netip.Addr
	// Ready is the answer to the readiness probe of an l4 node.
	Ready() bool
	// Refused observes a connection that was closed before any request, and the
	// error that says more of why.
	Refused(peer netip.AddrPort, why Refusal, err error)
}

// Listener is one listener of a Service, for as long as the connections it took.
type Listener interface {
	// Handler is the one for a new request.
	Handler() exchange.Handler
	// TLS is how clients are greeted; nil means in plain text.
	TLS() *tls.Config
	// Opened counts a connection; where it is not ok it is refused, and why says for
	// what limit.
	Opened(now time.Time) (why Refusal, ok bool)
	// Closed counts it as over; called once for each Opened that was ok.
	Closed()
}

// Refusal is why a connection was closed before any request.
type Refusal uint8

// The refusals.
const (
	TooMany      Refusal = iota // the listener's limit of connections
	TooFast                     // the listener's limit of new ones in a while
	NotTrusted                  // not one of ProxyFrom
	BadProxy                    // no PROXY header, or a bad or late one
	NoListener                  // no listener has that VIP
	BadHandshake                // the TLS handshake failed or took too long
)

// String is the refusal's stable name, for logs and labels.
func (r Refusal) String() string {
	switch r {
	case TooMany:
		return "too-many"
	case TooFast:
		return "too-fast"
	case NotTrusted:
		return "not-trusted"
	case BadProxy:
		return "bad-proxy-header"
	case NoListener:
		return "no-listener"
	case BadHandshake:
		return "bad-handshake"
	}
	return "unknown"
}

// Dialer opens connections to targets without waiting for them.
type Dialer interface {
	// Connect begins to connect and returns the socket, non-blocking, which can be
	// written when connecting is done. The caller closes it.
	Connect(to netip.AddrPort, o netx.Options) (fd int, err error)
	// Connected reports how connecting ended, once the socket can be written.
	Connected(fd int, to netip.AddrPort) error
}

// Options are what every driver needs.
type Options struct {
	// Dialer opens connections to targets.
	Dialer Dialer
	// Log takes what an operator should know; nil discards it.
	Log *slog.Logger
	// Loops is how many event loops there are; 0 means one for each core that the
	// process may use.
	Loops int
	// Connections bounds those of clients, in equal parts for each loop; one more
	// is refused. 0 means as many as the file table has room for.
	Connections int
	// PoolIdle is how long a connection to a target is kept for its next
	// request; 0 means 30 s, a negative value that none is kept.
	PoolIdle time.Duration
	// PingAfter is after how much silence a target that has requests in streams is
	// asked whether it lives; it has as long again to answer. 0 means 15 s.
	PingAfter time.Duration
	// PoolPerTarget bounds the idle connections to one target, in equal parts for
	// each loop; 0 means 256.
	PoolPerTarget int
	// PoolTotal bounds the idle connections to all targets likewise; 0 means 4096.
	PoolTotal int
}

// Driver moves the bytes of connections. Its methods are safe for use by several
// goroutines, but for those of handlers.
type Driver interface {
	// Listen binds an address. Connections wait until the socket is served.
	Listen(ctx context.Context, addr netip.AddrPort, o netx.Options) (Socket, error)
	// Retain closes the idle connections to addresses that are not wanted any more.
	Retain(wanted func(netip.AddrPort) bool)
	// Retire drains the connections of listeners that are served no more, or with
	// reset ends them at once. It does not wait: Listener.Closed tells. The
	// Service must not name such a listener any more.
	Retire(gone func(Listener) bool, reset bool)
	// Leave makes every connection end with its next answer, and leaves idle ones
	// alone until then: clients move over, and none finds its connection closed.
	Leave()
	// Drain closes idle connections after a short grace, lets requests finish,
	// and returns when none is left, or with ctx's error. Sockets must be closed before.
	Drain(ctx context.Context) error
	// Close closes sockets, resets every connection at once, and ends the loops.
	Close() error
	// Bound is how many bytes requests and answers under way may hold, in equal parts
	// for each loop; 0 means no bound.
	Bound(bytes int64)
	// Stats counts what is open now.
	Stats() Stats
}

// Socket is a listening address.
type Socket interface {
	// Addr is where it listens.
	Addr() netip.AddrPort
	// Serve accepts connections until Close; it does not wait and is called once.
	// It survives whatever an accept fails with, such as a full file table.
	Serve(svc Service)
	// Tune gives connections that are accepted from now on other options.
	Tune(o netx.Options) error
	// Close stops accepting; the connections live on.
	Close()
}

// Stats counts what a driver holds.
type Stats struct {
	Clients int // connections of clients
	Targets int // connections to targets in use
	Idle    int // pooled connections to targets
	// Lag is how long what becomes ready waits in the loop that is the latest.
	Lag time.Duration
	// Held is how many bytes requests and answers under way hold.
	Held int64
}
