package maglev

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/zeebo/xxh3"

	"portico/spec"
	"portico/target/balance"
)

// MembersMax is how many members a generation may have: what a table shares out
// evenly. A table of two generations then fits the ids of its slots.
const MembersMax = balance.CandidatesMax

const _ = uint16(2 * MembersMax)

// Name is what a member is known by, alike on every node.
type Name struct {
	Group   spec.TargetGroupName `json:"group"`
	Address netip.AddrPort       `json:"address"`
}

// key is what the member's order of slots is made from.
func (n Name) key() uint64 {
	var buf [128]byte // longer names are still right, but allocate
	b := append(append(buf[:0], n.Group...), 0)
	return xxh3.Hash(n.Address.AppendTo(b))
}

func (n Name) compare(o Name) int {
	return cmp.Or(cmp.Compare(n.Group, o.Group), n.Address.Compare(o.Address))
}

// Member is a target that takes flows. One without an address stands for a group
// that has none: the group keeps its share, and the flows in it are dropped
// rather than sent to a group that was not sized for them.
type Member struct {
	Name
	// Weight is its part within the group, above zero.
	Weight int `json:"weight"`
	// Share is the group's part in the listener, above zero and the same for all
	// members of the group.
	Share int `json:"share"`
}

// nobody reports whether the member stands for a group that has none.
func (m Member) nobody() bool { return !m.Address.IsValid() }

// Generation is who takes flows from one change to the next.
type Generation struct {
	// Number grows by one with every change; 0 is the generation before the first.
	Number uint64 `json:"number"`
	// Members are at most MembersMax, in no order.
	Members []Member `json:"members"`
}

// sorted returns the members in the order that makes them comparable.
func sorted(members []Member) []Member {
	s := slices.Clone(members)
	slices.SortFunc(s, func(a, b Member) int { return a.compare(b.Name) })
	return s
}

// candidates are the members with what each is due of the whole: the groups by
// their shares, and within a group each by its weight. The largest part is made
// balance.WeightMax, so that the others lose little by being whole numbers.
func candidates(members []Member) []balance.Candidate {
	total := map[spec.TargetGroupName]int{}
	for _, m := range members {
		total[m.Group] += m.Weight
	}
	parts, largest := make([]float64, len(members)), 0.0
	for i, m := range members {
		parts[i] = float64(m.Share) * float64(m.Weight) / float64(max(total[m.Group], 1))
		largest = max(largest, parts[i])
	}
	list := make([]balance.Candidate, len(members))
	for i, m := range members {
		weight := int(parts[i]/largest*balance.WeightMax + 0.5)
		list[i] = balance.Candidate{Key: m.key(), Weight: max(weight, 1)}
	}
	return list
}
