package l4_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"portico/l4"
	"portico/spec"
	"portico/target"
)

// frontend has everything a decision may meet, on two sites.
func frontend() *spec.Spec {
	addr := netip.MustParseAddr
	return &spec.Spec{
		Portico: spec.Version,
		Sites: []spec.Site{
			{Name: "east", Nodes: []spec.Node{
				{Name: "east-l4", Address: addr("10.1.0.1"), Roles: []spec.Role{spec.RoleL4}},
				{Name: "east-l7", Address: addr("10.1.0.7"), Roles: []spec.Role{spec.RoleL7}},
			}},
			{Name: "west", Nodes: []spec.Node{
				{Name: "west-l4", Address: addr("10.2.0.1"), Roles: []spec.Role{spec.RoleL4}},
				{Name: "west-l7", Address: addr("10.2.0.7"), Roles: []spec.Role{spec.RoleL7}},
			}},
		},
		VIPs: []spec.VIP{{Name: "public", Addresses: map[spec.SiteName][]netip.Addr{
			"east": {addr("198.51.100.10"), addr("2001:db8::10")},
			"west": {addr("203.0.113.10")},
		}}},
		Listeners: []spec.Listener{
			{Name: "https", VIP: "public", Port: 443, Protocol: spec.ProtocolHTTPS},
			{Name: "db", VIP: "public", Port: 5432, Protocol: spec.ProtocolTCP, TargetGroups: []spec.GroupRef{{Name: "db", Weight: 90}, {Name: "db-next", Weight: 10}, {Name: "db-old"}}},
			{Name: "mail", VIP: "public", Port: 25, Protocol: spec.ProtocolTCP, TargetGroups: []spec.GroupRef{{Name: "db-old"}}},
			{Name: "empty", VIP: "public", Port: 26, Protocol: spec.ProtocolTCP, TargetGroups: []spec.GroupRef{{Name: "drained", Weight: 1}}},
			{Name: "one", VIP: "public", Port: 27, Protocol: spec.ProtocolTCP, TargetGroups: []spec.GroupRef{{Name: "db-next", Weight: 1}}},
		},
		TargetGroups: []spec.TargetGroup{
			group("db", "10.1.1.1:5432", "10.1.1.2:5432", "10.1.1.3:5432"),
			group("db-next", "10.1.2.1:5432"),
			group("db-old", "10.1.3.1:5432"),
			{Name: "drained", Balance: byHash, Targets: []spec.Target{{Address: ap("10.1.4.1:25"), Weight: 1, Drain: true}}},
		},
	}
}

var byHash = &spec.Choice{Name: "maglev"}

func ap(s string) spec.AddrPort { return spec.AddrPort{AddrPort: netip.MustParseAddrPort(s)} }

func group(name spec.TargetGroupName, targets ...string) spec.TargetGroup {
	g := spec.TargetGroup{Name: name, Balance: byHash}
	for _, t := range targets {
		g.Targets = append(g.Targets, spec.Target{Address: ap(t), Weight: 1})
	}
	return g
}

// live is the view a node would have of the groups.
func live(t *testing.T, want *spec.Spec) *target.Targets {
	t.Helper()
	groups := append(slices.Clone(want.TargetGroups), group(spec.L7Group(443), "10.1.0.7:443"))
	ts := target.New(target.Options{})
	if err := ts.Apply(groups); err != nil {
		t.Fatal(err)
	}
	return ts
}

func flow(client, vip string) l4.Flow {
	return l4.Flow{Client: netip.MustParseAddrPort(client), VIP: netip.MustParseAddrPort(vip)}
}

