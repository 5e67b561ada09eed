package xdp

import (
	"fmt"
	"net/netip"

	"portico/l4"
	"portico/spec"
)

// taken is a listener that the kernel carries on one node.
type taken struct {
	*l4.Listener
	vips    []netip.AddrPort
	proto   Proto
	forward spec.Forward
}

// Takes reports which listeners the kernel carries on a node, by name: none unless
// the node's site says datapath xdp. The relay has the others.
func Takes(want *spec.Spec, self spec.NodeName) map[spec.ListenerName]bool {
	names := map[spec.ListenerName]bool{}
	for _, t := range takes(want, self) {
		names[t.Name] = true
	}
	return names
}

func takes(want *spec.Spec, self spec.NodeName) []taken {
	_, site := want.Node(self)
	if site == nil || site.L4.Datapath != spec.DatapathXDP {
		return nil
	}
	table := l4.NewTable(want, self)
	byName := map[spec.ListenerName]*l4.Listener{}
	for _, l := range table.Listeners() {
		byName[l.Name] = l
	}
	var all []taken
	for i := range want.Listeners {
		l := &want.Listeners[i]
		made := byName[l.Name]
		if made == nil || refuses(want, site, l, made) != "" {
			continue
		}
		t := taken{Listener: made, proto: TCP, forward: forwardOf(want, site, l)}
		if l.Protocol == spec.ProtocolUDP {
			t.proto = UDP
		}
		for _, a := range want.VIP(l.VIP).Addresses[site.Name] {
			t.vips = append(t.vips, netip.AddrPortFrom(a, l.Port))
		}
		all = append(all, t)
	}
	return all
}

// refuses says why the kernel cannot carry a listener; "" when it can.
func refuses(want *spec.Spec, site *spec.Site, l *spec.Listener, made *l4.Listener) string {
	switch {
	case !made.Hashes:
		return "not every target group balances by maglev"
	case len(l.ProxyFrom) > 0:
		return "clients say in a PROXY header whom they speak for"
	case !l.Protocol.IsHTTP() && l.Protocol != spec.ProtocolTCP && l.Protocol != spec.ProtocolUDP:
		return fmt.Sprintf("protocol %s is read before a flow is placed", l.Protocol)
	}
	if l.Protocol.IsHTTP() { // flows are counted, and idle ones ended, by the l7 node that has them
		if forwardOf(want, site, l) == spec.ForwardNAT {
			return "under forward: nat an l7 node would not learn who the client is, and the relay tells it in a PROXY header"
		}
		return ""
	}
	switch { // what it takes to see a flow end
	case l.FlowLog == spec.FlowLogJSON:
		return "flowLog writes a line when a flow ends, and the kernel sees packets"
	case l.Limits.Connections > 0:
		return "limits.connections counts flows, and the kernel sees packets"
	case l.Limits.ConnectionRate != nil:
		return "limits.connectionRate counts new flows, and the kernel sees packets"
	}
	var first *spec.TargetGroup
	for _, ref := range l.TargetGroups {
		g := want.TargetGroup(ref.Name)
		switch {
		case g == nil:
			continue
		case g.Limits.PerTarget() > 0:
			return fmt.Sprintf("target group %q limits the flows of each target, and the kernel sees packets", g.Name)
		case g.ProxyProtocol != "":
			return fmt.Sprintf("target group %q is told of clients in a PROXY header", g.Name)
		case first != nil && forward(g) != forward(first):
			return fmt.Sprintf("target groups %q and %q are forwarded to in two ways", first.Name, g.Name)
		}
		first = g
	}
	return ""
}

func forward(g *spec.TargetGroup) spec.Forward {
	if g.Forward == "" {
		return spec.ForwardNAT
	}
	return g.Forward
}

// forwardOf is how packets of a listener reach their targets.
func forwardOf(want *spec.Spec, site *spec.Site, l *spec.Listener) spec.Forward {
	if l.Protocol.IsHTTP() {
		if site.L4.Forward == "" {
			return spec.ForwardGUE
		}
		return site.L4.Forward
	}
	for _, ref := range l.TargetGroups {
		if g := want.TargetGroup(ref.Name); g != nil {
			return forward(g)
		}
	}
	return spec.ForwardNAT
}

