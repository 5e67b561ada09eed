package bgp

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

// communitiesMax bounds those of one VIP, so that an UPDATE has room for them;
// networks use a handful.
const communitiesMax = 50

// gracefulShutdown is the community GRACEFUL_SHUTDOWN (RFC 8326, section 5).
const gracefulShutdown = 0xffff0000

// wellKnown are the communities that have names (IANA, BGP Well-known Communities).
func wellKnown() map[string]uint32 {
	return map[string]uint32{
		"graceful-shutdown":   gracefulShutdown,
		"accept-own":          0xffff0001,
		"blackhole":           0xffff029a,
		"no-export":           0xffffff01,
		"no-advertise":        0xffffff02,
		"no-export-subconfed": 0xffffff03,
		"no-peer":             0xffffff04,
	}
}

// community is a plain one (RFC 1997) or, with large set, a large one (RFC 8092).
type community struct {
	plain uint32
	large *bgp.LargeCommunity
}

// parseCommunity reads 65001:100, 65001:1:2 or a well-known name. Pure.
func parseCommunity(text string) (community, error) {
	if c, ok := wellKnown()[text]; ok {
		return community{plain: c}, nil
	}
	parts := strings.Split(text, ":")
	bits := map[int]int{2: 16, 3: 32}[len(parts)]
	if bits == 0 {
		return community{}, fmt.Errorf("%q is no community", text)
	}
	numbers := make([]uint32, len(parts))
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 10, bits)
		if err != nil {
			return community{}, fmt.Errorf("%q is no community: %q is not a number of %d bits", text, part, bits)
		}
		numbers[i] = uint32(n)
	}
	if len(numbers) == 2 {
		return community{plain: numbers[0]<<16 | numbers[1]}, nil
	}
	return community{large: bgp.NewLargeCommunity(numbers[0], numbers[1], numbers[2])}, nil
}

// communities are those of a route, sorted and each once, as routers send them on.
func communities(r Route) (plain []uint32, large []*bgp.LargeCommunity) {
	for _, text := range r.Carries.Communities {
		switch c, err := parseCommunity(text); {
		case err != nil:
			panic("bgp: a community that Check should have refused: " + err.Error())
		case c.large != nil:
			large = append(large, c.large)
		default:
			plain = append(plain, c.plain)
		}
	}
	if r.Leaving {
		plain = append(plain, gracefulShutdown)
	}
	slices.Sort(plain)
	slices.SortFunc(large, compareLarge)
	same := func(a, b *bgp.LargeCommunity) bool { return *a == *b }
	return slices.Compact(plain), slices.CompactFunc(large, same)
}

func compareLarge(a, b *bgp.LargeCommunity) int {
	return slices.Compare([]uint32{a.ASN, a.LocalData1, a.LocalData2}, []uint32{b.ASN, b.LocalData1, b.LocalData2})
}
