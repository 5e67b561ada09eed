package zone

import (
	"fmt"
	"net/netip"
	"strings"

	"portico/dns/policy"
	"portico/internal/suggest"
	"portico/spec"
)

// Check finds what is wrong with the zones of a spec.
func Check(want *spec.Spec) []spec.Problem {
	c := &checker{want: want}
	seen := map[string]int{}
	for i := range want.Zones {
		z := &want.Zones[i]
		at := spec.At("zones", i)
		if !c.whole(spec.At(at, "name"), z.Name) {
			continue
		}
		if j, twice := seen[fqdn(z.Name)]; twice {
			c.problem(spec.At(at, "name"), fmt.Sprintf("zone %q is defined twice", z.Name), fmt.Sprintf("it is zones[%d] too", j))
			continue
		}
		seen[fqdn(z.Name)] = i
		c.zone(at, z)
	}
	if !spec.Problems(c.found).Fatal() {
		c.compiled(Compile(want))
	}
	return c.found
}

// checker gathers problems.
type checker struct {
	want  *spec.Spec
	found []spec.Problem
}

func (c *checker) problem(at, what, help string) {
	c.found = append(c.found, spec.Problem{Path: at, What: what, Help: help})
}

func (c *checker) warning(at, what, help string) {
	c.found = append(c.found, spec.Problem{Path: at, What: what, Help: help, Level: spec.Warning})
}

// whole checks a name that is whole.
func (c *checker) whole(at, name string) bool {
	what, help := badName(name)
	if what != "" {
		c.problem(at, fmt.Sprintf("%q %s", name, what), help)
	}
	return what == ""
}

// relative checks a name as it is written in a zone and returns it whole.
func (c *checker) relative(at, name, apex string) (string, bool) {
	if name == "" {
		c.problem(at, "the name is empty", `use "@" for the zone's own name`)
		return "", false
	}
	owner := absolute(name, apex)
	what, help := badName(owner)
	if what != "" {
		c.problem(at, fmt.Sprintf("%q %s", name, what), help)
		return "", false
	}
	if bare := strings.TrimSuffix(apex, "."); !strings.HasSuffix(name, ".") && within(strings.ToLower(name), bare) && strings.Contains(bare, ".") {
		c.warning(at, fmt.Sprintf("%q is below the zone and means %s", name, owner), fmt.Sprintf("if it is whole, end it with a dot: %q", name+"."))
	}
	return owner, true
}

func (c *checker) zone(at string, z *spec.Zone) {
	apex := fqdn(z.Name)
	if len(z.Nameservers) == 0 {
		c.problem(spec.At(at, "nameservers"), "the zone has no nameserver", "name at least one, such as {name: ns1, addresses: [192.0.2.1]}")
	}
	if len(z.Nameservers) > hostsMax {
		c.problem(spec.At(at, "nameservers"), fmt.Sprintf("%d nameservers are too many", len(z.Nameservers)), fmt.Sprintf("use at most %d", hostsMax))
	}
	if !isMail(z.SOA.Mail) && z.SOA.Mail != "" {
		c.problem(spec.At(at, "soa", "mail"), fmt.Sprintf("%q is not a mail address", z.SOA.Mail), "use one such as hostmaster@"+z.Name)
	}
	hosts := map[string]int{}
	for i := range z.Nameservers {
		c.nameserver(spec.At(at, "nameservers", i), &z.Nameservers[i], z, hosts)
		hosts[absolute(z.Nameservers[i].Name, apex)] = i
	}
	owners := map[string]int{}
	for i := range z.Records {
		r, at := &z.Records[i], spec.At(at, "records", i)
		owner, ok := c.relative(spec.At(at, "name"), r.Name, apex)
		switch {
		case !ok:
			continue
		case !within(owner, apex):
			c.problem(spec.At(at, "name"), fmt.Sprintf("%q is not in the zone %s", r.Name, z.Name), "leave out the last dot if it is below the zone's name")
			continue
		}
		if j, twice := owners[owner]; twice {
			c.problem(spec.At(at, "name"), fmt.Sprintf("%q is defined twice", r.Name), fmt.Sprintf("it is records[%d] too; one record holds all data of a name", j))
			continue
		}
		owners[owner] = i
		if j, is := hosts[owner]; is {
			c.hosted(at, r, &z.Nameservers[j])
		}
		c.record(at, r, owner, apex)
	}
}

