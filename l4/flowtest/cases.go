package flowtest

import (
	"net/netip"
	"slices"

	"portico/l4"
)

// Why a case is for packets alone.
const (
	midFlow = "the relay meets a flow at its first packet"
	byTable = "the relay knows its flows by their sockets"
)

// Cases lists them all.
func Cases() []Case {
	return slices.Concat(begin(), middle(), known(), named(), spread())
}

func tcp(flags Flags) Packet {
	return Packet{Tuple: tuple(l4.TCP, "192.0.2.1:40000", "198.51.100.10:443"), Flags: flags}
}

func udp() Packet { return Packet{Tuple: tuple(l4.UDP, "192.0.2.1:40000", "198.51.100.10:443")} }

func tuple(proto l4.Proto, client, vip string) l4.Tuple {
	return l4.Tuple{Proto: proto, Client: netip.MustParseAddrPort(client), VIP: netip.MustParseAddrPort(vip)}
}

// begin has the packets that begin a flow.
func begin() []Case {
	return []Case{
		{Name: "a SYN goes to the owner and is not remembered", Now: "a", Packet: tcp(SYN), Want: Want{Target: 'a'}},
		{Name: "one of a changed slot asks nobody second", Now: "b", Before: "a", Packet: tcp(SYN), Want: Want{Target: 'b'}},
		{Name: "nobody takes flows", Packet: tcp(SYN), Want: Want{Drop: l4.DropNowhere}},
		{Name: "the group has no target", Now: "-", Packet: tcp(SYN), Want: Want{Drop: l4.DropNowhere}},
		{Name: "who drains takes nothing new", Now: "-", Before: "a", Packet: tcp(SYN), Want: Want{Drop: l4.DropNowhere}},
		{Name: "other flags beside SYN", Now: "a", Packet: tcp(SYN | PSH), Want: Want{Target: 'a'}},
		{
			Name: "the ports of an older flow are used again", Now: "b", Known: "a", Packet: tcp(SYN),
			Want: Want{Target: 'b', Remember: "ba"}, Packets: byTable,
		},
		{
			Name: "and the older flow is on the owner", Now: "a", Known: "a", Packet: tcp(SYN),
			Want: Want{Target: 'a', Remember: "a"}, Packets: byTable,
		},
		{
			Name: "of two that an older flow may be on, the first is kept second", Now: "c", Before: "a", Known: "ba", Packet: tcp(SYN),
			Want: Want{Target: 'c', Remember: "cb"}, Packets: byTable,
		},
		{
			Name: "an older flow on a target that left", Now: "b", Known: "-", Packet: tcp(SYN),
			Want: Want{Target: 'b', Remember: "-"}, Packets: byTable,
		},
	}
}

// middle has packets of flows that the flow table does not hold: another node did,
// or their first packet was just placed.
func middle() []Case {
	return []Case{
		{Name: "an ACK goes to the owner and is remembered", Now: "a", Packet: tcp(ACK), Want: Want{Target: 'a', Remember: "a"}, Packets: midFlow},
		{Name: "a SYN with ACK begins nothing", Now: "a", Packet: tcp(SYN | ACK), Want: Want{Target: 'a', Remember: "a"}, Packets: midFlow},
		{Name: "in a changed slot the past owner is second", Now: "b", Before: "a", Packet: tcp(ACK), Want: Want{Target: 'b', Secondary: 'a', Remember: "ba"}, Packets: midFlow},
		{Name: "in a slot that stayed nobody is", Now: "a", Before: "a", Packet: tcp(ACK), Want: Want{Target: 'a', Remember: "a"}, Packets: midFlow},
		{Name: "the end of a flow too", Now: "b", Before: "a", Packet: tcp(FIN | ACK), Want: Want{Target: 'b', Secondary: 'a', Remember: "ba"}, Packets: midFlow},
		{Name: "and a reset", Now: "b", Before: "a", Packet: tcp(RST), Want: Want{Target: 'b', Secondary: 'a', Remember: "ba"}, Packets: midFlow},
		{Name: "where nobody owns the slot any more the past owner is all there is", Now: "-", Before: "a", Packet: tcp(ACK), Want: Want{Target: 'a', Remember: "a"}, Packets: midFlow},
		{Name: "and for a datagram", Now: "-", Before: "a", Packet: udp(), Want: Want{Target: 'a', Remember: "a"}, Packets: midFlow},
		{Name: "nobody takes flows, and none did", Packet: tcp(ACK), Want: Want{Drop: l4.DropNowhere}, Packets: midFlow},
		{Name: "a datagram is remembered at once", Now: "a", Packet: udp(), Want: Want{Target: 'a', Remember: "a"}},
		{Name: "and may be of an older flow", Now: "b", Before: "a", Packet: udp(), Want: Want{Target: 'b', Secondary: 'a', Remember: "ba"}},
	}
}

