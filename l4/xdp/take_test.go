package xdp_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"portico/l4/xdp"
	"portico/spec"
)

// What a listener asks for and packets alone do not show has the relay carry it: it is
// never left undone without a word.
func TestTakes(t *testing.T) {
	tests := []struct {
		name    string
		ask     func(l *spec.Listener, g *spec.TargetGroup)
		taken   bool
		warning string
	}{
		{"nothing more", func(*spec.Listener, *spec.TargetGroup) {}, true, ""},
		{"flow log", func(l *spec.Listener, _ *spec.TargetGroup) { l.FlowLog = spec.FlowLogJSON }, false, "flowLog"},
		{"flows of the listener", func(l *spec.Listener, _ *spec.TargetGroup) { l.Limits.Connections = 10 }, false, "limits.connections"},
		{
			"new flows of the listener",
			func(l *spec.Listener, _ *spec.TargetGroup) {
				l.Limits.ConnectionRate = &spec.ConnectionRate{PerSecond: 10}
			},
			false, "limits.connectionRate",
		},
		{"flows of a target", func(_ *spec.Listener, g *spec.TargetGroup) { g.Limits.Connections = 10 }, false, `"web" limits the flows`},
		{"PROXY header", func(_ *spec.Listener, g *spec.TargetGroup) { g.ProxyProtocol = spec.ProxyV2 }, false, "PROXY header"},
		{"idle", func(l *spec.Listener, _ *spec.TargetGroup) { l.Timeouts.Idle = spec.Duration(time.Minute) }, true, "ends no flow that is idle"},
		{"no bound", func(l *spec.Listener, _ *spec.TargetGroup) { l.Timeouts.Idle = -1 }, true, ""},
		{
			"limits of http, kept by l7 nodes",
			func(l *spec.Listener, _ *spec.TargetGroup) {
				l.Protocol, l.TargetGroups = spec.ProtocolHTTP, nil
				l.Limits = spec.Limits{Connections: 10, ConnectionRate: &spec.ConnectionRate{PerSecond: 10}}
			},
			true, "",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := &spec.Spec{
				Sites: []spec.Site{{
					Name: "edge", L4: spec.SiteL4{Datapath: spec.DatapathXDP},
					Nodes: []spec.Node{{Name: "l4", Address: netip.MustParseAddr("10.0.0.1"), Roles: []spec.Role{spec.RoleL4}}, {Name: "l7", Address: netip.MustParseAddr("10.0.0.2"), Roles: []spec.Role{spec.RoleL7}}},
				}},
				VIPs:         []spec.VIP{{Name: "public", Addresses: map[spec.SiteName][]netip.Addr{"edge": {netip.MustParseAddr("198.51.100.10")}}}},
				Listeners:    []spec.Listener{{Name: "db", VIP: "public", Port: 5432, Protocol: spec.ProtocolTCP, TargetGroups: []spec.GroupRef{{Name: "web", Weight: 1}}}},
				TargetGroups: []spec.TargetGroup{{Name: "web"}},
			}
			tt.ask(&want.Listeners[0], &want.TargetGroups[0])
			if got := xdp.Takes(want, "l4")["db"]; got != tt.taken {
				t.Errorf("Takes = %v, want %v", got, tt.taken)
			}
			var said []string
			for _, p := range xdp.New(xdp.Options{Self: "l4"}).Check(want) {
				said = append(said, p.Path+": "+p.What)
			}
			switch all := strings.Join(said, "\n"); {
			case tt.warning == "" && all != "":
				t.Errorf("Check says %q, want nothing", all)
			case !strings.Contains(all, tt.warning):
				t.Errorf("Check says %q, want something with %q", all, tt.warning)
			}
		})
	}
}
