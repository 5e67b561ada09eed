package dns

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	mdns "github.com/miekg/dns"

	"portico/dns/policy"
	"portico/dns/zone"
	"portico/spec"
	"portico/spec/status"
)

// Explain says how the name of a URL is answered, from the tables that answer
// queries. It is false when no zone here holds the name.
func (s *Server) Explain(q status.Question) (status.Answer, bool) {
	u, err := url.Parse(q.URL)
	if err != nil || u.Hostname() == "" {
		return status.Answer{}, false
	}
	t := s.table.Load()
	owner := strings.ToLower(strings.TrimSuffix(u.Hostname(), ".")) + "."
	n, z := t.set.Find(owner)
	if z == nil {
		return status.Answer{}, false
	}
	x := explanation{table: t, from: q.From, port: portOf(u)}
	x.answer = status.Answer{Tier: spec.RoleDNS, Node: s.self}
	x.line("", 0, "zone %s holds %s", strings.TrimSuffix(z.Apex, "."), strings.TrimSuffix(owner, "."))
	for range zone.ChainMax {
		if n == nil || n.CNAME() == "" {
			break
		}
		to := n.CNAME()
		x.line("+", 0, "CNAME to %s", strings.TrimSuffix(to, "."))
		owner = to
		n, z = t.set.Find(to)
	}
	x.name(owner, n, z)
	return x.answer, true
}

// explanation is an answer under construction.
type explanation struct {
	table  *table
	from   netip.Addr
	port   uint16
	answer status.Answer
}

func (x *explanation) line(mark string, depth int, format string, args ...any) {
	x.answer.Lines = append(x.answer.Lines, status.Line{Mark: mark, Depth: depth, Text: fmt.Sprintf(format, args...)})
}

// name explains the name that the CNAMEs lead to.
func (x *explanation) name(owner string, n *zone.Name, z *zone.Zone) {
	name := strings.TrimSuffix(owner, ".")
	switch {
	case n == nil && z == nil:
		x.answer.Result = name + ": in a zone of somebody else"
	case n == nil:
		x.answer.Result = name + ": NXDOMAIN, no such name"
	case n.Cut:
		x.answer.Result = name + ": handed to the nameservers of " + strings.TrimSuffix(n.Owner, ".")
	case x.table.byOwner[n.Owner] != nil:
		x.alias(name, x.table.byOwner[n.Owner])
	default:
		x.fixed(name, n)
	}
}

// fixed explains a name with addresses of its own, or none.
func (x *explanation) fixed(name string, n *zone.Name) {
	var addrs []string
	for _, rrtype := range []uint16{mdns.TypeA, mdns.TypeAAAA} {
		for _, rr := range n.Records[rrtype] {
			a := addrOf(rr)
			addrs = append(addrs, a.String())
			x.answer.Next = append(x.answer.Next, netip.AddrPortFrom(a, x.port))
		}
	}
	x.answer.Result = name + ": " + strings.Join(addrs, ", ")
	if len(addrs) == 0 {
		x.answer.Result = name + ": NODATA, the name has no address"
	}
}

func addrOf(rr mdns.RR) netip.Addr {
	ip := []byte(nil)
	switch rr := rr.(type) {
	case *mdns.A:
		ip = rr.A
	case *mdns.AAAA:
		ip = rr.AAAA
	}
	a, _ := netip.AddrFromSlice(ip)
	return a
}

// alias explains a name with a VIP. The family of the client comes first.
func (x *explanation) alias(name string, a *alias) {
	x.line("", 0, "VIP %s, policy %s, TTL %ds", a.spec.VIP.Name, a.policy.Name, a.spec.TTL)
	families := slices.Clone(a.families)
	if x.from.IsValid() && x.from.Unmap().Is6() {
		slices.Reverse(families)
	}
	var results []string
	for _, d := range families {
		if addrs := x.decision(d); len(addrs) > 0 {
			results = append(results, addrs...)
		}
	}
	for _, site := range a.known {
		if !slices.ContainsFunc(a.families, func(d *decision) bool { return d.place(site) >= 0 }) {
			x.line("-", 1, "%s: %s", site, notNamed)
		}
	}
	x.answer.Result = name + ": " + strings.Join(results, ", ")
	if len(results) == 0 {
		x.answer.Result = name + ": NODATA, no site may be used"
	}
}

// decision explains one family as one query would find it, and returns what is
// answered.
func (x *explanation) decision(d *decision) []string {
	if len(d.sites) == 0 {
		return nil
	}
	out := d.now.Load()
	rrtype := mdns.TypeToString[d.rrtype]
	x.line("", 0, "%s: %s", rrtype, modeText[out.mode])
	var chosen []int
	if i := out.chooser.Choose(policy.Query{Draw: rand.Uint64(), Client: prefix(x.from)}); i >= 0 {
		chosen = out.chooser.Answers()[i]
	}
	var results []string
	for i, p := range d.sites {
		use := slices.Index(out.used, i)
		switch {
		case use < 0:
			x.line("-", 1, "%s %v: %s", p.Name, p.addrs, reasoned(out, i))
		case slices.Contains(chosen, use):
			x.line("+", 1, "%s %v: %s%s", p.Name, p.addrs, reasoned(out, i), share(out.chooser.Share(use)))
		default:
			x.line("", 1, "%s %v: %s%s", p.Name, p.addrs, reasoned(out, i), share(out.chooser.Share(use)))
		}
	}
	for _, use := range chosen {
		p := d.sites[out.used[use]]
		for _, addr := range p.addrs {
			x.answer.Next = append(x.answer.Next, netip.AddrPortFrom(addr, x.port))
			results = append(results, fmt.Sprintf("%s (%s)", addr, p.Name))
		}
	}
	return results
}

// place is the index of a site among those of the decision, or -1.
func (d *decision) place(site spec.SiteName) int {
	return slices.IndexFunc(d.sites, func(p place) bool { return p.Name == site })
}

var modeText = map[policy.Mode]string{
	policy.ModeHealthy:  "the healthy sites are used",
	policy.ModeUnknown:  "no site is known to be healthy, so those of which nothing is known are used",
	policy.ModeFailOpen: "every site is unhealthy, so all are used (fail-open)",
	policy.ModeNone:     "every site is unhealthy and the record fails closed",
}

func reasoned(out *outcome, i int) string {
	if out.reasons[i] == "" {
		return out.verdicts[i].String()
	}
	return fmt.Sprintf("%s (%s)", out.verdicts[i], out.reasons[i])
}

func share(s float64) string {
	switch {
	case s >= 1:
		return ", first in every answer"
	case s <= 0:
		return ", not first while one before it is used"
	}
	return fmt.Sprintf(", first in %.0f %% of answers", s*100)
}

func prefix(a netip.Addr) netip.Prefix {
	if !a.IsValid() {
		return netip.Prefix{}
	}
	return netip.PrefixFrom(a, a.BitLen())
}

// portOf is the port of a URL, or that of its scheme.
func portOf(u *url.URL) uint16 {
	if p, err := strconv.ParseUint(u.Port(), 10, 16); err == nil {
		return uint16(p)
	}
	switch u.Scheme {
	case "https":
		return 443
	case "http":
		return 80
	}
	return 0
}