// known has packets of flows that the flow table holds.
func known() []Case {
	return []Case{
		{Name: "a known flow stays", Now: "b", Before: "a", Known: "a", Packet: tcp(ACK), Want: Want{Target: 'a', Remember: "a"}, Packets: byTable},
		{Name: "for generations", Now: "c", Before: "b", Known: "a", Packet: tcp(ACK), Want: Want{Target: 'a', Remember: "a"}, Packets: byTable},
		{Name: "and keeps its second chance", Now: "c", Before: "c", Known: "ba", Packet: tcp(ACK), Want: Want{Target: 'b', Secondary: 'a', Remember: "ba"}, Packets: byTable},
		{Name: "a known flow of UDP", Now: "b", Before: "a", Known: "a", Packet: udp(), Want: Want{Target: 'a', Remember: "a"}, Packets: byTable},
		{Name: "where nobody takes anything new", Known: "a", Packet: tcp(ACK), Want: Want{Target: 'a', Remember: "a"}, Packets: byTable},
		{Name: "its target left the node", Now: "b", Before: "c", Known: "-", Packet: tcp(ACK), Want: Want{Target: 'b', Secondary: 'c', Remember: "bc"}, Packets: byTable},
		{Name: "the first of two left the node", Now: "b", Known: "-a", Packet: tcp(ACK), Want: Want{Target: 'a', Remember: "-a"}, Packets: byTable},
		{Name: "the second of two left the node", Now: "c", Known: "b-", Packet: tcp(ACK), Want: Want{Target: 'b', Remember: "b-"}, Packets: byTable},
	}
}

// named has datagrams of QUIC. Ids begin with config 0, the server id and a nonce.
func named() []Case {
	packet := func(head string, letter byte) Packet {
		p := udp()
		p.Data = []byte(head + "\x05" + QUICServer(letter) + "nonce, and what is encrypted")
		return p
	}
	const (
		short     = "\x40"
		handshake = "\xe0\x00\x00\x00\x01\x09"
		initial   = "\xc0\x00\x00\x00\x01\x09"
		other     = "\xe0\x6b\x33\x43\xcf\x09" // version 2 (RFC 9369)
		brief     = "\xe0\x00\x00\x00\x01\x07" // an id without room for a nonce
	)
	none, cut, stream := packet(short, 'b'), packet(short, 'b'), packet(short, 'b')
	none.Data[1] |= 0xe0
	cut.Data = cut.Data[:9]
	stream.Proto, stream.Flags = l4.TCP, ACK
	// What the table says without an id: a owns every slot, and b did.
	toA := Want{Target: 'a', Secondary: 'b', Remember: "ab"}
	return []Case{
		{Name: "a connection id names its target", Now: "a", Before: "b", Packet: packet(short, 'b'), Want: Want{Target: 'b'}},
		{Name: "in a long header too", Now: "a", Before: "b", Packet: packet(handshake, 'b'), Want: Want{Target: 'b'}},
		{Name: "also the owner", Now: "a", Before: "b", Packet: packet(short, 'a'), Want: Want{Target: 'a'}},
		{Name: "whatever the flow table says", Now: "a", Before: "b", Known: "a", Packet: packet(short, 'b'), Want: Want{Target: 'b', Remember: "a"}, Packets: byTable},
		{Name: "an id of no target", Now: "a", Before: "b", Packet: packet(short, 'z'), Want: toA},
		{Name: "an Initial has an id of the client's", Now: "a", Before: "b", Packet: packet(initial, 'b'), Want: toA},
		{Name: "another version may mean anything", Now: "a", Before: "b", Packet: packet(other, 'b'), Want: toA},
		{Name: "an id that is too short", Now: "a", Before: "b", Packet: packet(brief, 'b'), Want: toA},
		{Name: "an id that says it names nobody", Now: "a", Before: "b", Packet: none, Want: toA},
		{Name: "a datagram that is cut off", Now: "a", Before: "b", Packet: cut, Want: toA},
		{Name: "no connection ids in TCP", Now: "a", Before: "b", Packet: stream, Want: toA, Packets: midFlow},
	}
}

// spread has flows that a hash must send to one of several, of both families.
func spread() []Case {
	cases := []Case{
		{Name: "v4", Packet: Packet{Tuple: tuple(l4.TCP, "192.0.2.1:40000", "198.51.100.10:443")}, Want: Want{Target: 'h'}},
		{Name: "v4, another port", Packet: Packet{Tuple: tuple(l4.TCP, "192.0.2.1:40001", "198.51.100.10:443")}, Want: Want{Target: 'b'}},
		{Name: "v4, another client", Packet: Packet{Tuple: tuple(l4.TCP, "192.0.2.77:40000", "198.51.100.10:443")}, Want: Want{Target: 'h'}},
		{Name: "v4, another VIP", Packet: Packet{Tuple: tuple(l4.TCP, "192.0.2.1:40000", "198.51.100.11:443")}, Want: Want{Target: 'd'}},
		{Name: "v6", Packet: Packet{Tuple: tuple(l4.TCP, "[2001:db8::1]:40000", "[2001:db8:ff::10]:443")}, Want: Want{Target: 'a'}},
		{Name: "v6, another port", Packet: Packet{Tuple: tuple(l4.TCP, "[2001:db8::1]:40001", "[2001:db8:ff::10]:443")}, Want: Want{Target: 'c'}},
		{Name: "v6, another network", Packet: Packet{Tuple: tuple(l4.TCP, "[2001:db8:7::1]:40000", "[2001:db8:ff::10]:443")}, Want: Want{Target: 'b'}},
		{Name: "a client's flows together", Source: true, Packet: Packet{Tuple: tuple(l4.TCP, "192.0.2.1:40000", "198.51.100.10:443")}, Want: Want{Target: 'f'}},
		{Name: "whatever the port", Source: true, Packet: Packet{Tuple: tuple(l4.TCP, "192.0.2.1:40009", "198.51.100.10:443")}, Want: Want{Target: 'f'}},
		{Name: "over v6 too", Source: true, Packet: Packet{Tuple: tuple(l4.TCP, "[2001:db8::1]:40000", "[2001:db8:ff::10]:443")}, Want: Want{Target: 'c'}},
	}
	for i := range cases {
		cases[i].Now, cases[i].Packet.Flags = "abcdefgh", SYN
	}
	return cases
}
