package dns

import (
	"net/netip"
	"slices"
	"sync/atomic"

	mdns "github.com/miekg/dns"

	"portico/dns/policy"
	"portico/dns/wire"
	"portico/dns/zone"
	"portico/spec"
	"portico/spec/status"
)

// alias is a record that answers with the addresses of a VIP.
type alias struct {
	record   string // its name without the last dot
	owner    string // its name with it
	spec     *zone.Alias
	policy   policy.Policy
	known    []spec.SiteName // every site of the VIP
	families []*decision     // A, then AAAA
}

// decision is how a record answers in one family. What it is made of stays; what
// comes of it is swapped whole, each time health changes the sites in use.
type decision struct {
	*alias
	rrtype uint16
	zone   *zone.Zone
	sites  []place   // those the policy would use and that have an address
	answer []*answer // that follow it; the packed ones have the same indexes

	now atomic.Pointer[outcome]
}

// place is a site that a decision may choose.
type place struct {
	policy.Site
	addrs []netip.Addr
}

// outcome is a decision under the verdicts of one moment.
type outcome struct {
	mode     policy.Mode
	verdicts []status.Verdict // by place
	reasons  []string
	used     []int // the places in use; the sites of chooser
	chooser  policy.Chooser
	// packed holds, for each answer that follows the decision, one tail for each
	// of the chooser's answers, or one alone when there are none.
	packed [][]*wire.Tail
	counts [][]*atomic.Uint64 // of the sites in each of the chooser's answers
}

func newDecision(a *alias, params any, rrtype uint16, z *zone.Zone) *decision {
	d := &decision{alias: a, rrtype: rrtype, zone: z}
	var known []spec.SiteName
	for _, site := range a.known {
		if len(d.addresses(site)) > 0 {
			known = append(known, site)
		}
	}
	for _, site := range a.policy.Sites(params, known) {
		d.sites = append(d.sites, place{site, d.addresses(site.Name)})
	}
	return d
}

// addresses are those of the VIP at a site, of the decision's family.
func (d *decision) addresses(site spec.SiteName) []netip.Addr {
	var addrs []netip.Addr
	for _, a := range d.spec.VIP.Addresses[site] {
		if a.Unmap().Is4() == (d.rrtype == mdns.TypeA) {
			addrs = append(addrs, a)
		}
	}
	return addrs
}

// follow makes an answer follow the decision.
func (d *decision) follow(a *answer) {
	a.index = len(d.answer)
	d.answer = append(d.answer, a)
}

// facts is what is known of one address of a VIP.
type facts func(vip spec.VIPName, site spec.SiteName, addr netip.Addr) (status.Verdict, string)

// decide makes the decision under what is known now, and reports whether the
// sites in use are others than before. counter counts the answers with a site.
func (d *decision) decide(known facts, counter func(record string, site spec.SiteName) *atomic.Uint64) bool {
	out := &outcome{}
	for _, p := range d.sites {
		v, reason := d.verdict(known, p)
		out.verdicts = append(out.verdicts, v)
		out.reasons = append(out.reasons, reason)
	}
	wanted, mode := policy.Use(out.verdicts, d.spec.When)
	out.mode = mode
	for i, v := range out.verdicts {
		if policy.Used(v, wanted, mode) {
			out.used = append(out.used, i)
		}
	}
	before := d.now.Load()
	same := before != nil && slices.Equal(before.used, out.used)
	if same {
		out.chooser, out.packed, out.counts = before.chooser, before.packed, before.counts
	} else {
		d.pack(out, counter)
	}
	d.now.Store(out)
	return !same || before.mode != mode
}

// verdict is the worst of a place's addresses.
func (d *decision) verdict(known facts, p place) (status.Verdict, string) {
	worst, why := status.Healthy, ""
	for i, addr := range p.addrs {
		v, reason := known(d.spec.VIP.Name, p.Name, addr)
		if i == 0 || rank(v) < rank(worst) {
			worst, why = v, reason
		}
	}
	return worst, why
}

// rank orders verdicts from the worst to the best.
func rank(v status.Verdict) int {
	return slices.Index([]status.Verdict{status.Unhealthy, status.Unknown, status.Healthy}, v)
}

// pack packs every answer that an outcome may give.
func (d *decision) pack(out *outcome, counter func(string, spec.SiteName) *atomic.Uint64) {
	sites := make([]policy.Site, len(out.used))
	for i, p := range out.used {
		sites[i] = d.sites[p].Site
	}
	out.chooser = d.policy.New(sites)
	choices := out.chooser.Answers()
	for _, chosen := range choices {
		var counts []*atomic.Uint64
		for _, i := range chosen {
			counts = append(counts, counter(d.record, sites[i].Name))
		}
		out.counts = append(out.counts, counts)
	}
	for _, a := range d.answer {
		var tails []*wire.Tail
		for _, chosen := range choices {
			tails = append(tails, pack(a.owner, wire.Success, sections{answer: join(a.prefix, d.records(out, chosen))}))
		}
		if len(choices) == 0 {
			tails = append(tails, pack(a.owner, wire.Success, sections{answer: a.prefix, authority: nothing(d.zone).authority}))
		}
		out.packed = append(out.packed, tails)
	}
}

// records are the addresses of chosen sites.
func (d *decision) records(out *outcome, chosen []int) []mdns.RR {
	var rrs []mdns.RR
	for _, i := range chosen {
		for _, addr := range d.sites[out.used[i]].addrs {
			rrs = append(rrs, zone.Address(d.owner, addr, d.spec.TTL))
		}
	}
	return rrs
}

// family names the decision's kind of address.
func (d *decision) family() string {
	if d.rrtype == mdns.TypeA {
		return "ipv4"
	}
	return "ipv6"
}

// degraded says that an outcome is one that someone should look at.
func (o *outcome) degraded() bool {
	return o.mode == policy.ModeFailOpen || o.mode == policy.ModeNone
}

// names lists the sites in use.
func (d *decision) names(out *outcome) []spec.SiteName {
	names := make([]spec.SiteName, len(out.used))
	for i, p := range out.used {
		names[i] = d.sites[p].Name
	}
	return names
}
