package check

import (
	"fmt"
	"net/netip"
	"slices"

	"portico/spec"
)

// listeners checks that each has what its protocol needs, at every site of its VIP.
func (c *checker) listeners() {
	taken := sockets{}
	for i := range c.Listeners {
		l, at := &c.Listeners[i], spec.At("listeners", i)
		c.listenerTLS(l, at)
		c.tcp(&l.TCP.TCP, at)
		if l.Protocol.IsHTTP() {
			c.httpListener(l, at)
		} else if l.Protocol == spec.ProtocolTCP {
			c.tcpListener(l, at)
		}
		if !c.vipAt.has(c, string(l.VIP), spec.At(at, "vip")) {
			continue
		}
		c.served(l, at)
		c.taken(l, at, taken)
	}
}

func (c *checker) httpListener(l *spec.Listener, at string) {
	if len(l.TargetGroups) > 0 {
		c.problem(spec.At(at, "targetGroups"), fmt.Sprintf("%s listeners have routes, and their rules have target groups", l.Protocol), "make a route and name it in routes")
	}
	seen := map[spec.RouteName]bool{}
	for j, name := range l.Routes {
		path := spec.At(at, "routes", j)
		if c.routeAt.has(c, string(name), path) && seen[name] {
			c.problem(path, fmt.Sprintf("route %q is named twice", name), "")
		}
		seen[name] = true
	}
	if l.Redirect != nil {
		c.redirect(l, at)
	} else if len(l.Routes) == 0 && len(l.TargetGroups) == 0 {
		c.problem(at, fmt.Sprintf("%s listener %q has no routes", l.Protocol, l.Name), c.routesHelp(l))
	}
	if l.Protocol == spec.ProtocolHTTPS {
		c.covered(l, at)
	}
	c.sharedHosts(l, at)
}

func (c *checker) routesHelp(l *spec.Listener) string {
	if l.Protocol == spec.ProtocolHTTP {
		return "name some in routes, or use redirect: https"
	}
	return "name some in routes"
}

func (c *checker) redirect(l *spec.Listener, at string) {
	path := spec.At(at, "redirect")
	if l.Protocol != spec.ProtocolHTTP {
		c.problem(path, fmt.Sprintf("an %s listener cannot redirect as a whole", l.Protocol), "use a rule with the filter redirect")
		return
	}
	if len(l.Routes) > 0 {
		c.warning(spec.At(at, "routes"), "no request comes to these routes: the listener redirects every one", "leave out redirect or routes")
	}
	secure := slices.ContainsFunc(c.Listeners, func(o spec.Listener) bool {
		return o.VIP == l.VIP && o.Protocol == spec.ProtocolHTTPS
	})
	if l.Redirect.Port == 0 && !secure {
		c.problem(path, fmt.Sprintf("VIP %q has no https listener to redirect to", l.VIP), "add one, or give the port: {scheme: https, port: 443}")
	}
}

func (c *checker) tcpListener(l *spec.Listener, at string) {
	if len(l.Routes) > 0 {
		c.problem(spec.At(at, "routes"), "tcp listeners have target groups, not routes", "use targetGroups, or the protocol http or https")
	}
	if l.Redirect != nil {
		c.problem(spec.At(at, "redirect"), "tcp listeners cannot redirect", "leave it out")
	}
	if len(l.TrustedProxies) > 0 {
		c.problem(spec.At(at, "trustedProxies"), "tcp listeners read no header of a proxy", "leave it out")
	}
	if len(l.TargetGroups) == 0 && len(l.Routes) == 0 {
		c.problem(at, fmt.Sprintf("tcp listener %q has no target groups", l.Name), "name some in targetGroups")
	}
	for j, ref := range l.TargetGroups {
		g := c.TargetGroup(ref.Name)
		if g != nil && g.TCP != (spec.TCP{}) {
			c.warning(spec.At(at, "targetGroups", j), fmt.Sprintf("the tcp of target group %q is for requests, which flows are not", g.Name), "")
		}
		if g != nil && g.TLS != nil {
			c.warning(spec.At(at, "targetGroups", j), fmt.Sprintf("flows are passed on as they come: the tls of target group %q is for requests and checks alone", g.Name), "")
		}
	}
	c.groupRefs(l.TargetGroups, spec.At(at, "targetGroups")) // the l4 tier warns when all have weight 0
	c.flowKeys(l, at)
}

// flowKeys warns of groups whose balance would hash what no flow has.
func (c *checker) flowKeys(l *spec.Listener, at string) {
	for j, ref := range l.TargetGroups {
		i := slices.IndexFunc(c.TargetGroups, func(g spec.TargetGroup) bool { return g.Name == ref.Name })
		if i < 0 || c.TargetGroups[i].Balance == nil {
			continue
		}
		h, ok := c.TargetGroups[i].Balance.Params.(spec.Hashing)
		if !ok {
			continue
		}
		key, _ := h.Hashed()
		if key.From == "client" && c.TargetGroups[i].Balance.Name == "maglev" {
			continue // an address is all that a flow has
		}
		if key != (spec.HashKey{}) {
			c.warning(spec.At(at, "targetGroups", j), fmt.Sprintf("target group %q hashes the %s, which flows do not have: theirs are hashed by addresses and ports", ref.Name, key),
				"use it in a rule, or leave out its key")
		}
	}
}

// served checks that every site of the VIP has nodes for the listener.
func (c *checker) served(l *spec.Listener, at string) {
	role := spec.RoleL7
	if l.Protocol == spec.ProtocolTCP {
		role = spec.RoleL4
	}
	for i := range c.Sites {
		site := &c.Sites[i]
		if c.siteAt.at[string(site.Name)] != spec.At("sites", i) {
			continue // its name is another's
		}
		if len(c.VIP(l.VIP).Addresses[site.Name]) > 0 && len(site.With(role)) == 0 {
			c.problem(spec.At(at, "protocol"), fmt.Sprintf("site %q has no %s node to serve %s", site.Name, role, l.Protocol),
				fmt.Sprintf("add %s to the roles of a node there, or take its address from VIP %q", role, l.VIP))
		}
	}
}

// sockets are those that listeners take, by site and port.
type sockets map[place][]socket

type place struct {
	site spec.SiteName
	port uint16
}

type socket struct {
	addr     netip.Addr
	listener spec.ListenerName
}

// taken checks that no listener before takes the same socket at any site. One
// problem a listener is enough.
func (c *checker) taken(l *spec.Listener, at string, taken sockets) {
	said := false
	for _, site := range c.Sites {
		here := place{site.Name, l.Port}
		for _, addr := range c.VIP(l.VIP).Addresses[site.Name] {
			for _, s := range taken[here] {
				if said || s.listener == l.Name || l.Port == 0 || (s.addr != addr && !covers(s.addr, addr) && !covers(addr, s.addr)) {
					continue
				}
				said = true
				c.problem(spec.At(at, "port"), fmt.Sprintf("port %d of %s is taken by listener %q", l.Port, addr, s.listener), "use another port or another VIP")
			}
			taken[here] = append(taken[here], socket{addr, l.Name})
		}
	}
}
