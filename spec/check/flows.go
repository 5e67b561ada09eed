package check

import (
	"fmt"
	"slices"
	"strings"

	"portico/spec"
)

// flowListener checks a listener whose flows end at the l4 tier.
func (c *checker) flowListener(l *spec.Listener, at string) {
	if len(l.Routes) > 0 {
		c.problem(spec.At(at, "routes"), fmt.Sprintf("%s listeners have target groups, not routes", l.Protocol), "use targetGroups, or the protocol http or https")
	}
	if l.Redirect != nil {
		c.problem(spec.At(at, "redirect"), fmt.Sprintf("%s listeners cannot redirect", l.Protocol), "leave it out")
	}
	if len(l.TrustedProxies) > 0 {
		c.problem(spec.At(at, "trustedProxies"), fmt.Sprintf("%s listeners read no header of a proxy", l.Protocol), "leave it out")
	}
	if len(l.TargetGroups) == 0 && len(l.Routes) == 0 && len(l.Servers) == 0 {
		c.problem(at, fmt.Sprintf("%s listener %q has no target groups", l.Protocol, l.Name), "name some in targetGroups")
	}
	for j, ref := range l.TargetGroups {
		g := c.TargetGroup(ref.Name)
		if g != nil && g.ProxyProtocol != "" && l.Protocol == spec.ProtocolUDP {
			c.warning(spec.At(at, "targetGroups", j), fmt.Sprintf("targets of udp listeners get no PROXY header: the proxyProtocol of target group %q is not used", g.Name), "")
		}
		if g != nil && g.TLS != nil {
			c.warning(spec.At(at, "targetGroups", j), fmt.Sprintf("flows are passed on as they come: the tls of target group %q is for requests and checks alone", g.Name), "")
		}
	}
	c.groupRefs(l.TargetGroups, spec.At(at, "targetGroups")) // the l4 tier warns when all have weight 0
	c.flowKeys(l, at)
}

// flowFields checks what only listeners of flows have.
func (c *checker) flowFields(l *spec.Listener, at string) {
	isTLS := l.Protocol == spec.ProtocolTLS
	if len(l.Servers) > 0 && !isTLS {
		c.problem(spec.At(at, "servers"), fmt.Sprintf("%s listeners do not choose by the name in TLS", l.Protocol), "use the protocol tls, or leave it out")
	}
	if len(l.ProxyFrom) > 0 && !isTLS && l.Protocol != spec.ProtocolTCP {
		c.problem(spec.At(at, "proxyFrom"), fmt.Sprintf("%s listeners take no PROXY header of clients", l.Protocol), "use the protocol tcp or tls, or leave it out")
	}
	if l.FlowLog == spec.FlowLogJSON && l.Protocol.IsHTTP() {
		c.problem(spec.At(at, "flowLog"), fmt.Sprintf("%s listeners have requests", l.Protocol), "use accessLog")
	}
	if l.HTTP2 != nil && !l.Protocol.IsHTTP() {
		c.problem(spec.At(at, "http2"), fmt.Sprintf("%s listeners have no requests", l.Protocol), "use the protocol http or https, or leave it out")
	}
	seen := map[string]bool{}
	for i, s := range l.Servers {
		path := spec.At(at, "servers", i)
		c.groupRefs(s.TargetGroups, spec.At(path, "targetGroups"))
		for j, host := range s.Hosts {
			c.serverHost(host, spec.At(path, "hosts", j), seen)
		}
	}
}

// hostMax is the longest name of DNS (RFC 1035, section 3.1).
const hostMax = 253

// serverHost checks one name of a tls listener.
func (c *checker) serverHost(host, at string, seen map[string]bool) {
	name := strings.ToLower(host)
	bad := func(r rune) bool {
		return r != '-' && r != '.' && r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z')
	}
	rest := strings.TrimPrefix(name, "*.")
	switch {
	case rest == "" || len(rest) > hostMax || strings.ContainsFunc(rest, bad) || strings.HasPrefix(rest, ".") || strings.HasSuffix(rest, "."):
		c.problem(at, fmt.Sprintf("%q is not a name that clients ask for", host), "use a name such as db.example.com, or *.example.com for one label")
	case seen[name]:
		c.problem(at, fmt.Sprintf("host %q is named twice", host), "")
	}
	seen[name] = true
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