// A flow goes to the group and target that the spec says, or is dropped for the
// reason that holds.
func TestDecide(t *testing.T) {
	want := frontend()
	table, groups := l4.NewTable(want, "east-l4"), live(t, want)
	tests := []struct {
		name, client, vip string
		listener          spec.ListenerName
		group             spec.TargetGroupName
		target            string // empty means none; "*" any
		why               l4.Why
	}{
		{"https to an l7 node", "192.0.2.1:1", "198.51.100.10:443", "https", "l7:443", "10.1.0.7:443", l4.Chosen},
		{"https over v6", "[2001:db8::7]:1", "[2001:db8::10]:443", "https", "l7:443", "10.1.0.7:443", l4.Chosen},
		{"tcp to the heavier group", "192.0.2.1:1", "198.51.100.10:5432", "db", "db", "*", l4.Chosen},
		{"one target", "192.0.2.1:1", "198.51.100.10:27", "one", "db-next", "10.1.2.1:5432", l4.Chosen},
		{"every weight 0", "192.0.2.1:1", "198.51.100.10:25", "mail", "", "", l4.NoGroup},
		{"every target drains", "192.0.2.1:1", "198.51.100.10:26", "empty", "drained", "", l4.NoTarget},
		{"no such port", "192.0.2.1:1", "198.51.100.10:444", "", "", "", l4.NoListener},
		{"the other site's VIP", "192.0.2.1:1", "203.0.113.10:443", "", "", "", l4.NoListener},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := flow(tt.client, tt.vip)
			d := l4.Decide(f, table, groups)
			if d.Why != tt.why {
				t.Errorf("Why = %v, want %v", d.Why, tt.why)
			}
			if (d.Listener == nil) != (tt.listener == "") || d.Listener != nil && d.Listener.Name != tt.listener {
				t.Errorf("Listener = %+v, want %q", d.Listener, tt.listener)
			}
			if (d.Share == nil) != (tt.group == "") || d.Share != nil && d.Share.Group != tt.group {
				t.Errorf("Share = %+v, want of %q", d.Share, tt.group)
			}
			if (d.Target == nil) != (tt.target == "") || d.Target != nil && tt.target != "*" && d.Target.Address().String() != tt.target {
				t.Errorf("Target = %v, want %q", d.Target, tt.target)
			}
			e, lines := l4.Explain(f, table, groups)
			if e.Why != d.Why || e.Target != d.Target || e.Share != d.Share {
				t.Errorf("Explain = %v to %v, want the same as Decide", e.Why, e.Target)
			}
			if (len(lines) == 0) != (tt.why == l4.NoListener) {
				t.Errorf("Explain gives %d lines", len(lines))
			}
		})
	}
}

// The same flow gets the same answer whenever and wherever it is asked for, and
// weights share the flows out.
func TestDecideIsConsistentAndWeighted(t *testing.T) {
	want := frontend()
	one, other := l4.NewTable(want, "east-l4"), l4.NewTable(want, "east-l4")
	oneGroups, otherGroups := live(t, want), live(t, want)
	const flows = 20000
	got := map[spec.TargetGroupName]map[netip.AddrPort]int{}
	for i := range flows {
		f := flow(fmt.Sprintf("192.0.2.%d:%d", i%250, 1024+i/250), "198.51.100.10:5432")
		d := l4.Decide(f, one, oneGroups)
		f.Draw = uint64(i) // which maglev does not look at
		if again := l4.Decide(f, other, otherGroups); again.Target.Address() != d.Target.Address() {
			t.Fatalf("flow %v goes to %v on one node and %v on another", f.Client, d.Target.Address(), again.Target.Address())
		}
		if got[d.Share.Group] == nil {
			got[d.Share.Group] = map[netip.AddrPort]int{}
		}
		got[d.Share.Group][d.Target.Address()]++
	}
	for addr, n := range got["db"] { // 30 % each, within a tenth of that
		if n < flows*27/100 || n > flows*33/100 {
			t.Errorf("target %v of group db gets %d of %d flows, want about 30 %%", addr, n, flows)
		}
	}
	if n := got["db-next"][netip.MustParseAddrPort("10.1.2.1:5432")]; n < flows*9/100 || n > flows*11/100 {
		t.Errorf("group db-next gets %d of %d flows, want about 10 %%", n, flows)
	}
	if len(got["db-old"]) > 0 {
		t.Errorf("group db-old of weight 0 gets flows: %v", got["db-old"])
	}
}

// A change of weights moves only the flows it must.
func TestWeightChangeMovesFew(t *testing.T) {
	want, next := frontend(), frontend()
	next.Listeners[1].TargetGroups[0].Weight, next.Listeners[1].TargetGroups[1].Weight = 80, 20
	before, after, groups := l4.NewTable(want, "east-l4"), l4.NewTable(next, "east-l4"), live(t, want)
	const flows = 20000
	moved := 0
	for i := range flows {
		f := flow(fmt.Sprintf("192.0.2.%d:%d", i%250, 1024+i/250), "198.51.100.10:5432")
		if l4.Decide(f, before, groups).Target != l4.Decide(f, after, groups).Target {
			moved++
		}
	}
	if moved < flows*9/100 || moved > flows*11/100 {
		t.Errorf("a tenth of the weight moved %d of %d flows, want about a tenth", moved, flows)
	}
}

