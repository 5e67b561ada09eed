package netx

import (
	"net/netip"
	"slices"
)

// Prefixes is an immutable set of addresses, given as networks. Looking one up
// takes as many steps as the number of networks has bits. The zero value is empty.
type Prefixes struct {
	v4, v6 []span
}

// span is a run of addresses of one family, both ends included.
type span struct{ first, last netip.Addr }

// NewPrefixes returns the set of all addresses that are in any of the networks.
func NewPrefixes(networks []netip.Prefix) Prefixes {
	var p Prefixes
	for _, n := range networks {
		first, last := n.Masked().Addr(), lastOf(n)
		if first.Is4() {
			p.v4 = append(p.v4, span{first, last})
		} else {
			p.v6 = append(p.v6, span{first, last})
		}
	}
	p.v4, p.v6 = merge(p.v4), merge(p.v6)
	return p
}

// lastOf is the highest address of a network.
func lastOf(n netip.Prefix) netip.Addr {
	raw := n.Addr().AsSlice()
	for i := n.Bits(); i < 8*len(raw); i++ {
		raw[i/8] |= 0x80 >> (i % 8)
	}
	last, _ := netip.AddrFromSlice(raw)
	return last
}

// merge sorts spans and makes one of those that touch, so that they are disjoint.
func merge(spans []span) []span {
	slices.SortFunc(spans, func(a, b span) int { return a.first.Compare(b.first) })
	merged := spans[:0]
	for _, s := range spans {
		last := len(merged) - 1
		if last >= 0 && (s.first.Compare(merged[last].last) <= 0 || s.first == merged[last].last.Next()) {
			if s.last.Compare(merged[last].last) > 0 {
				merged[last].last = s.last
			}
			continue
		}
		merged = append(merged, s)
	}
	return slices.Clip(merged)
}

// Contains reports whether the set has an address, which is in its only form. An
// address with a zone is in no set.
func (p *Prefixes) Contains(a netip.Addr) bool {
	spans := p.v6
	if a.Is4() {
		spans = p.v4
	}
	low, high := 0, len(spans)
	for low < high {
		mid := int(uint(low+high) >> 1)
		if spans[mid].first.Compare(a) <= 0 {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low > 0 && a.Compare(spans[low-1].last) <= 0 && a.Zone() == ""
}

// Empty reports whether the set has no address.
func (p *Prefixes) Empty() bool { return len(p.v4) == 0 && len(p.v6) == 0 }
