package check

import (
	"fmt"
	"net/netip"
	"strings"

	"portico/spec"
)

// zones checks names, and that the data of each name can stand together. What
// answers would look like is for the dns tier to judge.
func (c *checker) zones() {
	seen := map[string]string{}
	for i := range c.Zones {
		z, at := &c.Zones[i], spec.At("zones", i)
		name := lower(z.Name)
		if name == "" {
			continue
		}
		if !isDomain(name) {
			c.problem(spec.At(at, "name"), fmt.Sprintf("%q is not the name of a zone", z.Name), "use one such as example.com")
			continue
		}
		if first, twice := seen[name]; twice {
			c.problem(spec.At(at, "name"), fmt.Sprintf("%q is already the name of %s", z.Name, first), "write all records of a zone in one place")
		} else {
			seen[name] = at
		}
		c.records(z, name, at)
	}
}

func (c *checker) records(z *spec.Zone, apex, zoneAt string) {
	seen := map[string]string{}
	for i := range z.Records {
		r, at := &z.Records[i], spec.At(zoneAt, "records", i)
		if r.Name == "" {
			continue
		}
		owner, what, help := recordOwner(r.Name, apex)
		if what != "" {
			c.problem(spec.At(at, "name"), what, help)
			continue
		}
		if first, twice := seen[owner]; twice {
			c.problem(spec.At(at, "name"), fmt.Sprintf("%q is already the name of %s", r.Name, first), "write all data of a name in one record")
		} else {
			seen[owner] = at
		}
		c.record(r, owner == apex, at)
	}
}

// recordOwner is the whole name of a record, or says why it is none.
func recordOwner(name, apex string) (owner, what, help string) {
	whole, absolute := strings.CutSuffix(strings.ToLower(name), ".")
	switch {
	case name == "@":
		return apex, "", ""
	case strings.HasPrefix(name, "*"):
		return "", fmt.Sprintf("%q is a wildcard, which is not supported", name), "list the names"
	case !absolute:
		whole += "." + apex
	case whole != apex && !strings.HasSuffix(whole, "."+apex):
		return "", fmt.Sprintf("%q is not in the zone %q", name, apex), "leave out the last dot if it is below the zone's name"
	}
	if !isDomain(whole) {
		return "", fmt.Sprintf("%q is not a name", name), "use one such as www, or @ for the zone itself"
	}
	return whole, "", ""
}

func (c *checker) record(r *spec.Record, apex bool, at string) {
	addresses, others := len(r.A)+len(r.AAAA), len(r.TXT)+len(r.NS)
	if r.VIP != "" {
		c.vipAt.has(c, string(r.VIP), spec.At(at, "vip"))
	}
	switch {
	case r.VIP == "" && r.CNAME == "" && addresses+others == 0:
		c.problem(at, fmt.Sprintf("the record %q holds nothing", r.Name), "give it one of vip, a, aaaa, cname, txt, ns")
	case r.CNAME != "" && apex:
		c.problem(spec.At(at, "cname"), "the zone itself cannot be another name for something (RFC 1034, section 3.6.2)", "use vip, or a and aaaa")
	case r.CNAME != "" && (r.VIP != "" || addresses+others > 0):
		c.problem(spec.At(at, "cname"), fmt.Sprintf("the record %q holds more than a cname, which stands alone", r.Name), "leave out one or the other")
	case r.VIP != "" && addresses > 0:
		c.problem(spec.At(at, "vip"), fmt.Sprintf("the record %q has a vip and addresses", r.Name), "a vip takes the place of a and aaaa; leave out one or the other")
	}
	if r.Policy != nil && r.VIP == "" {
		c.problem(spec.At(at, "policy"), "a policy chooses among the sites of a vip, and there is none", "add vip, or leave policy out")
	}
	c.family(r.A, netip.Addr.Is4, "IPv4", "aaaa", spec.At(at, "a"))
	c.family(r.AAAA, netip.Addr.Is6, "IPv6", "a", spec.At(at, "aaaa"))
	if name := lower(r.CNAME); name != "" && name != "@" && !isDomain(name) {
		c.problem(spec.At(at, "cname"), fmt.Sprintf("%q is not a name", r.CNAME), "use one such as www, or whole with a last dot")
	}
}

func (c *checker) family(addrs []netip.Addr, is func(netip.Addr) bool, family, other, at string) {
	for i, a := range addrs {
		if a.IsValid() && !is(a) {
			c.problem(spec.At(at, i), fmt.Sprintf("%s is not an %s address", a, family), "write it in "+other)
		}
	}
}
