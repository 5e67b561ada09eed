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
		if !l.Protocol.Known() {
			continue // it could not be read, which was said; what it needs is not known
		}
		c.listenerTLS(l, at)
		c.tcp(&l.TCP.TCP, at)
		if l.Protocol.IsHTTP() {
			c.httpListener(l, at)
		} else {
			c.flowListener(l, at)
		}
		c.flowFields(l, at)
		c.quicServers(l)
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
	if o := l.HTTP2; o != nil && o.Enabled && o.StreamWindow > o.ConnectionWindow {
		c.problem(spec.At(at, "http2", "streamWindow"), fmt.Sprintf("a stream may hold %v, and its connection only %v", o.StreamWindow, o.ConnectionWindow),
			"make connectionWindow at least as large")
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

// served checks that every site of the VIP has nodes for the listener.
func (c *checker) served(l *spec.Listener, at string) {
	role := spec.RoleL7
	if !l.Protocol.IsHTTP() {
		role = spec.RoleL4
	}
	for i := range c.Sites {
		site := &c.Sites[i]
		if c.siteAt.at[string(site.Name)] != spec.At("sites", i) {
			continue // its name is another's
		}
		if len(c.VIP(l.VIP).Addresses[site.Name]) > 0 && len(site.With(role)) == 0 && !slices.ContainsFunc(site.Nodes, unreadRoles) {
			c.problem(spec.At(at, "protocol"), fmt.Sprintf("site %q has no %s node to serve %s", site.Name, role, l.Protocol),
				fmt.Sprintf("add %s to the roles of a node there, or take its address from VIP %q", role, l.VIP))
		}
	}
}

// unreadRoles reports whether the roles of a node could not be read, which was said; which
// it has is not known.
func unreadRoles(n spec.Node) bool {
	isUnread := func(r spec.Role) bool {
		return !slices.Contains([]spec.Role{spec.RoleDNS, spec.RoleVIP, spec.RoleL4, spec.RoleL7}, r)
	}
	return len(n.Roles) == 0 || slices.ContainsFunc(n.Roles, isUnread)
}

// sockets are those that listeners take, by site and port.
type sockets map[place][]socket

type place struct {
	site      spec.SiteName
	transport string
	port      uint16
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
		here := place{site.Name, l.Protocol.Transport(), l.Port}
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
