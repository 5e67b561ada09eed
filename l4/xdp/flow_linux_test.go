package xdp_test

import (
	"net/netip"
	"testing"

	"portico/l4"
	"portico/l4/flowtest"
	"portico/l4/maglev"
	"portico/l4/xdp"
	"portico/spec"
)

// TestFlows holds the program to the cases that every datapath must pass: where a
// packet goes, who is asked second, and what the flow table holds after it. Hashes
// are compared with Go's on the way, in the cases that spread.
func TestFlows(t *testing.T) {
	k := open(t, &xdp.Plan{})
	for _, c := range flowtest.Cases() {
		t.Run(c.Name, func(t *testing.T) {
			got := carry(t, k, c)
			if drops := c.Want.Drop != l4.Placed; drops != (got.verdict == xdpDrop) {
				t.Fatalf("verdict %d, want dropped %v", got.verdict, drops)
			}
			if got.verdict == xdpTX {
				if want := flowtest.Target(c.Want.Target).Addr(); got.to != want {
					t.Errorf("to %v, want %v", got.to, want)
				}
				if want := flowtest.Target(c.Want.Secondary).Addr(); got.second != want {
					t.Errorf("second %v, want %v", got.second, want)
				}
			}
			if want := remembered(c.Want.Remember); got.remembered != want {
				t.Errorf("remembered on %v, want %v", got.remembered, want)
			}
		})
	}
}

// placed is what became of the packet of a case.
type placed struct {
	verdict    uint32
	to, second netip.Addr        // of a packet that is sent on
	remembered [2]netip.AddrPort // by the flow table, after it
}

// carry has the program carry the packet of a case, by its table and flow table.
func carry(t *testing.T, k *xdp.Kernel, c flowtest.Case) (p placed) {
	t.Helper()
	if err := k.Apply(casePlan(c)); err != nil {
		t.Fatal(err)
	}
	known := remembered(c.Known)
	if err := k.SetFlow(c.Packet.Tuple, known[0], known[1]); err != nil {
		t.Fatal(err)
	}
	f := frame{src: c.Packet.Client, dst: c.Packet.VIP, proto: uint8(c.Packet.Proto), tcpFlags: uint8(c.Packet.Flags), payload: c.Packet.Data}
	verdict, out := send(t, k, f)
	if p.verdict = verdict; verdict == xdpTX {
		outer := read(t, out).outer
		p.to, p.second = outer.dst, outer.second
	}
	p.remembered[0], p.remembered[1] = k.Flow(c.Packet.Tuple)
	return p
}

// remembered are the targets of up to two letters that the flow table holds.
func remembered(letters string) (of [2]netip.AddrPort) {
	for i := range len(letters) {
		if of[i] = flowtest.Target(letters[i]); letters[i] == '-' {
			of[i] = xdp.Left
		}
	}
	return of
}

// casePlan serves the VIPs of the cases by the table of one; every letter's target
// is known to the node.
func casePlan(c flowtest.Case) *xdp.Plan {
	p := &xdp.Plan{Source4: node4}
	made := c.Table()
	tab := &xdp.Table{}
	for _, n := range made.Names {
		tab.Targets = append(tab.Targets, n.Address)
	}
	for _, s := range made.Slots {
		tab.Slots = append(tab.Slots, uint32(s))
	}
	ids := map[string]netip.AddrPort{}
	for letter := byte('a'); letter <= 'h'; letter++ {
		ids[flowtest.QUICServer(letter)] = flowtest.Target(letter)
		p.Targets = append(p.Targets, xdp.Target{Address: flowtest.Target(letter)})
	}
	vips := []netip.AddrPort{
		netip.MustParseAddrPort("198.51.100.10:443"), netip.MustParseAddrPort("198.51.100.11:443"), netip.MustParseAddrPort("[2001:db8:ff::10]:443"),
	}
	for name, proto := range map[spec.ListenerName]xdp.Proto{"tcp": xdp.TCP, "udp": xdp.UDP} {
		p.Listeners = append(p.Listeners, xdp.Listener{Name: name, VIPs: vips, Proto: proto, Forward: spec.ForwardGUE, BySource: c.Source, Table: tab, QUIC: ids})
	}
	return p
}

// TestHash proves that a packet falls to the slot that Go computes, for many
// tuples of both families.
func TestHash(t *testing.T) {
	members := maglev.Generation{Number: 1}
	for letter := byte('a'); letter <= 'p'; letter++ {
		members.Members = append(members.Members, maglev.Member{Name: maglev.Name{Group: "g", Address: flowtest.Target(letter)}, Weight: 1, Share: 1})
	}
	made := maglev.Build(members, maglev.Generation{})
	tab := &xdp.Table{}
	for _, n := range made.Names {
		tab.Targets = append(tab.Targets, n.Address)
	}
	for _, s := range made.Slots {
		tab.Slots = append(tab.Slots, uint32(s))
	}
	k := open(t, plan(spec.ForwardGUE, tab))
	for i := range 500 {
		for _, f := range []frame{tcp4(tcpSYN), tcp6(tcpSYN)} {
			f.src = netip.AddrPortFrom(f.src.Addr(), uint16(1024+i*97))
			tuple := l4.Tuple{Proto: l4.TCP, Client: f.src, VIP: f.dst}
			got := forwarded(t, k, f)
			if want := made.Name(made.Slot(tuple.Hash()).Primary()).Address.Addr(); got.outer.dst != want {
				t.Fatalf("%v: to %v, want %v", f.src, got.outer.dst, want)
			}
			if want := 0xc000 | uint16(tuple.Hash()&0x3fff); got.outer.port != want {
				t.Fatalf("%v: from port %d, want %d", f.src, got.outer.port, want)
			}
		}
	}
}