// check finds what nodes that carry flows in the kernel could not do, at every site.
// Site auto is looked at as xdp, but what is not for the kernel is no news there.
func check(want *spec.Spec) []spec.Problem {
	var problems []spec.Problem
	for i := range want.Sites {
		site := &want.Sites[i]
		nodes := site.With(spec.RoleL4)
		if len(nodes) == 0 || site.L4.Datapath != spec.DatapathXDP {
			continue
		}
		node := nodes[0]
		table := l4.NewTable(want, node.Name)
		for j := range want.Listeners {
			l := &want.Listeners[j]
			if vip := want.VIP(l.VIP); vip == nil || len(vip.Addresses[site.Name]) == 0 || !table.Has(l.Name) {
				continue
			}
			proto := l4.TCP
			if l.Protocol == spec.ProtocolUDP {
				proto = l4.UDP
			}
			made := table.Listener(proto, netip.AddrPortFrom(want.VIP(l.VIP).Addresses[site.Name][0], l.Port))
			if why := refuses(want, site, l, made); why != "" {
				p := spec.Problemf(spec.At("listeners", j), "the relay carries it at site %q, not the kernel: %s", site.Name, why)
				p.Level, p.Help = spec.Warning, "say datapath: relay for the site if that is meant"
				problems = append(problems, p)
				continue
			}
			problems = append(problems, checkTargets(want, site, j)...)
			if l.Timeouts.Idle > 0 && !l.Protocol.IsHTTP() {
				p := spec.Problemf(spec.At("listeners", j, "timeouts.idle"), "at site %q the kernel carries it, which ends no flow that is idle", site.Name)
				p.Level, p.Help = spec.Warning, "say datapath: relay for the site, or leave it out"
				problems = append(problems, p)
			}
		}
	}
	return problems
}

// checkTargets finds targets that a listener's packets could not reach.
func checkTargets(want *spec.Spec, site *spec.Site, at int) []spec.Problem {
	l := &want.Listeners[at]
	mode := forwardOf(want, site, l)
	var problems []spec.Problem
	report := func(path, what, help string) {
		problems = append(problems, spec.Problem{Path: path, What: what, Help: help})
	}
	if l.Protocol.IsHTTP() {
		for _, n := range site.With(spec.RoleL7) {
			if mode == spec.ForwardIP6IP6 && n.Address.Is4() {
				report(spec.At("sites", siteAt(want, site), "l4.forward"), fmt.Sprintf("packets within IPv6 cannot reach node %q at %s", n.Name, n.Address), "give the node an IPv6 address, or use forward: gue")
			}
		}
		return problems
	}
	for _, ref := range l.TargetGroups {
		for i := range want.TargetGroups {
			g := &want.TargetGroups[i]
			if g.Name != ref.Name {
				continue
			}
			for k := range g.Targets {
				if what, help := unreachable(want, l, site, mode, &g.Targets[k]); what != "" {
					report(spec.At("targetGroups", i, "targets", k), what, help)
				}
			}
		}
	}
	return problems
}

// unreachable says why packets of a listener cannot reach a target in a mode.
func unreachable(want *spec.Spec, l *spec.Listener, site *spec.Site, mode spec.Forward, t *spec.Target) (what, help string) {
	if t.Site != "" && t.Site != site.Name {
		return "", ""
	}
	a := t.Address.AddrPort
	switch {
	case !a.IsValid():
		return "", ""
	case mode == spec.ForwardIP6IP6 && a.Addr().Is4():
		return fmt.Sprintf("packets within IPv6 cannot reach %s", a), "use forward: gue, ipip or nat, or an IPv6 address"
	case mode == spec.ForwardIPIP && a.Addr().Is6():
		return fmt.Sprintf("packets within IPv4 cannot reach %s", a), "use forward: gue, ip6ip6 or nat, or an IPv4 address"
	case mode != spec.ForwardNAT && a.Port() != l.Port:
		return fmt.Sprintf("port %d of the target is not port %d of listener %q, and forward: %s changes no port", a.Port(), l.Port, l.Name, mode), "use the same port, or forward: nat"
	case mode == spec.ForwardNAT:
		for _, vip := range want.VIP(l.VIP).Addresses[site.Name] {
			if vip.Is4() != a.Addr().Is4() {
				return fmt.Sprintf("forward: nat cannot take flows to %s to %s: one is IPv4, the other IPv6", vip, a), "use datapath: relay, or a target of the same family"
			}
		}
	}
	return "", ""
}

func siteAt(want *spec.Spec, site *spec.Site) int {
	for i := range want.Sites {
		if &want.Sites[i] == site {
			return i
		}
	}
	return 0
}
