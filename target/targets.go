// Package target is the end of the path: which targets exist, are healthy, are next.
package target

import (
	"context"
	"log/slog"
	"net"
	"net/netip"

	"github.com/prometheus/client_golang/prometheus"

	"portico/spec"
	"portico/spec/status"
)

// Options are what New needs.
type Options struct {
	// Dial opens connections for probes, from the node's own address.
	Dial    func(ctx context.Context, to netip.AddrPort) (net.Conn, error)
	Log     *slog.Logger
	Metrics prometheus.Registerer
}

// Targets holds the live view of every target group a node uses.
type Targets struct{}

// New returns an empty view.
func New(o Options) *Targets { panic("stub") }

// Check finds what this package would refuse in the groups. Pure.
func (t *Targets) Check(groups []spec.TargetGroup) []spec.Problem { panic("stub") }

// Apply makes the groups the live ones; verdicts, loads and health history of targets that stay are kept.
func (t *Targets) Apply(groups []spec.TargetGroup) error { panic("stub") }

// Run probes until ctx ends.
func (t *Targets) Run(ctx context.Context) error { panic("stub") }

// Group returns the live group, or nil.
func (t *Targets) Group(name spec.TargetGroupName) *Group { panic("stub") }

// Status reports all groups in the order they were applied.
func (t *Targets) Status() []status.Group { panic("stub") }
