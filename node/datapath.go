package node

import (
	"errors"
	"slices"

	"portico/l4/xdp/decap"
	"portico/spec"
)

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
	if path == site.L4.Datapath {
		return want
	}
	own := *want
	own.Sites = slices.Clone(want.Sites)
	_, site = own.Node(n.name)
	site.L4.Datapath = path
	return &own
}

// best is xdp, unless this node clearly cannot do its part of it.
func (n *Node) best(want *spec.Spec) spec.Datapath {
	if node, _ := want.Node(n.name); node.Has(spec.RoleL7) {
		if err := decap.Able(); errors.Is(err, errors.ErrUnsupported) {
			n.log.Warn("datapath auto is relay here", "error", err)
			return spec.DatapathRelay
		}
	}
	return spec.DatapathXDP
}
