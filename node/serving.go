package node

import (
	"fmt"
	"net/netip"

	"portico/spec"
	"portico/target"
	"portico/vip"
)

// serving is what the node's other tiers make of listeners at one moment, for the
// vip tier.
type serving struct {
	targets *target.Targets
	want    *spec.Spec
	l4      bool // it binds the VIPs, else l7 does
	open    map[netip.AddrPort]bool
}

// look takes a look at what is bound now.
func (n *Node) look() vip.Serving {
	s := serving{targets: n.targets, want: n.want.Load(), open: map[netip.AddrPort]bool{}}
	self, _ := s.want.Node(n.name)
	s.l4 = self.Has(spec.RoleL4)
	listeners := n.l7.Status
	if s.l4 {
		listeners = n.flows
	}
	for _, l := range listeners() {
		s.open[l.Address] = true
	}
	return s
}

// Serves is Able where the listener is bound, and one of the groups that its flows
// or requests go to has a target that takes what is new.
func (s serving) Serves(l *spec.Listener, at netip.AddrPort) (vip.Grade, string) {
	if !s.open[at] {
		return vip.Unable, "not bound"
	}
	switch {
	case !s.l4:
		return s.best(routed(s.want, l))
	case l.Protocol.IsHTTP():
		return s.best([]spec.TargetGroupName{spec.L7Group(l.Port)})
	}
	return s.best(weighted(l.TargetGroups))
}

// weighted lists the groups that get a share.
func weighted(refs []spec.GroupRef) []spec.TargetGroupName {
	var names []spec.TargetGroupName
	for _, ref := range refs {
		if ref.Weight > 0 {
			names = append(names, ref.Name)
		}
	}
	return names
}

// routed lists the groups that requests of a listener may go to.
func routed(want *spec.Spec, l *spec.Listener) []spec.TargetGroupName {
	var names []spec.TargetGroupName
	for _, name := range l.Routes {
		r := want.Route(name)
		if r == nil {
			continue
		}
		for i := range r.Rules {
			names = append(names, weighted(r.Rules[i].TargetGroups)...)
		}
	}
	return names
}

// best grades a listener by the best of its groups: one that is down is no reason to
// send the clients of the others elsewhere. Without any group, as where every
// request is redirected, there is nothing that could fail.
func (s serving) best(names []spec.TargetGroupName) (best vip.Grade, why string) {
	if len(names) == 0 {
		return vip.Able, "bound; it needs no target"
	}
	best, why = vip.Unable, "no target group takes anything"
	for _, name := range names {
		g := s.targets.Group(name)
		if g == nil {
			continue
		}
		mode := g.Mode()
		if grade := grades[mode]; grade > best {
			best, why = grade, fmt.Sprintf("bound; target group %q is %s", name, mode)
		}
	}
	return best, why
}

// grades says what the mode of a group is worth; one that is missing is Unable.
var grades = map[string]vip.Grade{
	target.ModeHealthy:   vip.Able,
	target.ModePanic:     vip.Able,
	target.ModeUnchecked: vip.Able,
	target.ModeUnknown:   vip.Waiting,
	target.ModeOpen:      vip.Failing,
}
