package node

import (
	"net/netip"
	"os"
	"path/filepath"

	"portico/internal/agree"
	"portico/spec"
	"portico/spec/status"
	"portico/vip"
	"portico/vip/arp"
	"portico/vip/bgp"
)

// ways are those that the system has to announce a VIP.
func (n *Node) ways(o *Options) map[spec.Announce]vip.Way {
	all := map[spec.Announce]vip.Way{
		spec.AnnounceBGP: byBGP{bgp.New(bgp.Options{Self: o.Name, Outlives: n.outlives, Log: n.log, Metrics: o.Metrics})},
	}
	if arp.Available() {
		folder := o.State
		if folder == "" {
			folder = os.TempDir()
		}
		owner := agree.NewFiles(filepath.Join(folder, "portico-leases"))
		all[spec.AnnounceARP] = byARP{arp.New(arp.Options{Self: o.Name, Owner: owner, Log: n.log})}
	}
	return all
}

// byBGP tells routers.
type byBGP struct{ *bgp.Speaker }

func (byBGP) Check(want *spec.Spec) []spec.Problem { return bgp.Check(want) }

func (b byBGP) Announce(set []vip.Announcement) error {
	routes := make([]bgp.Route, len(set))
	for i, a := range set {
		routes[i] = bgp.Route{Prefix: bgp.Prefix(a.Addr), Carries: a.Routes, Leaving: a.Last}
	}
	return b.Speaker.Announce(routes)
}

// Seen is so when a router was told of the address.
func (b byBGP) Seen(addr netip.Addr) (ok bool, why string, owner spec.NodeName) {
	told, _, why := b.Told(addr)
	return told > 0, why, ""
}

// byARP answers on the link of the node, as the only one.
type byARP struct{ *arp.Announcer }

func (byARP) Check(*spec.Spec) []spec.Problem { return nil }

func (b byARP) Announce(set []vip.Announcement) error {
	wishes := make([]arp.Wish, len(set))
	for i, a := range set {
		wishes[i] = arp.Wish{Addr: a.Addr, Last: a.Last}
	}
	b.Announcer.Announce(wishes)
	return nil
}

func (byARP) Peers() []status.Peer { return nil }
