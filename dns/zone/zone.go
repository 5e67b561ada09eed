// Package zone turns the zones of a spec into names and what each of them
// holds, and finds what is wrong with them.
//
// What comes in: a spec. What goes out: problems with their paths, or a Set: every
// name of every zone, with its records, its alias to a VIP, or the cut where
// another zone begins.
//
// It never knows who asks, which site is healthy or how an answer is sent.
//
// Start reading at Compile; Check says what Compile may rely on.
package zone

import (
	"math"
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"

	"portico/spec"
)

// Bounds of a spec's zones.
const (
	// ChainMax is how many CNAMEs in a row are followed within our zones.
	ChainMax = 8
	txtMax   = 255   // bytes in one string of a TXT record (RFC 1035, section 3.3.14)
	txtsMax  = 16384 // bytes in all TXT records of a name, so that a reply over TCP holds them
	addrsMax = 256   // addresses of one family of a name
	hostsMax = 32    // nameservers of a zone, or of a name handed to another
)

// Set is all zones of a spec.
type Set struct {
	// Names holds every name in lower case with its last dot, and those without
	// records that only have names below them. A name below a cut is not in it.
	Names map[string]*Name
	// hidden are names below cuts, kept for the addresses of nameservers.
	hidden map[string]*Name
}

// Zone is one zone.
type Zone struct {
	Apex   string // lower case, with its last dot
	Parent *Zone  // the zone of this spec it is cut from, or nil
	SOA    *dns.SOA
	// Nothing is the SOA as it stands in an answer that there is nothing: its
	// TTL is how long that is remembered (RFC 2308, section 5).
	Nothing *dns.SOA
}

// Name is one name and what it holds.
type Name struct {
	Owner   string
	Zone    *Zone
	Records map[uint16][]dns.RR // by type
	Alias   *Alias
	// Cut says that another zone begins here, which we do not hold: Records has
	// its NS.
	Cut bool
}

// Alias is a name that answers with the addresses of a VIP.
type Alias struct {
	VIP    *spec.VIP
	Policy *spec.Choice
	TTL    uint32 // seconds
	When   spec.WhenNoneHealthy
}

// CNAME is where the name points as an alias for another, or empty.
func (n *Name) CNAME() string {
	if rrs := n.Records[dns.TypeCNAME]; len(rrs) > 0 {
		return rrs[0].(*dns.CNAME).Target
	}
	return ""
}

// Addresses are the A and AAAA records of a name, also below a cut: glue.
func (s *Set) Addresses(owner string) []dns.RR {
	n := s.Names[owner]
	if n == nil {
		n = s.hidden[owner]
	}
	if n == nil {
		return nil
	}
	return append(append([]dns.RR{}, n.Records[dns.TypeA]...), n.Records[dns.TypeAAAA]...)
}

// Find returns the name, or what stands for it: the cut above it. Where there is
// neither it returns nil and the zone the name would be in, or nil and nil for a
// name of somebody else.
func (s *Set) Find(owner string) (*Name, *Zone) {
	if n := s.Names[owner]; n != nil {
		return n, n.Zone
	}
	for up := owner; up != "."; {
		up = parent(up)
		if n := s.Names[up]; n != nil {
			if n.Cut {
				return n, n.Zone
			}
			return nil, n.Zone
		}
	}
	return nil, nil
}

// Compile builds the set of a spec that Check found no error in.
func Compile(want *spec.Spec) *Set {
	s := &Set{Names: map[string]*Name{}, hidden: map[string]*Name{}}
	zones := map[string]*Zone{}
	for i := range want.Zones {
		z := newZone(&want.Zones[i])
		zones[z.Apex] = z
	}
	for i := range want.Zones {
		z := zones[fqdn(want.Zones[i].Name)]
		for up := z.Apex; up != "." && z.Parent == nil; {
			up = parent(up)
			z.Parent = zones[up]
		}
	}
	b := builder{set: s, zones: zones, vips: want}
	for i := range want.Zones {
		b.zone(&want.Zones[i], zones[fqdn(want.Zones[i].Name)])
	}
	b.fill()
	b.hide()
	return s
}

func newZone(want *spec.Zone) *Zone {
	apex := fqdn(want.Name)
	ttl := seconds(want.TTL)
	soa := &dns.SOA{
		Hdr:  header(apex, dns.TypeSOA, ttl),
		Ns:   apex,
		Mbox: mailbox(want.SOA.Mail, apex), Serial: want.SOA.Serial,
		Refresh: seconds(want.SOA.Refresh), Retry: seconds(want.SOA.Retry),
		Expire: seconds(want.SOA.Expire), Minttl: seconds(want.SOA.Minimum),
	}
	if len(want.Nameservers) > 0 {
		soa.Ns = absolute(want.Nameservers[0].Name, apex)
	}
	nothing := *soa
	nothing.Hdr.Ttl = min(ttl, soa.Minttl)
	return &Zone{Apex: apex, SOA: soa, Nothing: &nothing}
}

// builder adds the names of the zones to a set.
type builder struct {
	set   *Set
	zones map[string]*Zone
	vips  *spec.Spec
}

func (b *builder) name(z *Zone, owner string) *Name {
	n := b.set.Names[owner]
	if n == nil {
		n = &Name{Owner: owner, Zone: z, Records: map[uint16][]dns.RR{}}
		b.set.Names[owner] = n
	}
	return n
}

