package balance

import (
	"cmp"
	"slices"
)

// maglev gives the same key the same candidate, on every node, and moves few
// keys when a candidate comes or goes.
//
// For: flows, where several nodes behind ECMP must send a flow to the same
// target without telling each other; and caches, where a key should stay put.
//
// Not for: few keys, or keys of very different weight (one client behind a large
// NAT): a hash does not look at loads.
//
// Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer",
// NSDI 2016, section 3.4. Each candidate prefers the slots of the table in an
// order of its own, made from its key; candidates take turns to claim the next
// free slot they prefer, heavier ones more turns, until the table is full. The
// order of turns is that of the keys, so the order of candidates is no matter.
type maglev struct {
	slots      []uint16 // slot → candidate; nil when there are none
	candidates int
}

const (
	// MaglevSlots is how many slots a table of maglev has. It is prime, so that
	// every stride visits every slot. It bounds how even the shares are: with
	// CandidatesMax candidates each holds about 16 slots, and a candidate's share
	// is right to one slot or so.
	MaglevSlots = 65537
	slotsEach   = MaglevSlots / CandidatesMax
)

// The table must be far larger than the number of candidates, and a candidate's
// index must fit a slot.
const (
	_ = uint(slotsEach - 10)
	_ = uint16(CandidatesMax)
)

// preference is where a candidate stands in its walk over the slots.
type preference struct {
	key    uint64
	weight uint64
	index  uint16
	next   uint32 // the slot it prefers next
	stride uint32 // never 0
	due    uint64 // what it has saved towards its next turn, in weights
}

func newMaglev(_ any, candidates []Candidate) Picker {
	return &maglev{slots: MaglevTable(candidates), candidates: len(candidates)}
}

// MaglevTable returns the MaglevSlots slots of a table, each the index of its
// candidate, or nil where there are no candidates. Only their keys and weights
// matter, not their order. It takes milliseconds.
func MaglevTable(candidates []Candidate) []uint16 {
	if len(candidates) == 0 {
		return nil
	}
	var heaviest, sum uint64
	for _, c := range candidates {
		heaviest = max(heaviest, uint64(c.Weight))
		sum += uint64(c.Weight)
	}
	// Light candidates have nothing to do in most rounds beside a heavy one. With
	// everyone's savings multiplied, a good part of them has in each.
	times := max(1, heaviest*uint64(len(candidates))/(4*sum))
	return fill(preferences(candidates, heaviest), heaviest, times)
}

// preferences lists the candidates by key, each at the start of its walk. What
// they begin with differs, or else many light ones would all have their first
// turn at the same time: when the table is full.
func preferences(candidates []Candidate, heaviest uint64) []preference {
	prefs := make([]preference, len(candidates))
	for i, c := range candidates {
		prefs[i] = preference{
			key:    c.Key,
			weight: uint64(c.Weight),
			index:  uint16(i),
			next:   uint32(Mix(c.Key, 0) % MaglevSlots),
			stride: uint32(Mix(c.Key, 1)%(MaglevSlots-1)) + 1,
			due:    Mix(c.Key, 2) % heaviest,
		}
	}
	slices.SortFunc(prefs, func(a, b preference) int {
		return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.weight, b.weight))
	})
	return prefs
}

// fill lets the candidates claim slots in turn. In every round each saves its
// weight, times over, and claims a slot for as often as that makes the heaviest
// weight: all the same once a round when their weights are.
func fill(prefs []preference, heaviest, times uint64) []uint16 {
	const free = ^uint16(0)
	slots := make([]uint16, MaglevSlots)
	for i := range slots {
		slots[i] = free
	}
	for left := len(slots); left > 0; {
		for i := range prefs {
			p := &prefs[i]
			for p.due += p.weight * times; p.due >= heaviest && left > 0; p.due -= heaviest {
				for slots[p.next] != free {
					p.step()
				}
				slots[p.next] = p.index
				left--
			}
		}
	}
	return slots
}

func (p *preference) step() {
	if p.next += p.stride; p.next >= MaglevSlots {
		p.next -= MaglevSlots
	}
}

func (m *maglev) Pick(q Query) int {
	if m.slots == nil {
		return -1
	}
	return int(m.slots[q.Key%MaglevSlots])
}

func (m *maglev) Peek(q Query) int { return m.Pick(q) }

func (m *maglev) Loaded(int) {}

// Explain implements Picker.
func (m *maglev) Explain(q Query) []Score {
	counts := make([]int, m.candidates)
	for _, i := range m.slots {
		counts[i]++
	}
	chosen := m.Peek(q)
	scores := make([]Score, m.candidates)
	for i, n := range counts {
		scores[i] = out("holds %d other slots of %d", n, MaglevSlots)
		if i == chosen {
			scores[i] = rank(0, "holds the key's slot %d, and %d of %d", q.Key%MaglevSlots, n, MaglevSlots)
		}
	}
	return scores
}
