package node

import (
	"errors"
	"slices"

	"portico/l4/maglev"
	"portico/l4/relay"
	"portico/l4/xdp"
	"portico/l4/xdp/decap"
	"portico/spec"
	"portico/spec/status"
)

// relayed is the relay, for the listeners that the kernel does not carry.
type relayed struct {
	*relay.Relay
	self spec.NodeName
}

// Apply hands the relay the spec without what the kernel carries.
func (r relayed) Apply(want *spec.Spec) error {
	carried := xdp.Takes(want, r.self)
	if len(carried) == 0 {
		return r.Relay.Apply(want)
	}
	rest := *want
	rest.Listeners = slices.DeleteFunc(slices.Clone(want.Listeners), func(l spec.Listener) bool { return carried[l.Name] })
	return r.Relay.Apply(&rest)
}

// inSockets reports whether no flow depends on a table: each is held by a socket.
func (n *Node) inSockets() bool { return len(xdp.Takes(n.want.Load(), n.name)) == 0 }

// outlives reports whether the kernel goes on with flows to a VIP that routers are
// told of while no process runs. What a relay carries beside them does not count: its
// clients are refused meanwhile, so that nobody's flow in the kernel moves.
func (n *Node) outlives(want *spec.Spec) bool {
	carried := xdp.Takes(want, n.name)
	return slices.ContainsFunc(want.Listeners, func(l spec.Listener) bool {
		return carried[l.Name] && want.VIP(l.VIP).Announce == spec.AnnounceBGP
	})
}

// placed is told of every table of slots that changed.
func (n *Node) placed(spec.ListenerName, *maglev.Table) { n.xdp.Changed() }

// flows tells of the listeners of the l4 tier, whoever carries them.
func (n *Node) flows() []status.Listener { return append(n.xdp.Status(), n.l4.Status()...) }

// here is a spec with the datapath that this node has: the one that it was told
// when it was run, else that of its site; and not auto, but what the kernel can.
func (n *Node) here(want *spec.Spec) *spec.Spec {
	_, site := want.Node(n.name)
	if site == nil {
		return want
	}
	path := n.datapath
	if path == "" {
		path = site.L4.Datapath
	}
	if path == spec.DatapathAuto {
		path = n.best(want)
	}
	return by(want, n.name, path)
}

// by is a spec with the datapath of a node's site changed.
func by(want *spec.Spec, self spec.NodeName, path spec.Datapath) *spec.Spec {
	if _, site := want.Node(self); path == site.L4.Datapath {
		return want
	}
	own := *want
	own.Sites = slices.Clone(want.Sites)
	_, site := own.Node(self)
	site.L4.Datapath = path
	return &own
}

// best is xdp, unless this node clearly cannot do its part of it.
func (n *Node) best(want *spec.Spec) spec.Datapath {
	node, _ := want.Node(n.name)
	if node.Has(spec.RoleL4) {
		if err := xdp.Able(); errors.Is(err, errors.ErrUnsupported) {
			n.log.Warn("datapath auto is relay here", "error", err)
			return spec.DatapathRelay
		}
	}
	if node.Has(spec.RoleL7) {
		if err := decap.Able(); errors.Is(err, errors.ErrUnsupported) {
			n.log.Warn("datapath auto is relay here", "error", err)
			return spec.DatapathRelay
		}
	}
	return spec.DatapathXDP
}
