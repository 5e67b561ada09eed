package maglev_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"testing"

	"portico/l4/maglev"
	"portico/spec"
)

// members makes n members of a group, all of weight 1.
func members(group spec.TargetGroupName, share, n int) []maglev.Member {
	list := make([]maglev.Member, n)
	for i := range list {
		addr := netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)})
		list[i] = maglev.Member{Name: maglev.Name{Group: group, Address: netip.AddrPortFrom(addr, 443)}, Weight: 1, Share: share}
	}
	return list
}

func generation(number uint64, parts ...[]maglev.Member) maglev.Generation {
	return maglev.Generation{Number: number, Members: slices.Concat(parts...)}
}

// owner is the name at an id, or nobody's.
func owner(t *maglev.Table, id uint16) maglev.Name {
	if n := t.Name(id); n != nil {
		return *n
	}
	return maglev.Name{}
}

// held counts the slots that each name owns, in the order of Names.
func held(t *maglev.Table) []int {
	counts := make([]int, len(t.Names)+1)
	for _, s := range t.Slots {
		counts[s.Primary()]++
	}
	return counts[1:]
}

// A slot has a secondary where its owner changed, namely the owner before, and
// none elsewhere.
func TestSecondaryIsTheOwnerBefore(t *testing.T) {
	draw := rand.New(rand.NewPCG(1, 2))
	for range 6 {
		all := members("web", 1, 1+draw.IntN(40))
		some := func() []maglev.Member {
			var list []maglev.Member
			for _, m := range all {
				if draw.IntN(2) == 0 {
					m.Weight = 1 + draw.IntN(3)
					list = append(list, m)
				}
			}
			return list
		}
		now, before := generation(8, some()), generation(7, some())
		was, is := maglev.Build(before, maglev.Generation{}), maglev.Build(now, before)
		for i, slot := range is.Slots {
			past, current := owner(was, was.Slots[i].Primary()), owner(is, slot.Primary())
			second := owner(is, slot.Secondary())
			if past == current && slot.Secondary() != 0 || past != current && second != past {
				t.Fatalf("slot %d: owner %v, before %v, secondary %v", i, current, past, second)
			}
		}
		if is.Generation != 8 {
			t.Fatalf("Generation = %d, want 8", is.Generation)
		}
	}
}

// Every node makes the same table, whatever order it holds the members in.
func TestOrderIsNoMatter(t *testing.T) {
	now, before := generation(2, members("web", 3, 50), members("canary", 1, 7)), generation(1, members("web", 3, 48))
	want := maglev.Build(now, before)
	for range 2 {
		for _, g := range []maglev.Generation{now, before} {
			rand.Shuffle(len(g.Members), func(i, j int) { g.Members[i], g.Members[j] = g.Members[j], g.Members[i] })
		}
		if got := maglev.Build(now, before); !reflect.DeepEqual(got, want) {
			t.Fatal("Build of the same members in another order is another table")
		}
	}
}

// Groups hold their share of the slots whatever the weights and number of their
// members, and members theirs of the group's.
func TestShares(t *testing.T) {
	big, small := members("big", 90, 100), members("small", 10, 5)
	for i := range small {
		small[i].Weight = 1 + 3*(i%2) // 1 4 1 4 1
	}
	table := maglev.Build(generation(1, big, small), maglev.Generation{})
	got, total := map[maglev.Name]int{}, map[spec.TargetGroupName]int{}
	for i, n := range held(table) {
		got[table.Names[i]] = n
		total[table.Names[i].Group] += n
	}
	within := func(what string, got int, part float64) {
		t.Helper()
		if want := part * maglev.Slots; float64(got) < want*0.99-2 || float64(got) > want*1.01+2 {
			t.Errorf("%s holds %d slots, want %.0f", what, got, want)
		}
	}
	within("big", total["big"], 0.9)
	within("small", total["small"], 0.1)
	for _, m := range small {
		within(m.Address.String(), got[m.Name], 0.1*float64(m.Weight)/11)
	}
	for _, m := range big {
		within(m.Address.String(), got[m.Name], 0.9/100)
	}
}

