package l4_test

import (
	"net/netip"
	"testing"

	"portico/l4"
	"portico/l4/flowtest"
	"portico/l4/maglev"
)

func tuple(proto l4.Proto, client, vip string) l4.Tuple {
	return l4.Tuple{Proto: proto, Client: netip.MustParseAddrPort(client), VIP: netip.MustParseAddrPort(vip)}
}

// The hash of a flow is fixed for good, here and in the kernel: nodes of two
// versions stand side by side in an upgrade. The numbers are those that a C
// program with the kernel's __jhash_final gives on a little-endian machine.
func TestHash(t *testing.T) {
	tests := []struct {
		name   string
		tuple  l4.Tuple
		want   uint32
		source uint32
	}{
		{"v4 tcp", tuple(l4.TCP, "192.0.2.1:40000", "198.51.100.10:443"), 0x8e995112, 0xa9a84477},
		{"v4 udp", tuple(l4.UDP, "192.0.2.1:40000", "198.51.100.10:443"), 0xf74eeb20, 0x664db275},
		{"v6 tcp", tuple(l4.TCP, "[2001:db8::1234]:40000", "[2001:db8:5:6::10]:443"), 0x61ce1cb8, 0xb38514b4},
		{"v6 udp", tuple(l4.UDP, "[2001:db8::1234]:40000", "[2001:db8:5:6::10]:443"), 0xbb4b4db1, 0x7b3ce9f1},
	}
	for _, tt := range tests {
		if got := tt.tuple.Hash(); got != tt.want {
			t.Errorf("%s: Hash = %#x, want %#x", tt.name, got, tt.want)
		}
		if got := tt.tuple.HashSource(); got != tt.source {
			t.Errorf("%s: HashSource = %#x, want %#x", tt.name, got, tt.source)
		}
	}
	plain, mapped := tests[0].tuple, tuple(l4.TCP, "[::ffff:192.0.2.1]:40000", "[::ffff:198.51.100.10]:443")
	if plain.Hash() != mapped.Hash() {
		t.Error("the hash of a mapped address differs, want the same")
	}
}

// Flows of one client, and of many, spread evenly over the slots.
func TestHashSpreads(t *testing.T) {
	const flows, parts = 64 << 10, 16
	for name, vary := range map[string]func(i int) l4.Tuple{
		"ports": func(i int) l4.Tuple {
			return l4.Tuple{Proto: l4.TCP, Client: netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), uint16(i)), VIP: netip.MustParseAddrPort("198.51.100.10:443")}
		},
		"clients": func(i int) l4.Tuple {
			return l4.Tuple{Proto: l4.TCP, Client: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 1), VIP: netip.MustParseAddrPort("198.51.100.10:443")}
		},
		"v6 hosts": func(i int) l4.Tuple {
			a := [16]byte{0: 0x20, 1: 1, 14: byte(i >> 8), 15: byte(i)}
			return l4.Tuple{Proto: l4.UDP, Client: netip.AddrPortFrom(netip.AddrFrom16(a), 1), VIP: netip.MustParseAddrPort("[2001:db8::10]:443")}
		},
		"v6 networks": func(i int) l4.Tuple {
			a := [16]byte{0: 0x20, 1: 1, 6: byte(i >> 8), 7: byte(i)}
			return l4.Tuple{Proto: l4.UDP, Client: netip.AddrPortFrom(netip.AddrFrom16(a), 1), VIP: netip.MustParseAddrPort("[2001:db8::10]:443")}
		},
	} {
		var counts [parts]int
		for i := range flows {
			counts[maglev.At(vary(i).Hash())*parts/maglev.Slots]++
		}
		for part, n := range counts {
			if want := flows / parts; n < want*9/10 || n > want*11/10 {
				t.Errorf("%s: part %d of the slots gets %d flows, want about %d", name, part, n, want)
			}
		}
	}
}

func BenchmarkHash(b *testing.B) {
	for _, t := range []l4.Tuple{tuple(l4.TCP, "192.0.2.1:40000", "198.51.100.10:443"), tuple(l4.TCP, "[2001:db8::1234]:40000", "[2001:db8::10]:443")} {
		b.Run(t.VIP.String(), func(b *testing.B) {
			for b.Loop() {
				t.Hash()
			}
		})
	}
}

// TestPlace holds the decision to the cases that every datapath must pass.
func TestPlace(t *testing.T) {
	for _, c := range flowtest.Cases() {
		table := c.Table()
		if got, want := l4.Place(table.Slot(c.Hash()), c.Seen(table)), c.Placement(table); got != want {
			t.Errorf("%s: Place = %+v, want %+v of %v", c.Name, got, want, table.Names)
		}
	}
}

// FuzzPlace proves that a packet reaches nobody but owners of its slot and those
// that its flow is known to be on, that what begins a flow goes to the owner, and that
// a packet which names its target goes to that one and leaves the flow table alone.
func FuzzPlace(f *testing.F) {
	for _, c := range flowtest.Cases() {
		table := c.Table()
		seen := c.Seen(table)
		f.Add(uint32(table.Slot(c.Hash())), uint32(seen.Known), seen.Named, seen.Starts)
	}
	f.Fuzz(func(t *testing.T, slot, known uint32, named uint16, starts bool) {
		at, seen := maglev.Slot(slot), l4.Seen{Known: maglev.Slot(known), Named: named, Starts: starts}
		p := l4.Place(at, seen)
		if named != 0 {
			if want := (l4.Placement{Target: named}); p != want {
				t.Errorf("Place(%x, %+v) = %+v, want %+v", slot, seen, p, want)
			}
			return
		}
		allowed := map[uint16]bool{0: true, at.Primary(): true, at.Secondary(): true, seen.Known.Primary(): true, seen.Known.Secondary(): true}
		for _, id := range []uint16{p.Target, p.Secondary, p.Remember.Primary(), p.Remember.Secondary()} {
			if !allowed[id] {
				t.Errorf("Place(%x, %+v) = %+v, which names %d from nowhere", slot, seen, p, id)
			}
		}
		if (p.Target == 0) != (p.Drop == l4.DropNowhere) {
			t.Errorf("Place(%x, %+v) = %+v, want a target or a reason", slot, seen, p)
		}
		if starts && (p.Target != at.Primary() || p.Secondary != 0) {
			t.Errorf("Place(%x, %+v) = %+v, want the owner alone", slot, seen, p)
		}
		if p.Remember != 0 && p.Remember.Primary() != p.Target {
			t.Errorf("Place(%x, %+v) = %+v, which remembers another target", slot, seen, p)
		}
		again := l4.Place(at, l4.Seen{Known: p.Remember})
		if p.Remember != 0 && (again.Target != p.Target || again.Remember != 0) {
			t.Errorf("Place(%x) of the next packet = %+v, want %+v", slot, again, p)
		}
	})
}
