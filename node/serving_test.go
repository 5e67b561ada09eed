package node

import (
	"net/netip"
	"testing"

	"portico/spec"
	"portico/target"
	"portico/vip"
)

// TestServing proves how a listener is graded: bound or not, and by the best of the
// groups that get a share of it.
func TestServing(t *testing.T) {
	group := func(name spec.TargetGroupName, health *spec.Health, targets ...spec.Target) spec.TargetGroup {
		return spec.TargetGroup{Name: name, Health: health, Targets: targets}
	}
	one := spec.Target{Address: spec.AddrPort{AddrPort: netip.MustParseAddrPort("10.0.0.1:80")}, Weight: 1}
	idle := one
	idle.Weight = 0
	targets := target.New(target.Options{})
	checked := &spec.Health{Check: spec.Choice{Name: "tcp"}, Timing: spec.ReadyTiming()}
	if err := targets.Apply([]spec.TargetGroup{
		group("plain", nil, one), group("new", checked, one), group("idle", nil, idle), group(spec.L7Group(80), nil, one),
	}); err != nil {
		t.Fatal(err)
	}
	refs := func(names ...spec.TargetGroupName) (all []spec.GroupRef) {
		for _, n := range names {
			all = append(all, spec.GroupRef{Name: n, Weight: 1})
		}
		return all
	}
	at := netip.MustParseAddrPort("198.51.100.1:80")
	want := &spec.Spec{Routes: []spec.Route{{Name: "shop", Rules: []spec.Rule{{TargetGroups: refs("idle")}, {TargetGroups: refs("plain")}}}}}
	tests := []struct {
		name string
		l4   bool
		open bool
		l    spec.Listener
		want vip.Grade
		why  string
	}{
		{"not bound", true, false, spec.Listener{Protocol: spec.ProtocolTCP, TargetGroups: refs("plain")}, vip.Unable, "not bound"},
		{"tcp", true, true, spec.Listener{Protocol: spec.ProtocolTCP, TargetGroups: refs("plain")}, vip.Able, `bound; target group "plain" is unchecked`},
		{"not probed yet", true, true, spec.Listener{Protocol: spec.ProtocolTCP, TargetGroups: refs("new")}, vip.Waiting, `bound; target group "new" is unknown`},
		{"nothing new", true, true, spec.Listener{Protocol: spec.ProtocolTCP, TargetGroups: refs("idle")}, vip.Unable, "no target group takes anything"},
		{"the best of several", true, true, spec.Listener{Protocol: spec.ProtocolTCP, TargetGroups: refs("idle", "new", "plain")}, vip.Able, `bound; target group "plain" is unchecked`},
		{"no share", true, true, spec.Listener{Protocol: spec.ProtocolTCP, TargetGroups: []spec.GroupRef{{Name: "plain"}}}, vip.Able, "bound; it needs no target"},
		{"http by l7 nodes", true, true, spec.Listener{Protocol: spec.ProtocolHTTP, Port: 80}, vip.Able, `bound; target group "l7:80" is unchecked`},
		{"http by itself", false, true, spec.Listener{Protocol: spec.ProtocolHTTP, Routes: []spec.RouteName{"shop"}}, vip.Able, `bound; target group "plain" is unchecked`},
		{"a redirect", false, true, spec.Listener{Protocol: spec.ProtocolHTTP}, vip.Able, "bound; it needs no target"},
	}
	for _, tt := range tests {
		s := serving{targets: targets, want: want, l4: tt.l4, open: map[netip.AddrPort]bool{at: tt.open}}
		if g, why := s.Serves(&tt.l, at); g != tt.want || why != tt.why {
			t.Errorf("%s: Serves = %d %q, want %d %q", tt.name, g, why, tt.want, tt.why)
		}
	}
}
