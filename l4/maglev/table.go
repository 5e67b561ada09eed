package maglev

import (
	"slices"
	"time"

	"portico/spec"
	"portico/target/balance"
)

// Slots is how many slots a table has.
const Slots = balance.MaglevSlots

// Slot is who owns a slot: two ids of its table's targets, of which 0 means none.
// It is also what a flow table remembers of a flow.
type Slot uint32

// NewSlot makes a slot of two ids.
func NewSlot(primary, secondary uint16) Slot { return Slot(primary) | Slot(secondary)<<16 }

// Primary is the owner.
func (s Slot) Primary() uint16 { return uint16(s) }

// Secondary is the owner before, if another: who to ask when the primary knows
// nothing of a flow.
func (s Slot) Secondary() uint16 { return uint16(s >> 16) }

// At is the slot that a flow's hash falls to: the same arithmetic as in the
// kernel, where the high bits decide.
func At(hash uint32) int { return int(uint64(hash) * Slots >> 32) }

// Table is what flows are placed by. It is never changed once made.
type Table struct {
	// Generation is the number of the generation that owns the slots.
	Generation uint64
	// Until is when secondaries are of use no more; zero where there are none.
	Until time.Time
	// From is the node whose owners the secondaries are; "" where they were owners here.
	From spec.NodeName
	// Names are the targets of both generations; that of id i is Names[i-1].
	Names []Name
	// Slots are as many as the constant says.
	Slots []Slot
}

// Build makes the table of a generation. Where another owned a slot in the
// generation before, it is the slot's secondary; it may be no member any more.
func Build(now, before Generation) *Table {
	t := &Table{Generation: now.Number, Slots: make([]Slot, Slots)}
	ids := map[Name]uint16{}
	owners, past := t.owners(now, ids), t.owners(before, ids)
	for i := range t.Slots {
		t.Slots[i] = NewSlot(owners[i], 0)
		if past[i] != owners[i] {
			t.Slots[i] = NewSlot(owners[i], past[i])
		}
	}
	return t
}

// owners lists the id of every slot's owner, all 0 where there are no members.
// Names that have no id yet get the next one.
func (t *Table) owners(g Generation, ids map[Name]uint16) []uint16 {
	members := sorted(g.Members)
	of := make([]uint16, len(members))
	for i, m := range members {
		id, known := ids[m.Name]
		if !known && !m.nobody() {
			t.Names = append(t.Names, m.Name)
			id = uint16(len(t.Names))
			ids[m.Name] = id
		}
		of[i] = id
	}
	owners := make([]uint16, Slots)
	for slot, i := range balance.MaglevTable(candidates(members)) {
		owners[slot] = of[i]
	}
	return owners
}

// Slot is the slot that a flow's hash falls to.
func (t *Table) Slot(hash uint32) Slot { return t.Slots[At(hash)] }

// Name is the target of an id, or nil for one that the table does not have.
func (t *Table) Name(id uint16) *Name {
	if id == 0 || int(id) > len(t.Names) {
		return nil
	}
	return &t.Names[id-1]
}

// MovedSince counts the slots that have another owner than in an older table.
func (t *Table) MovedSince(older *Table) int {
	now := make([]uint16, len(older.Names)+1) // id there to id here
	for i, n := range older.Names {
		now[i+1] = uint16(slices.Index(t.Names, n) + 1)
	}
	moved := 0
	for i, s := range t.Slots {
		was := older.Slots[i].Primary()
		if now[was] != s.Primary() || was != 0 && now[was] == 0 {
			moved++
		}
	}
	return moved
}

// Moved counts the slots that another owned before.
func (t *Table) Moved() int {
	moved := 0
	for _, s := range t.Slots {
		if s.Secondary() != 0 {
			moved++
		}
	}
	return moved
}
