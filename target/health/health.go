// Package health asks a target whether it serves, and decides from the answers
// whether it is healthy.
//
// What comes in: for a check, a way to connect and an address; for State, the
// results of the checks one after the other. What goes out: an error that says
// in a few words what was wrong; and a verdict with its reason and history.
//
// The decision (state.go) is pure: no clock, socket or goroutine. A check makes
// one connection, asks one question and is done; when to ask again, and what to
// do about the verdict, is for package target.
//
// One check is one file and one line in All. Start reading at state.go, then
// tcp.go.
package health

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
)

// Dial opens a connection for a probe.
type Dial func(ctx context.Context, to netip.AddrPort) (net.Conn, error)

// Probe asks the target at an address once. It returns nil when the target
// passed, and otherwise what was wrong in words for an operator; see Reason. It
// ends when ctx does, and leaves nothing open.
type Probe func(ctx context.Context, dial Dial, to netip.AddrPort) error

// Check is one entry of All.
type Check struct {
	Name    string
	Summary string
	Params  func() any // see spec.Kind; nil means no parameters
	// Internal says that the check is for what the tiers imply for themselves,
	// and that no user writes it.
	Internal bool
	// New makes the probe; nil params are the defaults.
	New func(params any, o Options) Probe
}

// Options are what a probe needs to know of the target group.
type Options struct {
	// TLS is how its targets are greeted, for checks that use TLS; nil means that
	// the group does not say.
	TLS *tls.Config
}

// The names that other packages write into a spec.
const (
	TCPName   = "tcp"
	HTTPName  = "http"
	HTTPSName = "https"
	// Ready is how l4 nodes ask l7 nodes; see ready.go.
	Ready = "ready"
)