func (b *builder) zone(want *spec.Zone, z *Zone) {
	apex := b.name(z, z.Apex)
	apex.add(z.SOA)
	for _, ns := range want.Nameservers {
		host := absolute(ns.Name, z.Apex)
		apex.add(&dns.NS{Hdr: header(z.Apex, dns.TypeNS, seconds(want.TTL)), Ns: host})
		if b.holder(host) == z {
			b.name(z, host).addresses(ns.Addresses, seconds(want.TTL))
		}
	}
	for i := range want.Records {
		r := &want.Records[i]
		owner := absolute(r.Name, z.Apex)
		if b.holder(owner) == z { // else a zone of its own holds the name
			b.record(b.name(z, owner), r, z, ttlOf(r.TTL, want.TTL))
		}
	}
}

// holder is the zone of ours that a name is in, or nil.
func (b *builder) holder(owner string) *Zone {
	for {
		if z := b.zones[owner]; z != nil {
			return z
		}
		if owner == "." {
			return nil
		}
		owner = parent(owner)
	}
}

func (b *builder) record(n *Name, r *spec.Record, z *Zone, ttl uint32) {
	if vip := b.vips.VIP(r.VIP); r.VIP != "" && vip != nil {
		n.Alias = &Alias{VIP: vip, Policy: r.Policy, TTL: ttl, When: r.WhenNoneHealthy}
	}
	n.addresses(r.A, ttl)
	n.addresses(r.AAAA, ttl)
	if r.CNAME != "" {
		n.add(&dns.CNAME{Hdr: header(n.Owner, dns.TypeCNAME, ttl), Target: absolute(r.CNAME, z.Apex)})
	}
	for _, text := range r.TXT {
		n.add(&dns.TXT{Hdr: header(n.Owner, dns.TypeTXT, ttl), Txt: split(text)})
	}
	for _, ns := range r.NS {
		n.add(&dns.NS{Hdr: header(n.Owner, dns.TypeNS, ttl), Ns: absolute(ns, z.Apex)})
		n.Cut = true
	}
}

// hide takes out what lies below cuts.
func (b *builder) hide() {
	for owner, n := range b.set.Names {
		for up := owner; up != n.Zone.Apex; {
			up = parent(up)
			if above := b.set.Names[up]; above != nil && above.Cut && above.Zone == n.Zone {
				b.set.hidden[owner] = n
			}
		}
	}
	for owner := range b.set.hidden {
		delete(b.set.Names, owner)
	}
}

// fill adds the names that have none but names below them, so that they answer
// "nothing" and not "no such name" (RFC 8020). A zone cut from another of ours
// counts as a name of that one.
func (b *builder) fill() {
	type gap struct {
		owner string
		zone  *Zone
	}
	var gaps []gap
	for owner, n := range b.set.Names {
		z := n.Zone
		if owner == z.Apex {
			z = z.Parent
		}
		for up := owner; z != nil && up != z.Apex; up = parent(up) {
			gaps = append(gaps, gap{up, z})
		}
	}
	for _, g := range gaps {
		b.name(g.zone, g.owner)
	}
}

func (n *Name) add(rr dns.RR) {
	t := rr.Header().Rrtype
	n.Records[t] = append(n.Records[t], rr)
}

func (n *Name) addresses(addrs []netip.Addr, ttl uint32) {
	for _, a := range addrs {
		n.add(Address(n.Owner, a, ttl))
	}
}

// Address is an A or AAAA record.
func Address(owner string, a netip.Addr, ttl uint32) dns.RR {
	if a = a.Unmap(); a.Is4() {
		return &dns.A{Hdr: header(owner, dns.TypeA, ttl), A: a.AsSlice()}
	}
	return &dns.AAAA{Hdr: header(owner, dns.TypeAAAA, ttl), AAAA: a.AsSlice()}
}

func header(owner string, t uint16, ttl uint32) dns.RR_Header {
	return dns.RR_Header{Name: owner, Rrtype: t, Class: dns.ClassINET, Ttl: ttl}
}

// ttlOf is the record's own TTL in seconds, or the zone's.
func ttlOf(record, zone spec.Duration) uint32 {
	if record > 0 {
		return seconds(record)
	}
	return seconds(zone)
}

// seconds rounds up, so that what was meant to be remembered is.
func seconds(d spec.Duration) uint32 {
	s := (d.D() + time.Second - 1) / time.Second
	return uint32(min(max(s, 0), math.MaxInt32)) // RFC 2181, section 8
}

// mailbox writes a mail address as a name (RFC 1035, section 8).
func mailbox(mail, apex string) string {
	local, domain, ok := strings.Cut(mail, "@")
	if !ok {
		return "hostmaster." + apex
	}
	return strings.ReplaceAll(local, ".", `\.`) + "." + fqdn(domain)
}

// split cuts a text into strings of a TXT record, escaped for the packer.
func split(text string) []string {
	var parts []string
	for len(text) > txtMax {
		parts = append(parts, escape(text[:txtMax]))
		text = text[txtMax:]
	}
	return append(parts, escape(text))
}

// escape makes the packer take a text as it is: to it a backslash is special.
func escape(text string) string { return strings.ReplaceAll(text, `\`, `\\`) }