// nameserver checks a nameserver of the apex. One inside the zone needs
// addresses, its own or those of a record of the same name.
func (c *checker) nameserver(at string, ns *spec.Nameserver, z *spec.Zone, before map[string]int) {
	apex := fqdn(z.Name)
	host, ok := c.relative(spec.At(at, "name"), ns.Name, apex)
	if !ok {
		return
	}
	if _, twice := before[host]; twice {
		c.problem(spec.At(at, "name"), fmt.Sprintf("nameserver %q is listed twice", ns.Name), "")
	}
	c.addresses(spec.At(at, "addresses"), ns.Addresses)
	switch inside := within(host, apex); {
	case !inside && len(ns.Addresses) > 0:
		c.warning(spec.At(at, "addresses"), fmt.Sprintf("%q is not in the zone %s, so its addresses are not used", ns.Name, z.Name), "its own zone has them")
	case inside && len(ns.Addresses) == 0 && !hasAddress(z, host):
		c.problem(spec.At(at, "addresses"), fmt.Sprintf("nameserver %q is in the zone and has no address", ns.Name), "add addresses, or a record of that name")
	}
}

func hasAddress(z *spec.Zone, owner string) bool {
	for i := range z.Records {
		if r := &z.Records[i]; absolute(r.Name, fqdn(z.Name)) == owner {
			return len(r.A)+len(r.AAAA) > 0 || r.VIP != ""
		}
	}
	return false
}

// hosted checks a record that has the name of a nameserver.
func (c *checker) hosted(at string, r *spec.Record, ns *spec.Nameserver) {
	if r.CNAME != "" { // RFC 2181, section 10.3
		c.problem(spec.At(at, "cname"), fmt.Sprintf("nameserver %q may not be an alias", ns.Name), "use a or aaaa")
	}
	if len(ns.Addresses) > 0 && (r.VIP != "" || len(r.A)+len(r.AAAA) > 0) {
		c.problem(at, fmt.Sprintf("%q has addresses as a nameserver and as a record", r.Name), "write them in one place")
	}
}

func (c *checker) record(at string, r *spec.Record, owner, apex string) {
	kinds := 0
	for _, has := range []bool{r.VIP != "", len(r.A) > 0, len(r.AAAA) > 0, r.CNAME != "", len(r.TXT) > 0, len(r.NS) > 0} {
		if has {
			kinds++
		}
	}
	if kinds == 0 {
		c.problem(at, fmt.Sprintf("%q holds nothing", r.Name), "add one of vip, a, aaaa, cname, txt and ns")
	}
	c.family(spec.At(at, "a"), r.A, "IPv4", "aaaa", netip.Addr.Is4)
	c.family(spec.At(at, "aaaa"), r.AAAA, "IPv6", "a", netip.Addr.Is6)
	if r.CNAME != "" {
		c.cname(at, r, kinds, owner, apex)
	}
	if len(r.NS) > 0 {
		c.cut(at, r, owner, apex)
	}
	size := 0
	for i, text := range r.TXT {
		if size += len(text) + len(text)/txtMax + 24; size > txtsMax {
			c.problem(spec.At(at, "txt", i), "the texts are longer than an answer may be", fmt.Sprintf("use at most %d bytes in all", txtsMax))
			break
		}
	}
	c.alias(at, r)
}

func (c *checker) cname(at string, r *spec.Record, kinds int, owner, apex string) {
	at = spec.At(at, "cname")
	target, ok := c.relative(at, r.CNAME, apex)
	switch {
	case owner == apex:
		c.problem(at, "the zone's own name cannot be an alias", "use vip, or a and aaaa")
	case kinds > 1:
		c.problem(at, fmt.Sprintf("%q holds other data too", r.Name), "a cname stands alone")
	case ok && target == owner:
		c.problem(at, fmt.Sprintf("%q is an alias of itself", r.Name), "")
	}
}

