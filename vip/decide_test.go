package vip_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"portico/spec"
	"portico/vip"
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// site is a spec of one site with a VIP by BGP, one that is routed there, and nodes
// in every role.
func site() *spec.Spec {
	return &spec.Spec{
		Sites: []spec.Site{{Name: "east", BGP: &spec.BGP{AS: 65001}, Nodes: []spec.Node{
			{Name: "edge", Address: addr("10.0.0.1"), Roles: []spec.Role{spec.RoleVIP, spec.RoleL4}},
			{Name: "proxy", Address: addr("10.0.0.2"), Roles: []spec.Role{spec.RoleVIP, spec.RoleL7}},
			{Name: "names", Address: addr("10.0.0.3"), Roles: []spec.Role{spec.RoleDNS}},
		}}},
		VIPs: []spec.VIP{
			{Name: "public", Announce: spec.AnnounceBGP, Addresses: map[spec.SiteName][]netip.Addr{"east": {addr("198.51.100.1"), addr("2001:db8::1")}, "west": {addr("203.0.113.1")}}},
			{Name: "routed", Announce: spec.AnnounceNone, Addresses: map[spec.SiteName][]netip.Addr{"east": {addr("198.51.100.2")}}},
			{Name: "shared", Announce: spec.AnnounceBGP, Addresses: map[spec.SiteName][]netip.Addr{"east": {addr("198.51.100.1")}}},
		},
		Listeners: []spec.Listener{
			{Name: "web", VIP: "public", Port: 80, Protocol: spec.ProtocolHTTP},
			{Name: "db", VIP: "shared", Port: 5432, Protocol: spec.ProtocolTCP},
			{Name: "old", VIP: "routed", Port: 80, Protocol: spec.ProtocolHTTP},
		},
	}
}

// TestAddresses proves which addresses a node may announce: those of VIPs that are
// announced, at its site, where it binds them; one that is shared comes once, with
// the listeners of all that share it.
func TestAddresses(t *testing.T) {
	withoutL4 := site()
	withoutL4.Sites[0].Nodes[0].Roles = []spec.Role{spec.RoleDNS}
	both := "198.51.100.1 [web db], 2001:db8::1 [web]"
	tests := []struct {
		name string
		want *spec.Spec
		self spec.NodeName
		text string
	}{
		{"l4 node", site(), "edge", both},
		{"l7 node behind it", site(), "proxy", ""},
		{"l7 node alone", withoutL4, "proxy", both},
		{"without the role", site(), "names", ""},
		{"no such node", site(), "nobody", ""},
	}
	for _, tt := range tests {
		var text []string
		for _, a := range vip.Addresses(tt.want, tt.self) {
			var names []string
			for _, l := range a.Listeners {
				names = append(names, string(l.Name))
			}
			text = append(text, a.Addr.String()+" ["+strings.Join(names, " ")+"]")
		}
		if got := strings.Join(text, ", "); got != tt.text {
			t.Errorf("%s: Addresses = %q, want %q", tt.name, got, tt.text)
		}
	}
}

// grades are what a fake node says of its listeners.
type grades map[spec.ListenerName]vip.Grade

func (g grades) Serves(l *spec.Listener, _ netip.AddrPort) (vip.Grade, string) {
	return g[l.Name], "as told"
}

// TestJudge proves that an address is as good as its worst listener.
func TestJudge(t *testing.T) {
	a := vip.Addresses(site(), "edge")[0]
	for _, tt := range []struct {
		web, db, want vip.Grade
		why           string
	}{
		{vip.Able, vip.Able, vip.Able, "every listener is served"},
		{vip.Able, vip.Waiting, vip.Waiting, "listener db: as told"},
		{vip.Failing, vip.Waiting, vip.Failing, "listener web: as told"},
		{vip.Unable, vip.Failing, vip.Unable, "listener web: as told"},
	} {
		if g, why := a.Judge(grades{"web": tt.web, "db": tt.db}); g != tt.want || why != tt.why {
			t.Errorf("web %d, db %d: Judge = %d %q, want %d %q", tt.web, tt.db, g, why, tt.want, tt.why)
		}
	}
	a.Listeners = nil
	if g, _ := a.Judge(grades{}); g != vip.Unable {
		t.Errorf("an address without listeners is graded %d", g)
	}
}

// TestStep proves the decision step by step: what is said at each second, and what
// the world is told then.
func TestStep(t *testing.T) {
	const a, w, f, u = vip.Able, vip.Waiting, vip.Failing, vip.Unable
	const no, last, yes = vip.Withdrawn, vip.Last, vip.Announced
	tests := []struct {
		name   string
		open   bool
		grades []vip.Grade
		want   []vip.Standing
	}{
		{"starts", true, []vip.Grade{u, w, a}, []vip.Standing{no, no, yes}},
		{"a listener that is added moves nobody", true, []vip.Grade{a, w, w, a}, []vip.Standing{yes, yes, yes, yes}},
		{"withdrawn at once", true, []vip.Grade{a, u}, []vip.Standing{yes, no}},
		{"failing is the last choice", true, []vip.Grade{a, f, f}, []vip.Standing{yes, last, last}},
		{"failing is withdrawn where it says so", false, []vip.Grade{a, f}, []vip.Standing{yes, no}},
		{"from the start", true, []vip.Grade{f, f}, []vip.Standing{last, last}},
		{"back after a second", true, []vip.Grade{a, u, a, a}, []vip.Standing{yes, no, no, yes}},
		{"then after two", true, []vip.Grade{a, u, a, a, u, a, a, a}, []vip.Standing{yes, no, no, yes, no, no, no, yes}},
		{"a break counts anew", true, []vip.Grade{a, u, a, u, a, a}, []vip.Standing{yes, no, no, no, no, yes}},
	}
	for _, tt := range tests {
		now, s := time.Unix(1000, 0), vip.State{}
		for i, g := range tt.grades {
			if s = s.Step(now, g, "as told", tt.open); s.Standing != tt.want[i] {
				t.Errorf("%s: after %d steps %v (%s), want %v", tt.name, i+1, s.Standing, s.Reason, tt.want[i])
				break
			}
			now = now.Add(time.Second)
		}
	}
}

// TestStepProperties proves for every history: an address that cannot be served is
// never announced, one that can is announced within the longest damping, and its
// standing never changes twice within a second but to be withdrawn.
func TestStepProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now, s := time.Unix(1000, 0), vip.State{}
		var announced time.Time
		for range rapid.IntRange(1, 50).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(1, 5000).Draw(t, "ms")) * time.Millisecond)
			g := rapid.SampledFrom([]vip.Grade{vip.Unable, vip.Failing, vip.Waiting, vip.Able}).Draw(t, "grade")
			before := s
			s = s.Step(now, g, "as told", rapid.Bool().Draw(t, "open"))
			if g == vip.Unable && s.Standing != vip.Withdrawn || g == vip.Failing && s.Standing == vip.Announced {
				t.Fatalf("grade %d has standing %v", g, s.Standing)
			}
			if s.Standing == vip.Announced && before.Standing != vip.Announced {
				if now.Sub(announced) < time.Second {
					t.Fatal("announced twice within a second")
				}
				announced = now
			}
		}
		for range 61 {
			now = now.Add(time.Second)
			s = s.Step(now, vip.Able, "as told", true)
		}
		if s.Standing != vip.Announced {
			t.Fatalf("after a minute of health it is %v (%s)", s.Standing, s.Reason)
		}
	})
}
