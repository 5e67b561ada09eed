// Package pool gives out the addresses of pools to VIPs that have none of their own.
//
// In come a spec and what was given out before; out goes the spec with every address
// filled in. What a VIP has it keeps, whatever else changes, as long as the pool
// still has it. What it gets anew depends on its name and on the VIPs before it
// alone, so that nodes with the same spec agree without a word; only where they
// remember different pasts may they not, and then an address written into the spec
// settles it.
//
// It is pure, never panics whatever the spec holds, and leaves references that lead
// nowhere to spec/check.
//
// Start reading at Assign.
package pool

import (
	"maps"
	"net/netip"
	"slices"

	"github.com/zeebo/xxh3"

	"portico/spec"
)

// Held is what VIPs have of pools, by site.
type Held map[spec.VIPName]map[spec.SiteName][]netip.Addr

// prefixMax bounds what of one prefix is given out: each address is weighed.
const prefixMax = 1 << 16

// Assign returns the spec with the addresses of pools filled in, and what VIPs now
// have of them. A pool that has none left is a problem. The spec that it was handed
// stays as it is.
func Assign(want *spec.Spec, before Held) (filled *spec.Spec, now Held, problems []spec.Problem) {
	now = Held{}
	if len(want.Pools) == 0 {
		return want, now, nil
	}
	next := *want
	next.VIPs = slices.Clone(want.VIPs)
	a := &assignment{want: &next, before: before, users: map[netip.Addr][]*spec.VIP{}, reserved: map[netip.Addr]bool{}}
	a.reserve()
	for _, keep := range []bool{true, false} {
		for i := range next.VIPs {
			a.each(i, keep)
		}
	}
	for i := range next.VIPs {
		if v := &next.VIPs[i]; v.Pool != "" && want.VIPs[i].Pool != "" {
			a.note(now, v, &want.VIPs[i])
		}
	}
	return &next, now, a.problems
}

// assignment is the state of one Assign.
type assignment struct {
	want     *spec.Spec
	before   Held
	users    map[netip.Addr][]*spec.VIP // of addresses that were given out
	reserved map[netip.Addr]bool        // those that are written in the spec
	problems []spec.Problem
}

// reserve notes the addresses that are somebody's by the spec itself.
func (a *assignment) reserve() {
	for i := range a.want.VIPs {
		for _, list := range a.want.VIPs[i].Addresses {
			for _, addr := range list {
				a.reserved[addr] = true
			}
		}
	}
	for i := range a.want.Sites {
		for j := range a.want.Sites[i].Nodes {
			a.reserved[a.want.Sites[i].Nodes[j].Address] = true
		}
	}
}

// each gives one VIP what it lacks at each site of its pool: first what it had, in
// the second round what is left.
func (a *assignment) each(at int, keep bool) {
	v := &a.want.VIPs[at]
	p := a.want.Pool(v.Pool)
	if p == nil {
		return
	}
	for _, site := range slices.Sorted(maps.Keys(p.Addresses)) {
		for _, v4 := range []bool{true, false} {
			if a.own(v, site) || a.has(v, site, v4) {
				continue
			}
			if keep {
				a.keep(v, p, site, v4)
			} else {
				a.give(at, p, site, v4)
			}
		}
	}
}

// own reports whether the VIP has addresses of its own at a site.
func (a *assignment) own(v *spec.VIP, site spec.SiteName) bool {
	return slices.ContainsFunc(v.Addresses[site], func(addr netip.Addr) bool { return a.reserved[addr] })
}

func (a *assignment) has(v *spec.VIP, site spec.SiteName, v4 bool) bool {
	return slices.ContainsFunc(v.Addresses[site], func(addr netip.Addr) bool { return addr.Is4() == v4 })
}

// keep gives the VIP what it had, where the pool still has it.
func (a *assignment) keep(v *spec.VIP, p *spec.Pool, site spec.SiteName, v4 bool) {
	for _, addr := range a.before[v.Name][site] {
		in := slices.ContainsFunc(p.Addresses[site], func(x netip.Prefix) bool { return x.Contains(addr) })
		if addr.Is4() == v4 && in && a.takes(addr, v, p) {
			a.assign(v, site, addr)
			return
		}
	}
}

