package node

import (
	"strings"
	"testing"

	"portico/internal/netx"
	"portico/spec"
)

// TestKernel proves that what this machine does not grant is a warning at its
// place, which names what there is, and that nothing else is said.
func TestKernel(t *testing.T) {
	want := &spec.Spec{
		Listeners:    []spec.Listener{{Name: "a"}, {Name: "b", TCP: spec.ListenerTCP{TCP: spec.TCP{Congestion: "none-such", FastOpen: true}}}},
		TargetGroups: []spec.TargetGroup{{Name: "g", TCP: spec.TCP{Congestion: "none-such"}}, {Name: "h", TCP: spec.TCP{Congestion: "reno"}}},
	}
	if netx.CheckCongestion("none-such") == nil {
		t.Skip("needs a system that chooses congestion control")
	}
	expect := map[string]string{
		"listeners[1].tcp.congestion":    `this kernel has no congestion control "none-such": it has `,
		"targetGroups[0].tcp.congestion": `this kernel has no congestion control "none-such": it has `,
	}
	if !netx.FastOpenAccepted() {
		expect["listeners[1].tcp.fastOpen"] = "this kernel takes no data with a SYN"
	}
	for _, p := range kernel(want) {
		if start, ok := expect[p.Path]; !ok || !strings.HasPrefix(p.What, start) || p.Level != spec.Warning {
			t.Errorf("unexpected: %s", p)
		}
		delete(expect, p.Path)
	}
	if len(expect) > 0 {
		t.Errorf("nothing is said at %v", expect)
	}
}