// A retry is sent to a target that was not tried; when all were, it says so.
func TestDecideTried(t *testing.T) {
	want := frontend()
	table, groups := l4.NewTable(want, "east-l4"), live(t, want)
	f := flow("192.0.2.1:1", "198.51.100.10:5432")
	for range 3 {
		d := l4.Decide(f, table, groups)
		if d.Why != l4.Chosen || slices.Contains(f.Tried, d.Target) {
			t.Fatalf("after %d tries: %v, target %v", len(f.Tried), d.Why, d.Target)
		}
		f.Tried = append(f.Tried, d.Target)
	}
	if d := l4.Decide(f, table, groups); d.Why != l4.AllTried || d.Target != nil {
		t.Errorf("after all were tried: %v, target %v, want %v", d.Why, d.Target, l4.AllTried)
	}
}

// A node without the group drops the flow rather than guess.
func TestDecideWithoutGroup(t *testing.T) {
	table := l4.NewTable(frontend(), "east-l4")
	f := flow("192.0.2.1:1", "198.51.100.10:5432")
	if d := l4.Decide(f, table, target.New(target.Options{})); d.Why != l4.NoGroup || d.Target != nil {
		t.Errorf("Decide = %v, want %v", d.Why, l4.NoGroup)
	}
	_, lines := l4.Explain(f, table, target.New(target.Options{}))
	if text := fmt.Sprint(lines); !strings.Contains(text, "no such group") {
		t.Errorf("Explain says %s, want that there is no such group", text)
	}
}

// The key is one of the four numbers and not of how an address is written.
func TestKey(t *testing.T) {
	f := flow("192.0.2.1:1", "198.51.100.10:443")
	if mapped := flow("[::ffff:192.0.2.1]:1", "198.51.100.10:443"); mapped.Key() != f.Key() {
		t.Error("the key of a mapped address differs, want the same")
	}
	for _, other := range []l4.Flow{
		flow("192.0.2.2:1", "198.51.100.10:443"), flow("192.0.2.1:2", "198.51.100.10:443"),
		flow("192.0.2.1:1", "198.51.100.11:443"), flow("192.0.2.1:1", "198.51.100.10:444"),
	} {
		if other.Key() == f.Key() {
			t.Errorf("%v to %v has the key of %v to %v", other.Client, other.VIP, f.Client, f.VIP)
		}
	}
	// Fixed for good: nodes of two versions stand side by side in an upgrade.
	if got, want := f.Key(), uint64(0x546b13909be7183b); got != want {
		t.Errorf("Key = %#x, want %#x", got, want)
	}
}

// A flow may stay where it is unless its listener, group or target left, or the
// target drains; weight 0 is no reason.
func TestKeeps(t *testing.T) {
	vip := netip.MustParseAddrPort("198.51.100.10:5432")
	tests := []struct {
		name   string
		change func(*spec.Spec)
		want   bool
	}{
		{"nothing changed", func(*spec.Spec) {}, true},
		{"target weight 0", func(s *spec.Spec) { s.TargetGroups[0].Targets[0].Weight = 0 }, true},
		{"group weight 0", func(s *spec.Spec) { s.Listeners[1].TargetGroups[0].Weight = 0 }, true},
		{"listener renamed", func(s *spec.Spec) { s.Listeners[1].Name = "postgres" }, true},
		{"target drains", func(s *spec.Spec) { s.TargetGroups[0].Targets[0].Drain = true }, false},
		{"target at another site", func(s *spec.Spec) { s.TargetGroups[0].Targets[0].Site = "west" }, false},
		{"target gone", func(s *spec.Spec) { s.TargetGroups[0].Targets = s.TargetGroups[0].Targets[1:] }, false},
		{"group gone", func(s *spec.Spec) { s.TargetGroups = s.TargetGroups[1:] }, false},
		{"group not of the listener", func(s *spec.Spec) { s.Listeners[1].TargetGroups = s.Listeners[1].TargetGroups[1:] }, false},
		{"listener gone", func(s *spec.Spec) { s.Listeners = slices.Delete(s.Listeners, 1, 2) }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := frontend()
			tt.change(s)
			if got := l4.NewTable(s, "east-l4").Keeps(l4.TCP, vip, "db", netip.MustParseAddrPort("10.1.1.1:5432")); got != tt.want {
				t.Errorf("Keeps = %v, want %v", got, tt.want)
			}
		})
	}
	table := l4.NewTable(frontend(), "east-l4")
	https := netip.MustParseAddrPort("198.51.100.10:443")
	for addr, want := range map[string]bool{"10.1.0.7:443": true, "10.2.0.7:443": false} {
		if got := table.Keeps(l4.TCP, https, spec.L7Group(443), netip.MustParseAddrPort(addr)); got != want {
			t.Errorf("Keeps on l7 node %s = %v, want %v", addr, got, want)
		}
	}
}

