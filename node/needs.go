package node

import (
	"fmt"
	"slices"

	"portico/internal/capability"
	"portico/l4/xdp"
	"portico/l4/xdp/decap"
	"portico/spec"
)

// Need is a part of root's power that a node must have, and what for.
type Need struct {
	Capability capability.Set
	For        string
}

// Uses are the capabilities that any spec may need. A process keeps those of them
// that it has, since the next spec may ask for what this one does not.
const Uses = capability.NetBindService | capability.NetAdmin | capability.NetRaw | capability.XDP |
	capability.DACReadSearch // else root could not read again the keys that it could read at first

// Needs lists the capabilities that a node must have for a spec, on a machine like
// this one. The datapath is the site's where "" is given; auto counts as xdp.
func Needs(want *spec.Spec, self spec.NodeName, path spec.Datapath) []Need {
	node, site := want.Node(self)
	if node == nil {
		return nil
	}
	if path == "" {
		path = site.L4.Datapath
	}
	if path == spec.DatapathAuto {
		path = spec.DatapathXDP
	}
	want = by(want, self, path)
	kernel := xdp.Takes(want, self)
	var needs []Need
	if whose, port := lowPort(want, node, kernel); port > 0 {
		needs = append(needs, Need{capability.NetBindService, fmt.Sprintf("port %d of %s", port, whose)})
	}
	if node.Has(spec.RoleVIP) {
		needs = append(needs, announcing(want, site)...)
		needs = append(needs, searching(site, self)...)
	}
	if len(kernel) > 0 || decap.Takes(want, self) {
		needs = append(needs, Need{capability.XDP, "datapath xdp"})
	}
	return needs
}

// lowPort is the lowest port that takes a capability, and whose it is; 0 for none. What
// the kernel carries has no socket.
func lowPort(want *spec.Spec, node *spec.Node, kernel map[spec.ListenerName]bool) (whose string, port uint16) {
	lower := func(name string, p uint16) {
		if p > 0 && p < capability.OpenPort() && (port == 0 || p < port) {
			whose, port = name, p
		}
	}
	for _, b := range want.L4Binds(node.Name) {
		for _, l := range b.Listeners {
			if !kernel[l.Name] {
				lower(fmt.Sprintf("listener %q", l.Name), b.Address.Port())
			}
		}
	}
	for _, b := range want.L7Binds(node.Name) {
		for _, l := range b.Listeners {
			lower(fmt.Sprintf("listener %q", l.Name), b.Address.Port())
		}
	}
	if node.Has(spec.RoleDNS) {
		for _, at := range node.DNSListen() {
			lower("dns", at.Port())
		}
	}
	return whose, port
}

// announcing is what the vip tier needs at a site.
func announcing(want *spec.Spec, site *spec.Site) []Need {
	how := map[spec.Announce]spec.VIPName{}
	for i := range want.VIPs {
		if v := &want.VIPs[i]; v.Floats() && (len(v.Addresses[site.Name]) > 0 || v.Pool != "") && how[v.Announce] == "" {
			how[v.Announce] = v.Name
		}
	}
	var needs []Need
	if v := how[spec.AnnounceBGP]; v != "" {
		needs = append(needs, Need{capability.NetAdmin, fmt.Sprintf("VIP %q on lo, announced by bgp", v)})
	}
	if v := how[spec.AnnounceARP]; v != "" {
		needs = append(needs, Need{capability.NetAdmin | capability.NetRaw, fmt.Sprintf("VIP %q, announced by arp", v)})
	}
	return needs
}

// searching is what a node needs to find routers that are named by an interface alone.
func searching(site *spec.Site, self spec.NodeName) []Need {
	if site.BGP == nil {
		return nil
	}
	for _, p := range site.BGP.Peers {
		if !p.Address.IsValid() && (len(p.Nodes) == 0 || slices.Contains(p.Nodes, self)) {
			return []Need{{capability.NetRaw, fmt.Sprintf("bgp with the router on interface %q", p.Interface)}}
		}
	}
	return nil
}
