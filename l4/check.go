package l4

import (
	"fmt"
	"net/netip"

	"portico/spec"
)

// Check finds what this tier would refuse or cannot serve, at every site. Names
// that lead nowhere are config's to find.
func Check(want *spec.Spec) []spec.Problem {
	var problems []spec.Problem
	for i := range want.Listeners {
		l := &want.Listeners[i]
		if !l.Protocol.IsHTTP() {
			problems = append(problems, checkGroups(spec.At("listeners", i, "targetGroups"), l)...)
		}
	}
	for i := range want.Sites {
		if len(want.Sites[i].With(spec.RoleL4)) > 0 {
			problems = append(problems, checkSite(want, i)...)
		}
	}
	return problems
}

// checkGroups finds tcp listeners that could send no flow anywhere.
func checkGroups(path string, l *spec.Listener) []spec.Problem {
	if l.Protocol == spec.ProtocolTLS && len(l.TargetGroups) == 0 {
		return nil // names that no server has are refused
	}
	if len(l.TargetGroups) == 0 {
		p := spec.Problemf(path, "a %s listener needs a target group", l.Protocol)
		p.Help = "name at least one"
		return []spec.Problem{p}
	}
	for _, ref := range l.TargetGroups {
		if ref.Weight > 0 {
			return nil
		}
	}
	p := spec.Problemf(path, "every target group has weight 0, so every flow is reset")
	p.Level = spec.Warning
	return []spec.Problem{p}
}

// socket is what one listener alone can have.
type socket struct {
	transport string
	address   netip.AddrPort
}

// checkSite finds what the l4 nodes of one site could not bind or serve.
func checkSite(want *spec.Spec, at int) []spec.Problem {
	var problems []spec.Problem
	site := &want.Sites[at]
	taken := map[socket]spec.ListenerName{}
	served := len(site.With(spec.RoleL7)) > 0
	for i := range want.Listeners {
		l := &want.Listeners[i]
		vip := want.VIP(l.VIP)
		if vip == nil || len(vip.Addresses[site.Name]) == 0 {
			continue
		}
		path := spec.At("listeners", i)
		if l.Protocol.IsHTTP() && !served {
			p := spec.Problemf(path, "site %q has l4 nodes but no l7 node, so flows to this %s listener are reset", site.Name, l.Protocol)
			p.Help = "give a node of the site the role l7"
			p.Level = spec.Warning
			problems = append(problems, p)
		}
		for _, addr := range vip.Addresses[site.Name] {
			bind := netip.AddrPortFrom(addr, l.Port)
			if by, ok := taken[socket{l.Protocol.Transport(), bind}]; ok {
				p := spec.Problemf(spec.At(path, "port"), "%s is taken by listener %q", bind, by)
				p.Help = "use another port or another VIP"
				problems = append(problems, p)
			}
			taken[socket{l.Protocol.Transport(), bind}] = l.Name
			if n := clash(site, l, addr); n != nil {
				p := spec.Problemf(path, "the VIP %s is the address of node %q, which needs port %d itself to serve what l4 nodes send", addr, n.Name, l.Port)
				p.Help = fmt.Sprintf("give VIP %q an address of its own, or take the role l4 from the nodes of site %q", vip.Name, site.Name)
				problems = append(problems, p)
			}
		}
	}
	return problems
}

// clash finds the l7 node that would bind the same address as the l4 nodes.
func clash(site *spec.Site, l *spec.Listener, vip netip.Addr) *spec.Node {
	if !l.Protocol.IsHTTP() {
		return nil
	}
	for _, n := range site.With(spec.RoleL7) {
		if n.Address == vip && n.Has(spec.RoleL4) {
			return n
		}
	}
	return nil
}