// A group without a member that has an address keeps its share, for nobody.
func TestNobody(t *testing.T) {
	nobody := maglev.Member{Name: maglev.Name{Group: "gone"}, Weight: 1, Share: 1}
	table := maglev.Build(generation(1, members("web", 3, 3), []maglev.Member{nobody}), maglev.Generation{})
	sum := 0
	for _, n := range held(table) {
		sum += n
	}
	if want := maglev.Slots * 3 / 4; len(table.Names) != 3 || sum < want-2 || sum > want+2 {
		t.Errorf("%d names hold %d slots, want 3 with %d", len(table.Names), sum, want)
	}
	if empty := maglev.Build(generation(1), maglev.Generation{}); len(empty.Names) != 0 || empty.Slots[7] != 0 {
		t.Errorf("Build of no members has names %v and slot %v, want none", empty.Names, empty.Slots[7])
	}
}

// What moved is the same seen from the tables of either side of a change, whether
// they remember the generation before or not.
func TestMovedSince(t *testing.T) {
	before, now := generation(1, members("web", 1, 9)), generation(2, members("web", 1, 8))
	nobody := maglev.Build(maglev.Generation{}, maglev.Generation{})
	older, newer := maglev.Build(before, maglev.Generation{}), maglev.Build(now, before)
	if got, want := newer.MovedSince(older), newer.Moved(); got != want {
		t.Errorf("MovedSince = %d, but %d slots have a secondary", got, want)
	}
	if got := older.MovedSince(nobody); got != maglev.Slots {
		t.Errorf("MovedSince a table of nobody = %d, want all", got)
	}
	if got := nobody.MovedSince(older); got != maglev.Slots {
		t.Errorf("to nobody MovedSince = %d, want all", got)
	}
	if got := older.MovedSince(older); got != 0 {
		t.Errorf("MovedSince itself = %d, want 0", got)
	}
}

// Few slots move beside those of a member that leaves. The bounds are those of
// the figures in docs/design/0006, with room.
func TestFewSlotsMove(t *testing.T) {
	for n, most := range map[int]float64{16: 0.08, 256: 0.02, 4096: 0.005} {
		before := generation(1, members("web", 1, n))
		for _, gone := range []int{0, n / 2, n - 1} {
			now := generation(2, slices.Delete(slices.Clone(before.Members), gone, gone+1))
			moved := float64(maglev.Build(now, before).Moved()) / maglev.Slots
			if least := 1 / float64(n+1); moved < least || moved > most {
				t.Errorf("one of %d leaves: %.2f %% of the slots move, want %.2f to %.2f %%", n, 100*moved, 100*least, 100*most)
			}
		}
	}
}

// The table of a set of members is fixed for good: nodes of two versions stand
// side by side in an upgrade.
func TestPinned(t *testing.T) {
	table := maglev.Build(generation(1, members("web", 1, 5)), maglev.Generation{})
	got := [8]uint16{}
	for i := range got {
		got[i] = table.Slots[i*8000].Primary()
	}
	if want := [8]uint16{1, 4, 3, 3, 1, 2, 5, 4}; got != want {
		t.Errorf("slots are %v, want %v", got, want)
	}
	for hash, want := range map[uint32]int{0: 0, 1<<32 - 1: maglev.Slots - 1, 1 << 31: maglev.Slots / 2, 65535: 0, 65536: 1} {
		if got := maglev.At(hash); got != want {
			t.Errorf("At(%#x) = %d, want %d", hash, got, want)
		}
	}
}

func BenchmarkBuild(b *testing.B) {
	for _, n := range []int{16, 256, 4096} {
		before := generation(1, members("web", 1, n))
		now := generation(2, before.Members[1:])
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			moved := 0
			for b.Loop() {
				moved = maglev.Build(now, before).Moved()
			}
			b.ReportMetric(100*float64(moved)/maglev.Slots, "%moved")
		})
	}
}
