package node

import (
	"slices"

	"portico/spec"
	"portico/spec/status"
)

// Status says what the node does and sees now.
func (n *Node) Status() status.Node {
	s := status.Node{
		Name:       n.name,
		State:      n.state.Load().(string),
		Generation: n.generation.Load(),
		Started:    n.started,
		Groups:     n.targets.Status(),
	}
	if node, site := n.want.Load().Node(n.name); node != nil {
		s.Site, s.Roles = site.Name, node.Roles
	}
	dns, records := n.dns.Status()
	s.Listeners = append(s.Listeners, dns...)
	flows := n.flows()
	for i := range flows {
		flows[i].Slots = n.steer.Status(spec.ListenerName(flows[i].Name))
	}
	s.Listeners = append(s.Listeners, flows...)
	s.Listeners = append(s.Listeners, n.l7.Status()...)
	if slices.Contains(s.Roles, spec.RoleDNS) {
		s.Records = records
	}
	s.VIPs, s.Peers = n.vip.Status(), n.vip.Peers()
	s.Unwrap, s.Uplinks = n.decap.Status(), n.xdp.Uplinks()
	s.Buffers = n.l7.Buffers()
	return s
}

// Spec is the spec that is served.
func (n *Node) Spec() *spec.Spec { return n.want.Load() }