// A node binds the VIPs of its own site only; one without the role, or that is
// not in the spec, binds none.
func TestTableAddresses(t *testing.T) {
	for node, want := range map[spec.NodeName]int{"east-l4": 10, "west-l4": 5, "east-l7": 0, "nobody": 0} {
		if got := l4.NewTable(frontend(), node).Addresses(); len(got) != want {
			t.Errorf("%s binds %v, want %d addresses", node, got, want)
		}
	}
}

// A listener on the unspecified address takes what no other listener does, of
// its family.
func TestWildcard(t *testing.T) {
	s := frontend()
	s.VIPs = append(s.VIPs, spec.VIP{Name: "any", Addresses: map[spec.SiteName][]netip.Addr{"east": {netip.IPv4Unspecified()}}})
	s.Listeners = append(s.Listeners, spec.Listener{Name: "any", VIP: "any", Port: 8080, Protocol: spec.ProtocolTCP, TargetGroups: []spec.GroupRef{{Name: "db", Weight: 1}}})
	table := l4.NewTable(s, "east-l4")
	if l := table.Listener(l4.TCP, netip.MustParseAddrPort("192.0.2.99:8080")); l == nil || l.Name != "any" {
		t.Errorf("listener on 192.0.2.99:8080 = %v, want any", l)
	}
	if l := table.Listener(l4.TCP, netip.MustParseAddrPort("[2001:db8::1]:8080")); l != nil {
		t.Errorf("listener on [2001:db8::1]:8080 = %v, want none", l.Name)
	}
}

// Flows inherit timeouts from group over listener over the defaults; how long a
// flow to an l7 node may rest is not for this tier to say.
func TestShareTimeouts(t *testing.T) {
	s := frontend()
	s.Listeners[1].Timeouts = spec.Timeouts{Idle: spec.Duration(7), Connect: spec.Duration(8)}
	s.TargetGroups[1].Timeouts = spec.Timeouts{Idle: spec.Off}
	table := l4.NewTable(s, "east-l4")
	db := table.Listener(l4.TCP, netip.MustParseAddrPort("198.51.100.10:5432"))
	if got := db.Shares[0]; got.Idle != 7 || got.Connect != 8 {
		t.Errorf("group db: idle %v, connect %v, want 7ns and 8ns", got.Idle, got.Connect)
	}
	if got := db.Shares[1]; got.Idle != 0 || got.Connect != 8 {
		t.Errorf("group db-next: idle %v, connect %v, want none and 8ns", got.Idle, got.Connect)
	}
	https := table.Listener(l4.TCP, netip.MustParseAddrPort("198.51.100.10:443"))
	if got := https.Shares[0]; got.Idle != 0 || got.Connect != spec.DefaultTimeouts().Connect.D() || got.Proxy != spec.ProxyV2 {
		t.Errorf("https: %+v, want no idle time, the default to connect, and PROXY", got)
	}
	if got := table.IdleMin(); got != 7 {
		t.Errorf("IdleMin = %v, want 7ns", got)
	}
}

// A decision allocates nothing: one is made for every flow, and by XDP's control
// side for many.
func TestDecideAllocatesNothing(t *testing.T) {
	want := frontend()
	table, groups := l4.NewTable(want, "east-l4"), live(t, want)
	f := flow("192.0.2.1:1", "198.51.100.10:5432")
	if n := testing.AllocsPerRun(100, func() { l4.Decide(f, table, groups) }); n != 0 {
		t.Errorf("Decide allocates %v times, want 0", n)
	}
}

func BenchmarkDecide(b *testing.B) {
	want := frontend()
	table := l4.NewTable(want, "east-l4")
	groups := target.New(target.Options{})
	if err := groups.Apply(want.TargetGroups); err != nil {
		b.Fatal(err)
	}
	f := flow("192.0.2.1:1", "198.51.100.10:5432")
	for b.Loop() {
		if l4.Decide(f, table, groups).Target == nil {
			b.Fatal("no target")
		}
	}
}
