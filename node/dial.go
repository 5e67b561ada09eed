package node

import (
	"context"
	"net"
	"net/netip"

	"portico/internal/netx"
	"portico/internal/suggest"
	"portico/spec"
)

// dial opens a connection from the node's own address.
func (n *Node) dial(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	return n.dialer.Load().Dial(ctx, to)
}

// dialer opens connections for event loops, likewise from the node's own address.
type dialer struct{ n *Node }

func (d dialer) Connect(to netip.AddrPort, o netx.Options) (int, error) {
	return d.n.dialer.Load().Connect(to, o)
}

func (d dialer) Connected(fd int, to netip.AddrPort) error {
	return d.n.dialer.Load().Connected(fd, to)
}

func noSuchNode(want *spec.Spec, name spec.NodeName) spec.Problem {
	var known []string
	for _, s := range want.Sites {
		for _, node := range s.Nodes {
			known = append(known, string(node.Name))
		}
	}
	if len(known) == 0 {
		return spec.Problem{Path: "sites", What: "the spec has no node", Help: "add a site with one"}
	}
	p := spec.Problemf("sites", "no node named %q", name)
	p.Help = suggest.Help(string(name), known)
	return p
}

func (d dialer) ConnectUDP(to netip.AddrPort) (int, error) {
	return d.n.dialer.Load().ConnectUDP(to)
}
