package relay_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"portico/l4/maglev"
	"portico/l4/relay"
	"portico/l4/steer"
	"portico/spec"
)

// A hundred swaps of the table harm no flow that is open: each goes on at its
// target, and flows that are new follow the table.
func TestSwapsHarmNoFlow(t *testing.T) {
	const flows, swaps = 20, 100
	vip := free(t, "127.0.1.10")
	targets := make([]netip.AddrPort, 4)
	for i := range targets {
		targets[i] = server(t, "127.0.2.1", named(fmt.Sprint(i)))
	}
	tables := 0
	var s *steer.Steer
	b := start(t, tcpSpec(vip), func(o *relay.Options) {
		s = steer.New(steer.Options{Self: self, Groups: o.Groups, OnChange: func(spec.ListenerName, *maglev.Table) { tables++ }})
		o.Tables = s
	})
	apply := func(of ...netip.AddrPort) {
		want := tcpSpec(vip, targets...)
		for i := range want.TargetGroups[0].Targets {
			draining := true
			for _, a := range of {
				draining = draining && want.TargetGroups[0].Targets[i].Address.AddrPort != a
			}
			want.TargetGroups[0].Targets[i].Drain = draining
		}
		b.apply(want)
		s.Apply(want)
	}
	apply(targets...)
	open := map[string]int{}
	for range flows {
		c := dial(t, vip)
		name := make([]byte, 1)
		if _, err := c.Read(name); err != nil {
			t.Fatal(err)
		}
		open[string(name)]++
		defer func() {
			_ = c.SetDeadline(time.Now().Add(hang))
			say(t, c, "still "+string(name))
			hear(t, c, "still "+string(name))
		}()
	}
	if len(open) < 2 {
		t.Errorf("flows are on %v, want several targets", open)
	}
	for i := range swaps {
		apply(targets[i%4], targets[(i+1)%4])
	}
	if tables < swaps {
		t.Errorf("%d tables were made, want one a swap", tables)
	}
	apply(targets[3])
	for range flows {
		hear(t, dial(t, vip), "3")
	}
}