// give finds the VIP an address: of those that it may have the one that weighs most
// for its name, where VIPs share one that is in use before another.
func (a *assignment) give(at int, p *spec.Pool, site spec.SiteName, v4 bool) {
	v := &a.want.VIPs[at]
	var best netip.Addr
	var weight uint64
	shared, size := false, 0
	for addr := range stock(p.Addresses[site], v4) {
		size++
		if !a.takes(addr, v, p) {
			continue
		}
		w, s := xxh3.HashString(string(v.Name)+"@"+addr.String()), len(a.users[addr]) > 0
		if !best.IsValid() || s && !shared || s == shared && w > weight {
			best, weight, shared = addr, w, s
		}
	}
	switch {
	case best.IsValid():
		a.assign(v, site, best)
	case size > 0:
		a.exhausted(at, p, site, v4, size)
	}
}

func (a *assignment) exhausted(at int, p *spec.Pool, site spec.SiteName, v4 bool, size int) {
	family := "IPv6"
	if v4 {
		family = "IPv4"
	}
	problem := spec.Problemf(spec.At("vips", at, "pool"), "pool %q has no %s address left at site %q for VIP %q: all %d are taken", p.Name, family, site, a.want.VIPs[at].Name, size)
	problem.Help = "add a prefix to the pool"
	if !p.Share {
		problem.Help += ", or let VIPs with other ports share its addresses (share: true)"
	}
	a.problems = append(a.problems, problem)
}

// takes reports whether a VIP may have an address: one that nobody has or, where
// the pool lets VIPs share, one whose users have other ports and are announced alike.
func (a *assignment) takes(addr netip.Addr, v *spec.VIP, p *spec.Pool) bool {
	if a.reserved[addr] {
		return false
	}
	for _, other := range a.users[addr] {
		if !p.Share || other.Announce != v.Announce || a.clash(v, other) {
			return false
		}
	}
	return true
}

// clash reports whether listeners of two VIPs want one port.
func (a *assignment) clash(v, other *spec.VIP) bool {
	taken := map[socket]bool{}
	for i := range a.want.Listeners {
		if l := &a.want.Listeners[i]; l.VIP == v.Name {
			taken[socketOf(l)] = true
		}
	}
	for i := range a.want.Listeners {
		if l := &a.want.Listeners[i]; l.VIP == other.Name && taken[socketOf(l)] {
			return true
		}
	}
	return false
}

// socket is what two listeners of one address cannot both have.
type socket struct {
	port uint16
	udp  bool
}

func socketOf(l *spec.Listener) socket { return socket{l.Port, l.Protocol == spec.ProtocolUDP} }

// assign gives a VIP an address. The map is its own: that of the spec is left alone.
func (a *assignment) assign(v *spec.VIP, site spec.SiteName, addr netip.Addr) {
	own := maps.Clone(v.Addresses)
	if own == nil {
		own = map[spec.SiteName][]netip.Addr{}
	}
	own[site] = append(slices.Clone(own[site]), addr)
	v.Addresses = own
	a.users[addr] = append(a.users[addr], v)
}

// note adds what a VIP was given: what the spec before did not have.
func (a *assignment) note(now Held, v, before *spec.VIP) {
	for site, list := range v.Addresses {
		if len(before.Addresses[site]) == 0 && len(list) > 0 {
			if now[v.Name] == nil {
				now[v.Name] = map[spec.SiteName][]netip.Addr{}
			}
			now[v.Name][site] = list
		}
	}
}

// stock yields the addresses of one family that may be given out, of each prefix the
// first prefixMax. The first of a prefix of IPv6 is every router's (RFC 4291,
// section 2.6.1).
func stock(prefixes []netip.Prefix, v4 bool) func(yield func(netip.Addr) bool) {
	return func(yield func(netip.Addr) bool) {
		for _, p := range prefixes {
			addr := p.Masked().Addr()
			if addr.Is4() != v4 {
				continue
			}
			if !v4 && p.Bits() < 127 {
				addr = addr.Next()
			}
			for n := 0; n < prefixMax && p.Contains(addr); n++ {
				if !yield(addr) {
					return
				}
				addr = addr.Next()
			}
		}
	}
}
