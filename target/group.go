package target

import (
	"net/netip"

	"portico/spec"
	"portico/spec/status"
	"portico/target/balance"
)

// Group is the live view of one target group.
type Group struct{}

// Target is the live view of one target.
type Target struct{}

// Name of the group.
func (g *Group) Name() spec.TargetGroupName { panic("stub") }

// Spec is what the group was last applied with.
func (g *Group) Spec() *spec.TargetGroup { panic("stub") }

// Pick chooses a target for something new, or nil. Those tried already are passed over while others are left.
func (g *Group) Pick(q balance.Query, tried []*Target) *Target { panic("stub") }

// Resume returns the target with this ID if what began there may go on there:
// it is still listed and not unhealthy (draining and weight 0 are fine).
func (g *Group) Resume(id uint64) *Target { panic("stub") }

// Status reports the group and its targets.
func (g *Group) Status() status.Group { panic("stub") }

// ID identifies the target in its group, alike on every node (hash of its address).
func (t *Target) ID() uint64 { panic("stub") }

// Label is the target's name for people.
func (t *Target) Label() string { panic("stub") }

// Address is where the target is reached.
func (t *Target) Address() netip.AddrPort { panic("stub") }

// Verdict is what health says now.
func (t *Target) Verdict() (status.Verdict, string) { panic("stub") }

// Begin counts a request or flow sent to the target; every Begin needs one End.
func (t *Target) Begin() { panic("stub") }

// End counts it as over.
func (t *Target) End() { panic("stub") }
