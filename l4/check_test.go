package l4_test

import (
	"net/netip"
	"strings"
	"testing"

	"portico/l4"
	"portico/spec"
)

// What this tier could not bind or serve is found before it is applied, with the
// place and what would be right.
func TestCheck(t *testing.T) {
	tests := []struct {
		name   string
		change func(*spec.Spec)
		want   []string
	}{
		{"nothing wrong but a group of weight 0", func(*spec.Spec) {}, nil},
		{
			"no group",
			func(s *spec.Spec) { s.Listeners[1].TargetGroups = nil },
			[]string{"listeners[1].targetGroups: a tcp listener needs a target group; name at least one"},
		},
		{
			"two listeners on one port",
			func(s *spec.Spec) { s.Listeners[4].Port = 443 },
			[]string{
				`listeners[4].port: 198.51.100.10:443 is taken by listener "https"; use another port or another VIP`,
				`listeners[4].port: [2001:db8::10]:443 is taken by listener "https"; use another port or another VIP`,
				`listeners[4].port: 203.0.113.10:443 is taken by listener "https"; use another port or another VIP`,
			},
		},
		{
			"no l7 node",
			func(s *spec.Spec) { s.Sites[0].Nodes = s.Sites[0].Nodes[:1] },
			[]string{`warning: listeners[0]: site "east" has l4 nodes but no l7 node, so flows to this https listener are reset; give a node of the site the role l7`},
		},
		{
			"a site without l4 nodes is served by its l7 nodes",
			func(s *spec.Spec) { s.Sites[0].Nodes = s.Sites[0].Nodes[1:]; s.Listeners[4].VIP = "gone" },
			nil,
		},
		{
			"VIP is the address of a node with both roles",
			func(s *spec.Spec) {
				s.Sites[0].Nodes = []spec.Node{{Name: "edge", Address: netip.MustParseAddr("198.51.100.10"), Roles: []spec.Role{spec.RoleL4, spec.RoleL7}}}
			},
			[]string{`listeners[0]: the VIP 198.51.100.10 is the address of node "edge", which needs port 443 itself to serve what l4 nodes send; give VIP "public" an address of its own, or take the role l4 from the nodes of site "east"`},
		},
	}
	const weights = "warning: listeners[2].targetGroups: every target group has weight 0, so every flow is reset"
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := frontend()
			tt.change(s)
			var got []string
			for _, p := range l4.Check(s) {
				if text := p.String(); text != weights {
					got = append(got, text)
				}
			}
			if strings.Join(got, "\n") != strings.Join(tt.want, "\n") {
				t.Errorf("Check =\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
}
