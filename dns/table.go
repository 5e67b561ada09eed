package dns

import (
	"cmp"
	"slices"
	"strings"

	mdns "github.com/miekg/dns"

	"portico/dns/policy"
	"portico/dns/wire"
	"portico/dns/zone"
	"portico/spec"
)

// table is all that is answered from one spec. Only the packed answers of its
// decisions change once it is served.
type table struct {
	names map[string]*entry // by wire.Query.Key
	// depth is the most labels a name has: what is longer need not be looked up.
	depth     int
	set       *zone.Set
	decisions []*decision
	byOwner   map[string]*alias // by the name with its last dot
}

// entry is one name.
type entry struct {
	types []typed
	rest  *answer    // to a query for any other type
	any   *answer    // to a query for ANY (RFC 8482)
	below *wire.Tail // to a query for a name below that is not in the table
}

// typed is the answer to one type of query.
type typed struct {
	rrtype uint16
	*answer
}

// answer is fixed, or follows a decision.
type answer struct {
	fixed *wire.Tail

	decision *decision
	index    int       // among the answers that follow the decision
	owner    string    // the name that is asked for
	prefix   []mdns.RR // the CNAMEs from there to the decision's record
}

// find returns what answers a query for the key: the name's entry, or the packed
// answer that the nearest name above it gives, or neither for a name of somebody
// else.
func (t *table) find(key []byte) (*entry, *wire.Tail) {
	if e := t.names[string(key)]; e != nil {
		return e, nil
	}
	labels := 0
	for i := 0; key[i] != 0; i += 1 + int(key[i]) {
		labels++
	}
	for labels > 0 {
		key = wire.Parent(key)
		if labels--; labels > t.depth {
			continue
		}
		if e := t.names[string(key)]; e != nil {
			return nil, e.below
		}
	}
	return nil, nil
}

func (e *entry) answer(rrtype uint16) *answer {
	for i := range e.types {
		if e.types[i].rrtype == rrtype {
			return e.types[i].answer
		}
	}
	if rrtype == wire.TypeANY {
		return e.any
	}
	return e.rest
}

// compile builds the table of a spec. Its decisions are not made yet.
func compile(want *spec.Spec) *table {
	c := compiler{
		want:  want,
		table: &table{names: map[string]*entry{}, set: zone.Compile(want), byOwner: map[string]*alias{}},
		zones: map[*zone.Zone]*shared{},
	}
	for _, n := range c.table.set.Names {
		if n.Alias != nil && !n.Cut {
			c.alias(n)
		}
	}
	slices.SortFunc(c.table.decisions, func(a, b *decision) int {
		return cmp.Or(cmp.Compare(a.owner, b.owner), cmp.Compare(a.rrtype, b.rrtype))
	})
	for owner, n := range c.table.set.Names {
		c.table.names[wire.Key(owner)] = c.entry(n)
		c.table.depth = max(c.table.depth, strings.Count(owner, "."))
	}
	return c.table
}

type compiler struct {
	want  *spec.Spec
	table *table
	zones map[*zone.Zone]*shared
}

// shared are the answers that all names of a zone share.
type shared struct {
	noName  *wire.Tail
	nothing *answer // of the type asked for
	any     *answer
}

func (c *compiler) entry(n *zone.Name) *entry {
	switch {
	case n.Cut:
		return c.cut(n)
	case n.CNAME() != "":
		return c.cname(n)
	}
	z := c.shared(n.Zone)
	e := &entry{below: z.noName, rest: z.nothing, any: z.nothing}
	c.data(e, n, n.Owner, nil)
	if len(e.types) > 0 {
		e.any = z.any
	}
	if n.Owner == n.Zone.Apex && n.Zone.Parent != nil {
		// The DS of a zone is a matter of the one above it (RFC 4035, section 3.1.4.1).
		e.add(mdns.TypeDS, c.shared(n.Zone.Parent).nothing)
	}
	return e
}

// data adds an answer for each type that n holds, to queries for owner, which
// the CNAMEs of prefix lead to n.
func (c *compiler) data(e *entry, n *zone.Name, owner string, prefix []mdns.RR) {
	for rrtype, rrs := range n.Records {
		s := sections{answer: join(prefix, rrs)}
		if rrtype == mdns.TypeNS {
			s.additional = c.glue(rrs)
		}
		e.add(rrtype, fixed(pack(owner, wire.Success, s)))
	}
	if a := c.table.byOwner[n.Owner]; a != nil {
		for _, d := range a.families {
			to := &answer{decision: d, owner: owner, prefix: prefix}
			d.follow(to)
			e.add(d.rrtype, to)
		}
	}
}

