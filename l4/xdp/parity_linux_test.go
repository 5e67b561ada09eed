package xdp_test

import (
	"net/netip"
	"strings"
	"testing"

	"portico/l4"
	"portico/l4/flowtest"
	"portico/l4/maglev"
	"portico/l4/xdp"
)

// drawn is a case that a fuzzer makes: whatever tables, flow table and packet.
func drawn(now, before, known string, c flowtest.Case) (flowtest.Case, bool) {
	pick := func(from string) string {
		var some strings.Builder
		for letter := byte('a'); letter <= 'h'; letter++ {
			if strings.IndexByte(from, letter) >= 0 {
				some.WriteByte(letter)
			}
		}
		return some.String()
	}
	c.Now, c.Before = pick(now), pick(before)
	switch {
	case len(known) > 2, strings.Trim(known, "abcdefgh-") != "", known == "--", len(known) == 2 && known[0] == known[1]:
		return c, false // no flow table holds that
	case c.Packet.Client.Port() == 0, len(c.Packet.Data) > 200:
		return c, false
	}
	c.Known = known
	return c, true
}

// byLetter places a drawn case by Go, with ids that are those of letters: 1 is a.
func byLetter(c *flowtest.Case) l4.Placement {
	table := c.Table()
	id := func(letter byte) uint16 {
		if letter == '-' {
			return 0
		}
		return uint16(letter-'a') + 1
	}
	owner := func(of uint16) uint16 {
		if n := table.Name(of); n != nil {
			return uint16(n.Address.Addr().As4()[3])
		}
		return 0
	}
	seen := l4.Seen{Starts: c.Seen(table).Starts}
	switch len(c.Known) {
	case 1:
		seen.Known = maglev.NewSlot(id(c.Known[0]), 0)
	case 2:
		seen.Known = maglev.NewSlot(id(c.Known[0]), id(c.Known[1]))
	}
	if server := l4.QUICServer(c.Packet.Data, len(flowtest.QUICServer('a'))); c.Packet.Proto == l4.UDP && server != nil {
		for letter := byte('a'); letter <= 'h'; letter++ {
			if string(server) == flowtest.QUICServer(letter) {
				seen.Named = id(letter)
			}
		}
	}
	slot := table.Slot(c.Hash())
	return l4.Place(maglev.NewSlot(owner(slot.Primary()), owner(slot.Secondary())), seen)
}

// FuzzFlows proves that the program places packets as Go does: whatever tables there
// are, whatever the flow table holds, whichever packet comes. TestFlows says what is right.
func FuzzFlows(f *testing.F) {
	for _, c := range flowtest.Cases() {
		p := c.Packet
		client, six := p.Client.Addr().AsSlice(), p.Client.Addr().Is6()
		f.Add(c.Now, c.Before, c.Known, c.Source, client[len(client)-1], p.Client.Port(), six, p.Proto == l4.UDP, uint8(p.Flags), p.Data)
	}
	var k *xdp.Kernel
	f.Fuzz(func(t *testing.T, now, before, known string, source bool, host byte, port uint16, six, udp bool, flags uint8, data []byte) {
		p := flowtest.Packet{Flags: flowtest.Flags(flags), Data: data}
		p.Proto, p.VIP = l4.TCP, netip.MustParseAddrPort("198.51.100.10:443")
		p.Client = netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, host}), port)
		if udp {
			p.Proto, p.Flags = l4.UDP, 0
		}
		if six {
			p.VIP = netip.MustParseAddrPort("[2001:db8:ff::10]:443")
			p.Client = netip.AddrPortFrom(netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 15: host}), port)
		}
		c, ok := drawn(now, before, known, flowtest.Case{Source: source, Packet: p})
		if !ok {
			return
		}
		if k == nil {
			root(t)
			var err error
			if k, err = xdp.Open(xdp.KernelOptions{Flows: 1024}); err != nil { // ends with the process
				t.Fatal(err)
			}
		}
		compare(t, k, &c)
	})
}

// compare has the kernel and Go place a case.
func compare(t *testing.T, k *xdp.Kernel, c *flowtest.Case) {
	t.Helper()
	want := byLetter(c)
	letter := func(id uint16) byte {
		if id == 0 {
			return 0
		}
		return 'a' + byte(id) - 1
	}
	got := carry(t, k, *c)
	if drops := want.Drop != l4.Placed; drops != (got.verdict == xdpDrop) {
		t.Fatalf("%+v: verdict %d, want %+v", c, got.verdict, want)
	}
	if got.verdict == xdpTX && (got.to != flowtest.Target(letter(want.Target)).Addr() || got.second != flowtest.Target(letter(want.Secondary)).Addr()) {
		t.Errorf("%+v: to %v, second %v, want %+v", c, got.to, got.second, want)
	}
	known := remembered(c.Known)
	if want.Remember != 0 {
		known = [2]netip.AddrPort{flowtest.Target(letter(want.Remember.Primary())), flowtest.Target(letter(want.Remember.Secondary()))}
	}
	if got.remembered != known {
		t.Errorf("%+v: remembered on %v, want %v", c, got.remembered, known)
	}
}
