package spec_test

import (
	"testing"
	"time"

	"portico/spec"
)

// TestLeave proves how long a stopping node goes on taking what is new: as long
// as those before it need to notice, and not at all where nobody would.
func TestLeave(t *testing.T) {
	seconds := func(n int) spec.Duration { return spec.Duration(time.Duration(n) * time.Second) }
	timing := spec.Timing{Interval: seconds(10), Timeout: seconds(2), Rise: 1, Fall: 2}
	build := func(edit func(*spec.Spec)) *spec.Spec {
		s := placed()
		s.Drain = seconds(200)
		s.VIPs[0].Health.Timing = timing
		s.Zones = []spec.Zone{{TTL: seconds(60), Records: []spec.Record{{Name: "www", VIP: "a", TTL: seconds(5)}}}}
		s.Sites[0].Nodes = append(s.Sites[0].Nodes, spec.Node{Name: "proxy-2", Roles: []spec.Role{spec.RoleL7}})
		edit(s)
		return s
	}
	noticed := 24 * time.Second // two intervals of 10s and a tenth, and the timeout
	ready := spec.ReadyTiming().Noticed()
	alone := func(s *spec.Spec) { s.Sites[0].Nodes = s.Sites[0].Nodes[:2] }
	tests := []struct {
		name string
		node spec.NodeName
		role spec.Role
		edit func(*spec.Spec)
		want time.Duration
	}{
		{"l4 node", "edge", spec.RoleL4, func(*spec.Spec) {}, noticed + 5*time.Second},
		{"ttl of the zone", "edge", spec.RoleL4, func(s *spec.Spec) { s.Zones[0].Records[0].TTL = 0 }, noticed + 60*time.Second},
		{"bounded by drain", "edge", spec.RoleL4, func(s *spec.Spec) { s.Drain = seconds(3) }, 9 * time.Second / 4},
		{"no name answers with it", "edge", spec.RoleL4, func(s *spec.Spec) { s.Zones = nil }, 0},
		{"no other site has it", "edge", spec.RoleL4, func(s *spec.Spec) { delete(s.VIPs[0].Addresses, "west") }, 0},
		{"l7 node behind l4", "proxy", spec.RoleL7, func(*spec.Spec) {}, ready + noticed + 5*time.Second},
		{"the same, bounded by drain", "proxy", spec.RoleL7, func(s *spec.Spec) { s.Drain = seconds(2) }, 7 * time.Second / 4},
		{"in the only site", "proxy", spec.RoleL7, func(s *spec.Spec) { s.Zones = nil }, ready},
		{"the only l7 node", "proxy", spec.RoleL7, alone, ready + noticed + 5*time.Second},
		{"the only l7 node in the only site", "proxy", spec.RoleL7, func(s *spec.Spec) { alone(s); s.Zones = nil }, 0},
		{"l7 node on the VIP itself", "lone", spec.RoleL7, func(*spec.Spec) {}, noticed + 5*time.Second},
		{"cut", "edge", spec.RoleL4, func(s *spec.Spec) { s.Drain = 1 }, 0},
		{"cut behind l4", "proxy", spec.RoleL7, func(s *spec.Spec) { s.Drain = 1 }, 0},
		{"no such role", "edge", spec.RoleDNS, func(*spec.Spec) {}, 0},
		{"without the role", "lone", spec.RoleL4, func(*spec.Spec) {}, 0},
		{"nobody", "nobody", spec.RoleL4, func(*spec.Spec) {}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := build(tt.edit).Leave(tt.node, tt.role); got != tt.want {
				t.Errorf("Leave(%s, %s) = %v, want %v", tt.node, tt.role, got, tt.want)
			}
		})
	}
}
