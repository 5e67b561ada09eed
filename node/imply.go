package node

import (
	"net/netip"
	"slices"
	"strings"

	"portico/spec"
	"portico/target"
	"portico/target/health"
)

// groups lists what a node watches: the target groups that its roles send to,
// narrowed to its site, and the groups that are implied: the l7 nodes behind an
// l4 node, the VIPs a dns node answers with.
func groups(want *spec.Spec, self spec.NodeName) []spec.TargetGroup {
	node, site := want.Node(self)
	if node == nil {
		return nil
	}
	var list []spec.TargetGroup
	flows, requests := flowGroups(want), requestGroups(want)
	for _, g := range want.TargetGroups {
		usedByL4 := node.Has(spec.RoleL4) && slices.Contains(flows, g.Name)
		usedByL7 := node.Has(spec.RoleL7) && slices.Contains(requests, g.Name)
		if !usedByL4 && !usedByL7 {
			continue
		}
		g.Targets = g.At(site.Name)
		if g.Balance == nil && usedByL4 {
			g.Balance = &spec.Choice{Name: "maglev"}
		}
		list = append(list, g)
	}
	if node.Has(spec.RoleL4) {
		list = append(list, l7Groups(want, site)...)
	}
	if node.Has(spec.RoleDNS) {
		list = append(list, vipGroups(want)...)
	}
	return list
}

// begun is next without the VIPs' listeners that are not in now. They are asked once
// the tiers have taken the new spec: before that nobody listens there, and the first
// answer would be a refusal that sends the site's clients elsewhere.
func begun(now, next []spec.TargetGroup) []spec.TargetGroup {
	known := make(map[spec.TargetGroupName]bool, len(now))
	for i := range now {
		known[now[i].Name] = true
	}
	return slices.DeleteFunc(slices.Clone(next), func(g spec.TargetGroup) bool {
		return strings.HasPrefix(string(g.Name), "vip:") && !known[g.Name]
	})
}

// leaving is next with what is in now and not in next: groups as they are, and
// targets that take nothing new. They are watched until every tier has taken the
// new spec, so that nothing known of them is lost when one does not.
func leaving(now, next []spec.TargetGroup) []spec.TargetGroup {
	all := slices.Clone(next)
	index := make(map[spec.TargetGroupName]int, len(all))
	for i := range all {
		index[all[i].Name] = i
	}
	for _, old := range now {
		i, stays := index[old.Name]
		if !stays {
			all = append(all, old)
			continue
		}
		all[i].Targets = leavingTargets(old.Targets, all[i].Targets)
	}
	return all
}

func leavingTargets(now, next []spec.Target) []spec.Target {
	listed := make(map[netip.AddrPort]bool, len(next))
	for i := range next {
		listed[plain(next[i].Address)] = true
	}
	all := slices.Clip(next)
	for _, t := range now {
		if listed[plain(t.Address)] || len(all) == target.TargetsMax {
			continue
		}
		t.Drain = true
		all = append(all, t)
	}
	return all
}