// cname compiles an alias for another name, followed as far as our zones go.
func (c *compiler) cname(n *zone.Name) *entry {
	e := &entry{below: c.shared(n.Zone).noName, any: c.shared(n.Zone).any}
	e.add(mdns.TypeCNAME, fixed(pack(n.Owner, wire.Success, sections{answer: n.Records[mdns.TypeCNAME]})))
	chain, end, z := c.chase(n)
	switch {
	case end != nil:
		c.data(e, end, n.Owner, chain)
		e.rest = fixed(pack(n.Owner, wire.Success, sections{answer: chain, authority: nothing(z).authority}))
	case z != nil: // RFC 6604, section 3
		e.rest = fixed(pack(n.Owner, wire.NXDomain, sections{answer: chain, authority: nothing(z).authority}))
	default:
		e.rest = fixed(pack(n.Owner, wire.Success, sections{answer: chain}))
	}
	return e
}

// chase follows a CNAME to the name at its end, or to the zone that has no such
// name, or to neither where it leaves our zones.
func (c *compiler) chase(n *zone.Name) (chain []mdns.RR, end *zone.Name, z *zone.Zone) {
	for range zone.ChainMax {
		chain = append(chain, n.Records[mdns.TypeCNAME]...)
		end, z = c.table.set.Find(n.CNAME())
		switch {
		case end == nil:
			return chain, nil, z
		case end.Cut:
			return chain, nil, nil
		case end.CNAME() == "":
			return chain, end, z
		}
		n = end
	}
	return chain, nil, nil
}

// cut compiles a name where another zone begins.
func (c *compiler) cut(n *zone.Name) *entry {
	ns := n.Records[mdns.TypeNS]
	s := sections{authority: ns, additional: c.glue(ns)}
	at := fixed(referral(pack(n.Owner, wire.Success, s)))
	e := &entry{rest: at, any: at, below: referral(packAnywhere(wire.Success, s))}
	e.add(mdns.TypeDS, c.shared(n.Zone).nothing)
	return e
}

// glue are the addresses we know of nameservers.
func (c *compiler) glue(ns []mdns.RR) []mdns.RR {
	var rrs []mdns.RR
	for _, rr := range ns {
		rrs = append(rrs, c.table.set.Addresses(rr.(*mdns.NS).Ns)...)
	}
	return rrs
}

func (c *compiler) shared(z *zone.Zone) *shared {
	if c.zones[z] == nil {
		c.zones[z] = &shared{
			noName:  packAnywhere(wire.NXDomain, nothing(z)),
			nothing: fixed(packAnywhere(wire.Success, nothing(z))),
			any:     fixed(hinfo(z)),
		}
	}
	return c.zones[z]
}

// alias compiles the decisions of a record with a VIP, one for each family.
func (c *compiler) alias(n *zone.Name) {
	a := &alias{record: strings.TrimSuffix(n.Owner, "."), owner: n.Owner, spec: n.Alias, known: zone.Sites(c.want, n.Alias.VIP)}
	p, params, ok := policy.Of(n.Alias.Policy)
	if !ok {
		return // refused by Check
	}
	a.policy = p
	for _, rrtype := range []uint16{mdns.TypeA, mdns.TypeAAAA} {
		d := newDecision(a, params, rrtype, n.Zone)
		a.families = append(a.families, d)
		c.table.decisions = append(c.table.decisions, d)
	}
	c.table.byOwner[n.Owner] = a
}

func (e *entry) add(rrtype uint16, a *answer) { e.types = append(e.types, typed{rrtype, a}) }

func fixed(t *wire.Tail) *answer { return &answer{fixed: t} }

// nothing is the authority section that says so.
func nothing(z *zone.Zone) sections { return sections{authority: []mdns.RR{z.Nothing}} }

// hinfo answers ANY with next to nothing (RFC 8482, section 4.2). The owner of
// its one record is the name that is asked for, whichever that is: packed, it is
// a pointer to the start of the question.
func hinfo(z *zone.Zone) *wire.Tail {
	return pack(z.Apex, wire.Success, sections{answer: []mdns.RR{&mdns.HINFO{
		Hdr: mdns.RR_Header{Name: z.Apex, Rrtype: mdns.TypeHINFO, Class: mdns.ClassINET, Ttl: z.SOA.Hdr.Ttl},
		Cpu: "RFC8482",
	}}})
}

func join(a, b []mdns.RR) []mdns.RR { return append(append([]mdns.RR{}, a...), b...) }
