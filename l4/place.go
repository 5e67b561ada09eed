package l4

import "portico/l4/maglev"

// Seen is what is known of a flow when a packet of it must be placed.
type Seen struct {
	// Starts says that the packet can only begin a flow: a SYN without ACK. A
	// datagram of UDP may belong to a flow that is there, and does not.
	Starts bool
	// Known is what the flow table holds for the flow; 0 means nothing. Its ids are
	// those of the table the packet is placed by; that of a target that left the
	// node is 0.
	Known maglev.Slot
	// Named is the id of the target that the packet's connection id names (QUIC); 0
	// means none, and one where nothing that began there may go on.
	Named uint16
}

// Drop says why a packet is not placed.
type Drop uint8

// The reasons.
const (
	Placed      Drop = iota // it is not dropped
	DropNowhere             // nobody takes flows in this slot
)

// Placement is where a packet goes.
type Placement struct {
	// Target is the id of the target; 0 when there is none, for the reason Drop.
	Target uint16
	// Secondary is who the target asks when it knows nothing of the flow; 0 means
	// nobody.
	Secondary uint16
	// Remember is what the flow table should hold for the flow from now on; 0 means
	// that it stays as it is. What it holds stays for as long as the flow lives:
	// a flow that is known does not depend on tables any more.
	Remember maglev.Slot
	Drop     Drop
}

// Place decides by a slot of a table where a packet goes. Every datapath decides
// so: relay calls it for each flow, and xdp has the same steps in C; package
// l4/flowtest holds the cases that both must pass.
//
//   - A packet that names its target goes there, and nothing is remembered.
//   - A flow that is known goes on where it is.
//   - A packet that begins a flow goes to the slot's owner. It is not remembered, so
//     that a flood of them pushes nothing out; but where the table held an older
//     flow of the same addresses and ports, the newer one comes first and the older
//     one, if it lives, second.
//   - Any other packet is of a flow that another node held, or whose first packet
//     was just placed: it goes to the slot's owner, and second to the one before.
//   - Where a slot has no owner any more, flows that are there go on at the one
//     before.
func Place(slot maglev.Slot, seen Seen) Placement {
	owner, past := slot.Primary(), slot.Secondary()
	if seen.Known.Primary() == 0 { // the first of two left; the flow is on the second, or nowhere
		seen.Known = maglev.NewSlot(seen.Known.Secondary(), 0)
	}
	known := seen.Known.Primary()
	switch {
	case seen.Named != 0:
		return Placement{Target: seen.Named}
	case known != 0 && !seen.Starts:
		return Placement{Target: known, Secondary: seen.Known.Secondary()}
	case owner == 0 && (past == 0 || seen.Starts):
		return Placement{Drop: DropNowhere}
	case owner == 0:
		return Placement{Target: past, Remember: maglev.NewSlot(past, 0)}
	case !seen.Starts:
		return Placement{Target: owner, Secondary: past, Remember: slot}
	case known == 0 || known == owner:
		return Placement{Target: owner}
	}
	return Placement{Target: owner, Remember: maglev.NewSlot(owner, known)}
}
