package flowtest

import (
	"net/netip"

	"portico/l4"
	"portico/l4/maglev"
	"portico/spec"
)

// Group is the group of all targets that have a share of 1.
const Group spec.TargetGroupName = "web"

// Case is one packet and where it goes.
type Case struct {
	Name string
	// Now and Before are the letters of the targets that take flows, and of those
	// that did in the generation before. Each has an address of Target and weight 1.
	// "-" is a group that has no target.
	Now, Before string
	// Known is what the flow table holds for the flow: two letters, the second or
	// both of which may be missing; "-" is a target that left the node.
	Known string
	// Source says that the listener keeps all flows of a client together.
	Source bool
	Packet Packet
	Want   Want
	// Packets says why the case is none for the relay, whose flows are sockets of
	// the kernel's; empty when it is for both.
	Packets string
}

// Packet is what of a packet matters.
type Packet struct {
	l4.Tuple
	// Flags are those of TCP; none in a datagram of UDP.
	Flags Flags
	// Data is what a datagram carries.
	Data []byte
}

// Flags are the flags of a TCP header, at their places (RFC 9293, section 3.1).
type Flags uint8

// The flags.
const (
	FIN Flags = 1 << iota
	SYN
	RST
	PSH
	ACK
)

// Want is where the packet must go, by letters.
type Want struct {
	// Target and Secondary are 0 where there is none.
	Target, Secondary byte
	// Remember is what the flow table must hold for the flow after the packet: up to
	// two letters. The same as Known means that it is left alone.
	Remember string
	// Drop is why there is no target.
	Drop l4.Drop
}

// Target is the address of a letter's target.
func Target(letter byte) netip.AddrPort {
	if letter == 0 || letter == '-' {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, 0, letter - 'a' + 1}), 443)
}

// Table builds the table of the case.
func (c *Case) Table() *maglev.Table {
	return maglev.Build(Generation(2, c.Now), Generation(1, c.Before))
}

// Generation is that of the letters.
func Generation(number uint64, letters string) maglev.Generation {
	g := maglev.Generation{Number: number}
	for i := range len(letters) {
		g.Members = append(g.Members, maglev.Member{Name: maglev.Name{Group: Group, Address: Target(letters[i])}, Weight: 1, Share: 1})
	}
	return g
}

// Hash is the hash that the packet is placed by.
func (c *Case) Hash() uint32 {
	if c.Source {
		return c.Packet.HashSource()
	}
	return c.Packet.Hash()
}

// Seen is what is known of the flow, with ids of the table. A target that the table
// does not have gets id 65535.
func (c *Case) Seen(t *maglev.Table) l4.Seen {
	starts := c.Packet.Proto == l4.TCP && c.Packet.Flags&(SYN|ACK) == SYN
	seen := l4.Seen{Starts: starts, Known: slot(t, c.Known)}
	server := l4.QUICServer(c.Packet.Data, quicBytes)
	if c.Packet.Proto != l4.UDP || server == nil || string(server) != QUICServer(server[quicBytes-1]) {
		return seen
	}
	if named := id(t, server[quicBytes-1]); named != Stranger {
		seen.Named = named
	}
	return seen
}

const quicBytes = 3

// QUICServer is the server id of a letter's target, by which a connection id names it.
func QUICServer(letter byte) string { return string([]byte{0xab, 0xcd, letter}) }

// Stranger is the id that Seen has for a target which a flow is on and the table
// does not have any more.
const Stranger = 1<<16 - 1

// slot is the slot of up to two letters.
func slot(t *maglev.Table, letters string) maglev.Slot {
	var ids [2]uint16
	for i := range len(letters) {
		ids[i] = id(t, letters[i])
	}
	return maglev.NewSlot(ids[0], ids[1])
}

// id is that of a letter's target.
func id(t *maglev.Table, letter byte) uint16 {
	if letter == 0 || letter == '-' {
		return 0
	}
	for i, n := range t.Names {
		if n.Address == Target(letter) {
			return uint16(i + 1)
		}
	}
	return Stranger
}

// Placement is what the case wants, with ids of the table.
func (c *Case) Placement(t *maglev.Table) l4.Placement {
	p := l4.Placement{Target: id(t, c.Want.Target), Secondary: id(t, c.Want.Secondary), Drop: c.Want.Drop}
	if c.Want.Remember != c.Known {
		p.Remember = slot(t, c.Want.Remember)
	}
	return p
}