// plain is the address that targets are told apart by.
func plain(a spec.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// flowGroups lists the groups that flows of listeners are sent to.
func flowGroups(want *spec.Spec) []spec.TargetGroupName {
	var names []spec.TargetGroupName
	for _, l := range want.Listeners {
		for _, ref := range l.TargetGroups {
			names = append(names, ref.Name)
		}
		for _, server := range l.Servers {
			for _, ref := range server.TargetGroups {
				names = append(names, ref.Name)
			}
		}
	}
	return names
}

// requestGroups lists the groups that the rules of routes send to.
func requestGroups(want *spec.Spec) []spec.TargetGroupName {
	var names []spec.TargetGroupName
	for _, r := range want.Routes {
		for _, rule := range r.Rules {
			for _, ref := range rule.TargetGroups {
				names = append(names, ref.Name)
			}
		}
	}
	return names
}

// l7Groups implies, for each port of an http or https listener, the group of the
// site's l7 nodes on that port.
func l7Groups(want *spec.Spec, site *spec.Site) []spec.TargetGroup {
	var list []spec.TargetGroup
	var ports []uint16
	for _, l := range want.Listeners {
		vip := want.VIP(l.VIP)
		if !l.Protocol.IsHTTP() || slices.Contains(ports, l.Port) || vip == nil || len(vip.Addresses[site.Name]) == 0 {
			continue
		}
		ports = append(ports, l.Port)
		g := spec.TargetGroup{
			Name:            spec.L7Group(l.Port),
			Balance:         &spec.Choice{Name: "maglev"},
			Health:          &spec.Health{Check: spec.Choice{Name: health.Ready}, Timing: spec.ReadyTiming()},
			WhenNoneHealthy: spec.FailOpen,
			ProxyProtocol:   spec.ProxyV2,
		}
		for _, n := range site.With(spec.RoleL7) {
			g.Targets = append(g.Targets, spec.Target{
				Address: spec.AddrPort{AddrPort: netip.AddrPortFrom(n.Address, l.Port)},
				Name:    string(n.Name),
				Weight:  max(n.Weight, 1),
			})
		}
		list = append(list, g)
	}
	return list
}

// vipGroups implies, for each listener of each VIP that a record answers with,
// the group of the VIP's addresses at every site.
func vipGroups(want *spec.Spec) []spec.TargetGroup {
	var list []spec.TargetGroup
	for i := range want.VIPs {
		vip := &want.VIPs[i]
		if !answeredWith(want, vip.Name) {
			continue
		}
		for _, l := range probed(want, vip) {
			g := spec.TargetGroup{
				Name:            spec.VIPGroup(vip.Name, l.Name),
				Health:          &spec.Health{Check: vipCheck(want, l), Timing: vip.Health.Timing},
				WhenNoneHealthy: spec.FailOpen,
			}
			for _, site := range want.Sites {
				for _, addr := range vip.Addresses[site.Name] {
					g.Targets = append(g.Targets, spec.Target{
						Address: spec.AddrPort{AddrPort: netip.AddrPortFrom(addr, l.Port)},
						Name:    string(site.Name),
						Weight:  1,
					})
				}
			}
			list = append(list, g)
		}
	}
	return list
}

func answeredWith(want *spec.Spec, vip spec.VIPName) bool {
	for _, z := range want.Zones {
		for _, r := range z.Records {
			if r.VIP == vip {
				return true
			}
		}
	}
	return false
}

// probed lists the listeners that say whether a VIP is healthy.
func probed(want *spec.Spec, vip *spec.VIP) []*spec.Listener {
	var list []*spec.Listener
	for i := range want.Listeners {
		l := &want.Listeners[i]
		only := vip.Health.Listeners
		if l.Protocol == spec.ProtocolUDP {
			continue // silence is an answer there
		}
		if l.VIP == vip.Name && (len(only) == 0 || slices.Contains(only, l.Name)) {
			list = append(list, l)
		}
	}
	return list
}

// vipCheck is how a listener is probed from outside: the way a client would use
// it, so that a VIP whose l4 node answers but has nothing behind it is unhealthy.
func vipCheck(want *spec.Spec, l *spec.Listener) spec.Choice {
	if !l.Protocol.IsHTTP() || l.RequiresCertificate() {
		return spec.Choice{Name: "tcp"} // dns nodes have no certificate to show
	}
	host := probeHost(want, l)
	return spec.Choice{Name: string(l.Protocol), Params: &health.HTTP{
		Method:     "HEAD",
		Path:       "/",
		Host:       host,
		ServerName: host,
		Codes:      []string{"100-499"},
	}}
}

// probeHost is a name the listener serves: that of its first route, with the
// wildcard of a wildcard host filled in; or else, where it must be named by a
// certificate, that of the first; empty when every host is served.
func probeHost(want *spec.Spec, l *spec.Listener) string {
	for _, name := range l.Routes {
		if r := want.Route(name); r != nil && len(r.Hosts) > 0 {
			if rest, ok := strings.CutPrefix(r.Hosts[0], "*."); ok {
				return "portico-probe." + rest
			}
			return r.Hosts[0]
		}
	}
	if l.TLS != nil && l.TLS.UnknownName == spec.UnknownRefuse && len(want.Certificates) > 0 {
		return strings.Replace(want.Certificates[0].Hosts[0], "*", "portico-probe", 1)
	}
	return ""
}