func (c *checker) cut(at string, r *spec.Record, owner, apex string) {
	at = spec.At(at, "ns")
	switch {
	case owner == apex:
		c.problem(at, "the zone's own nameservers stand elsewhere", "use the zone's nameservers")
	case r.VIP != "" || len(r.TXT) > 0:
		c.problem(at, fmt.Sprintf("%q is handed to another zone and holds data here", r.Name), "leave only ns, and addresses of nameservers")
	}
	if len(r.NS) > hostsMax {
		c.problem(at, fmt.Sprintf("%d nameservers are too many", len(r.NS)), fmt.Sprintf("use at most %d", hostsMax))
	}
	for i, ns := range r.NS {
		c.relative(spec.At(at, i), ns, apex)
	}
}

func (c *checker) family(at string, addrs []netip.Addr, family, other string, is func(netip.Addr) bool) {
	c.addresses(at, addrs)
	for i, a := range addrs {
		if a.IsValid() && !is(a) {
			c.problem(spec.At(at, i), fmt.Sprintf("%s is not an %s address", a, family), "use "+other+" for it")
		}
	}
}

func (c *checker) addresses(at string, addrs []netip.Addr) {
	seen := map[netip.Addr]bool{}
	for i, a := range addrs {
		switch {
		case !a.IsValid() || a.Zone() != "" || a.IsUnspecified() || a.Is4In6():
			c.problem(spec.At(at, i), fmt.Sprintf("%s is not an address to answer with", a), "use one such as 192.0.2.1 or 2001:db8::1")
		case seen[a]:
			c.problem(spec.At(at, i), fmt.Sprintf("%s is listed twice", a), "")
		}
		seen[a] = true
	}
	if len(addrs) > addrsMax {
		c.problem(at, fmt.Sprintf("%d addresses are too many", len(addrs)), fmt.Sprintf("use at most %d", addrsMax))
	}
}

// alias checks the VIP of a record and the policy that goes with it.
func (c *checker) alias(at string, r *spec.Record) {
	if r.VIP == "" {
		if r.Policy != nil {
			c.problem(spec.At(at, "policy"), fmt.Sprintf("%q has a policy and no vip", r.Name), "a policy chooses among the sites of a vip")
		}
		return
	}
	if len(r.A)+len(r.AAAA) > 0 {
		c.problem(spec.At(at, "vip"), fmt.Sprintf("%q has a vip and addresses of its own", r.Name), "a vip takes the place of a and aaaa")
	}
	vip := c.want.VIP(r.VIP)
	if vip == nil {
		c.problem(spec.At(at, "vip"), fmt.Sprintf("no VIP named %q", r.VIP), suggest.Defined(string(r.VIP), c.vips()))
		return
	}
	if len(vip.Addresses) > policy.SitesMax {
		c.problem(spec.At(at, "vip"), fmt.Sprintf("VIP %q has addresses at %d sites", vip.Name, len(vip.Addresses)), fmt.Sprintf("a record chooses among at most %d", policy.SitesMax))
	}
	c.policy(spec.At(at, "policy"), r, vip)
}

func (c *checker) policy(at string, r *spec.Record, vip *spec.VIP) {
	p, params, ok := policy.Of(r.Policy)
	if !ok {
		c.problem(at, fmt.Sprintf("unknown policy %q", r.Policy.Name), suggest.Help(r.Policy.Name, policies()))
		return
	}
	named := p.Names(params)
	for i, site := range named {
		where := spec.At(at, p.Name, string(site))
		if _, list := params.(*policy.Failover); list {
			where = spec.At(at, p.Name, i)
		}
		switch {
		case !c.site(site):
			c.problem(where, fmt.Sprintf("no site named %q", site), suggest.Defined(string(site), c.sites()))
		case len(vip.Addresses[site]) == 0:
			c.problem(where, fmt.Sprintf("VIP %q has no address at site %q", vip.Name, site), "it has at "+strings.Join(sitesOf(c.want, vip), ", "))
		}
	}
	if p.Params != nil && params == nil {
		c.problem(at, fmt.Sprintf("policy %q names no site", p.Name), "it needs the sites to choose among")
	}
}
