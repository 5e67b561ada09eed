package bgp

import (
	"bytes"
	"cmp"
	"maps"
	"net/netip"
	"slices"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"portico/spec"
)

// Route is one address that this node should be reached by.
type Route struct {
	Prefix netip.Prefix
	// Carries is what routers are told along with it; Check has passed it.
	Carries spec.VIPRoutes
	// Leaving asks routers to prefer any other node before this one withdraws the
	// route: the community GRACEFUL_SHUTDOWN (RFC 8326).
	Leaving bool
}

// same reports whether routers would hear nothing new.
func (r Route) same(other Route) bool {
	equal := func(a, b *uint32) bool { return a == b || a != nil && b != nil && *a == *b }
	return r.Prefix == other.Prefix && r.Leaving == other.Leaving &&
		slices.Equal(r.Carries.Communities, other.Carries.Communities) &&
		equal(r.Carries.MED, other.Carries.MED) && equal(r.Carries.LocalPref, other.Carries.LocalPref)
}

// localPrefDefault is what routers take for a route that says nothing.
const localPrefDefault = 100

// nlriPerUpdate keeps an UPDATE below the 4,096 bytes of RFC 4271, section 4: 17
// bytes for a host route of IPv6, and the communities that Check allows.
const nlriPerUpdate = 100

// path is one route as one router is told it; equal ones need no UPDATE.
type path struct {
	hops nextHops
	// attributes are the packed attributes without next hop and prefix.
	attributes string
}

// paths is what one router was told, or should be.
type paths map[netip.Prefix]path

// wanted says what a router should be told of the routes: those of a family that it
// takes and that we have a next hop for.
func wanted(routes []Route, c peerConfig, o opened, hops map[bgp.Family]nextHops) paths {
	want := make(paths, len(routes))
	for _, r := range routes {
		family := familyOf(r.Prefix.Addr())
		if h, ok := hops[family]; ok && o.families[family] {
			want[r.Prefix.Masked()] = path{hops: h, attributes: pack(attributes(r, c))}
		}
	}
	return want
}

func familyOf(a netip.Addr) bgp.Family {
	if a.Is4() {
		return bgp.RF_IPv4_UC
	}
	return bgp.RF_IPv6_UC
}

// attributes are those that routes of both families share, in the order of their
// codes (RFC 4271, section 5).
func attributes(r Route, c peerConfig) []bgp.PathAttributeInterface {
	var as []bgp.AsPathParamInterface
	if !c.internal() {
		as = append(as, bgp.NewAs4PathParam(bgp.BGP_ASPATH_ATTR_TYPE_SEQ, []uint32{c.as}))
	}
	list := []bgp.PathAttributeInterface{bgp.NewPathAttributeOrigin(bgp.BGP_ORIGIN_ATTR_TYPE_IGP), bgp.NewPathAttributeAsPath(as)}
	if r.Carries.MED != nil {
		list = append(list, bgp.NewPathAttributeMultiExitDisc(*r.Carries.MED))
	}
	if c.internal() {
		list = append(list, bgp.NewPathAttributeLocalPref(localPref(r)))
	}
	plain, large := communities(r)
	if len(plain) > 0 {
		list = append(list, bgp.NewPathAttributeCommunities(plain))
	}
	if len(large) > 0 {
		list = append(list, bgp.NewPathAttributeLargeCommunities(large))
	}
	return list
}

// localPref is 0 while the route leaves: inside an autonomous system nobody else
// lowers it (RFC 8326, section 4.1).
func localPref(r Route) uint32 {
	switch {
	case r.Leaving:
		return 0
	case r.Carries.LocalPref != nil:
		return *r.Carries.LocalPref
	}
	return localPrefDefault
}

func pack(attributes []bgp.PathAttributeInterface) string {
	var b bytes.Buffer
	for _, a := range attributes {
		packed, err := a.Serialize()
		if err != nil {
			panic("bgp: an attribute that Check should have refused: " + err.Error())
		}
		b.Write(packed)
	}
	return b.String()
}

// packed is attributes that are packed already. To gobgp they are one: the ORIGIN
// that they begin with.
type packed struct {
	*bgp.PathAttributeOrigin
	text string
}

func (p packed) Serialize(...*bgp.MarshallingOption) ([]byte, error) { return []byte(p.text), nil }
func (p packed) Len(...*bgp.MarshallingOption) int                   { return len(p.text) }

// updates are the messages that take a router from what it was told to what it
// should be told: withdrawals first, then routes with the same attributes together,
// always in the same order.
func updates(told, want paths) []*bgp.BGPMessage {
	var gone []netip.Prefix
	for prefix := range told {
		if _, stays := want[prefix]; !stays {
			gone = append(gone, prefix)
		}
	}
	groups := map[path][]netip.Prefix{}
	for prefix, p := range want {
		if before, known := told[prefix]; !known || before != p {
			groups[p] = append(groups[p], prefix)
		}
	}
	messages := withdrawals(gone)
	for _, p := range slices.SortedFunc(maps.Keys(groups), comparePaths) {
		for family, prefixes := range byFamily(groups[p]) {
			for some := range slices.Chunk(prefixes, nlriPerUpdate) {
				messages = append(messages, announcement(family, some, p))
			}
		}
	}
	return messages
}

func comparePaths(a, b path) int {
	return cmp.Or(cmp.Compare(a.attributes, b.attributes), a.hops.global.Compare(b.hops.global), a.hops.link.Compare(b.hops.link))
}

func withdrawals(gone []netip.Prefix) []*bgp.BGPMessage {
	var messages []*bgp.BGPMessage
	for family, prefixes := range byFamily(gone) {
		for some := range slices.Chunk(prefixes, nlriPerUpdate) {
			if family == bgp.RF_IPv4_UC {
				messages = append(messages, bgp.NewBGPUpdateMessage(nlri(some), nil, nil))
				continue
			}
			unreach, _ := bgp.NewPathAttributeMpUnreachNLRI(family, nlri(some)) // never fails
			messages = append(messages, bgp.NewBGPUpdateMessage(nil, []bgp.PathAttributeInterface{unreach}, nil))
		}
	}
	return messages
}

// announcement puts IPv4 routes with an IPv4 next hop where RFC 4271 has them, and
// all others into MP_REACH_NLRI (RFC 4760; RFC 8950 for IPv4 by way of IPv6).
func announcement(family bgp.Family, prefixes []netip.Prefix, p path) *bgp.BGPMessage {
	common := packed{bgp.NewPathAttributeOrigin(bgp.BGP_ORIGIN_ATTR_TYPE_IGP), p.attributes}
	if family == bgp.RF_IPv4_UC && p.hops.global.Is4() {
		hop, _ := bgp.NewPathAttributeNextHop(p.hops.global) // fails for no address alone
		return bgp.NewBGPUpdateMessage(nil, []bgp.PathAttributeInterface{common, hop}, nlri(prefixes))
	}
	hops := []netip.Addr{p.hops.global}
	if p.hops.link.IsValid() {
		hops = append(hops, p.hops.link)
	}
	reach, _ := bgp.NewPathAttributeMpReachNLRI(family, nlri(prefixes), hops...) // fails without prefixes alone
	return bgp.NewBGPUpdateMessage(nil, []bgp.PathAttributeInterface{common, reach}, nil)
}

// byFamily yields the prefixes of each family, sorted; IPv4 first.
func byFamily(prefixes []netip.Prefix) func(yield func(bgp.Family, []netip.Prefix) bool) {
	slices.SortFunc(prefixes, func(a, b netip.Prefix) int {
		return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
	})
	first6 := slices.IndexFunc(prefixes, func(p netip.Prefix) bool { return p.Addr().Is6() })
	if first6 < 0 {
		first6 = len(prefixes)
	}
	return func(yield func(bgp.Family, []netip.Prefix) bool) {
		if first6 > 0 && !yield(bgp.RF_IPv4_UC, prefixes[:first6]) {
			return
		}
		if first6 < len(prefixes) {
			yield(bgp.RF_IPv6_UC, prefixes[first6:])
		}
	}
}

func nlri(prefixes []netip.Prefix) []bgp.PathNLRI {
	list := make([]bgp.PathNLRI, len(prefixes))
	for i, p := range prefixes {
		n, err := bgp.NewIPAddrPrefix(p)
		if err != nil {
			panic("bgp: a prefix that Announce should have refused: " + err.Error())
		}
		list[i] = bgp.PathNLRI{NLRI: n}
	}
	return list
}
