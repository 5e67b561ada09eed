package l4_test

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"portico/l4"
	"portico/l4/flowtest"
	"portico/l4/maglev"
	"portico/spec"
	"portico/target"
	"portico/target/balance"
)

// slots are the tables of a test, by listener.
type slots map[spec.ListenerName]*maglev.Table

func (s slots) Table(name spec.ListenerName) *maglev.Table { return s[name] }

// caseSpec has a listener on the case's VIP, for the targets of the case: those of
// the generation before drain.
func caseSpec(c *flowtest.Case) *spec.Spec {
	s := frontend()
	s.VIPs[0].Addresses["east"] = []netip.Addr{c.Packet.VIP.Addr()}
	g := spec.TargetGroup{Name: flowtest.Group, Balance: &spec.Choice{Name: "maglev", Params: &balance.Hash{}}}
	if c.Source {
		g.Balance.Params = &balance.Hash{Key: spec.HashKey{From: "client"}}
	}
	for _, letter := range []byte(strings.ReplaceAll(c.Now+c.Before, "-", "")) {
		t := spec.Target{Address: spec.AddrPort{AddrPort: flowtest.Target(letter)}, Weight: 1, Drain: !strings.Contains(c.Now, string(letter)), QUICServer: spec.QUICServer(hex.EncodeToString([]byte(flowtest.QUICServer(letter))))}
		if !slices.ContainsFunc(g.Targets, func(o spec.Target) bool { return o.Address == t.Address }) {
			g.Targets = append(g.Targets, t)
		}
	}
	s.TargetGroups = []spec.TargetGroup{g}
	protocol := spec.ProtocolTCP
	if c.Packet.Proto == l4.UDP {
		protocol = spec.ProtocolUDP
	}
	s.Listeners = []spec.Listener{{Name: "web", VIP: "public", Port: c.Packet.VIP.Port(), Protocol: protocol, TargetGroups: []spec.GroupRef{{Name: flowtest.Group, Weight: 1}}}}
	return s
}

// A flow is decided as its packets are, and Explain says the same.
func TestDecideAsPacketsAre(t *testing.T) {
	for _, c := range flowtest.Cases() {
		if c.Packets != "" {
			continue
		}
		want, slots := caseSpec(&c), slots{"web": c.Table()}
		table := l4.NewTable(want, "east-l4").PlacedBy(slots)
		groups := target.New(target.Options{})
		if err := groups.Apply(want.TargetGroups); err != nil {
			t.Fatal(err)
		}
		f := l4.Flow{Proto: c.Packet.Proto, Client: c.Packet.Client, VIP: c.Packet.VIP, Datagram: c.Packet.Data}
		d := l4.Decide(f, table, groups)
		got := netip.AddrPort{}
		if d.Target != nil {
			got = d.Target.Address()
		}
		if got != flowtest.Target(c.Want.Target) || (d.Why == l4.NoTarget) != (c.Want.Drop == l4.DropNowhere) {
			t.Errorf("%s: Decide = %v, %v, want %v", c.Name, got, d.Why, flowtest.Target(c.Want.Target))
		}
		e, lines := l4.Explain(f, table, groups)
		if e.Target != d.Target || e.Why != d.Why {
			t.Errorf("%s: Explain = %v, %v, want the same", c.Name, e.Target, e.Why)
		}
		if c.Seen(c.Table()).Named != 0 {
			continue
		}
		slot := fmt.Sprintf("slot %d of 65537, generation 2", maglev.At(c.Hash()))
		if text := fmt.Sprint(lines); !strings.Contains(text, slot) {
			t.Errorf("%s: Explain says %s, want %q", c.Name, text, slot)
		}
	}
}

// What a table does not know yet, or no more, is decided by the live groups: a
// target that was tried or is newly unhealthy, a group of the next spec.
func TestDecideBesideSlots(t *testing.T) {
	want := frontend()
	groups := live(t, want)
	table := func(name spec.TargetGroupName, addr string) *l4.Table {
		g := maglev.Generation{Number: 1, Members: []maglev.Member{{Name: maglev.Name{Group: name, Address: netip.MustParseAddrPort(addr)}, Weight: 1, Share: 1}}}
		return l4.NewTable(want, "east-l4").PlacedBy(slots{"db": maglev.Build(g, maglev.Generation{})})
	}
	f := flow("192.0.2.1:1", "198.51.100.10:5432")
	d := l4.Decide(f, table("db", "10.1.1.2:5432"), groups)
	if d.Target == nil || d.Target.Address() != netip.MustParseAddrPort("10.1.1.2:5432") || d.Share.Group != "db" {
		t.Fatalf("Decide = %+v, want the owner of the slot", d)
	}
	f.Tried = append(f.Tried, d.Target)
	if again := l4.Decide(f, table("db", "10.1.1.2:5432"), groups); again.Target == nil || again.Target == d.Target || again.Group != d.Group {
		t.Errorf("after a try, Decide = %+v, want another of the group", again)
	}
	f.Tried = nil
	for _, name := range []spec.TargetGroupName{"db", "unheard-of"} {
		if d := l4.Decide(f, table(name, "10.9.9.9:1"), groups); d.Target == nil || d.Why != l4.Chosen {
			t.Errorf("with slots of a target or group that is not there, Decide = %+v, want one that is", d)
		}
	}
}

// TestExplainChance proves that it is said whose the second chance of a flow is, and why.
func TestExplainChance(t *testing.T) {
	want := frontend()
	f := flow("192.0.2.1:1", "198.51.100.10:5432")
	of := func(addr string) maglev.Generation {
		return maglev.Generation{Number: 7, Members: []maglev.Member{{Name: maglev.Name{Group: "db", Address: netip.MustParseAddrPort(addr)}, Weight: 1, Share: 1}}}
	}
	for from, text := range map[spec.NodeName]string{"": "second chance: 10.1.1.1:5432, the owner before, until", "west-l4": "second chance: 10.1.1.1:5432, the owner at node west-l4, until"} {
		state := maglev.State{Now: of("10.1.1.2:5432"), Before: of("10.1.1.1:5432"), Until: time.Now(), From: from}
		_, lines := l4.Explain(f, l4.NewTable(want, "east-l4").PlacedBy(slots{"db": state.Table()}), live(t, want))
		if got := fmt.Sprint(lines); !strings.Contains(got, text) {
			t.Errorf("Explain says %s, want %q", got, text)
		}
	}
}

// Listeners whose groups all balance by maglev are placed by slots, and hash the
// client alone where every group says so.
func TestHashes(t *testing.T) {
	client := &spec.Choice{Name: "maglev", Params: &balance.Hash{Key: spec.HashKey{From: "client"}}}
	network := &spec.Choice{Name: "maglev", Params: &balance.Hash{Key: spec.HashKey{From: "client"}, Prefix: spec.HashPrefix{V4: 24}}}
	tests := []struct {
		name           string
		first, second  *spec.Choice
		hashes, source bool
	}{
		{"by default", nil, nil, true, false},
		{"maglev", byHash, byHash, true, false},
		{"by client", client, client, true, true},
		{"not all by client", client, byHash, true, false},
		{"by the client's network", network, client, false, false},
		{"another balance", byHash, &spec.Choice{Name: "least-conn"}, false, false},
	}
	for _, tt := range tests {
		s := frontend()
		s.TargetGroups[0].Balance, s.TargetGroups[1].Balance, s.TargetGroups[2].Balance = tt.first, tt.second, tt.second
		l := l4.NewTable(s, "east-l4").Listener(l4.TCP, netip.MustParseAddrPort("198.51.100.10:5432"))
		if l.Hashes != tt.hashes || l.Source != tt.source {
			t.Errorf("%s: hashes %v, by source %v, want %v and %v", tt.name, l.Hashes, l.Source, tt.hashes, tt.source)
		}
	}
	if names := len(l4.NewTable(frontend(), "east-l4").Listeners()); names != 5 {
		t.Errorf("%d listeners, want 5", names)
	}
}

// A decision by slots allocates nothing, as one by a balance.
func TestDecideBySlotAllocatesNothing(t *testing.T) {
	want := frontend()
	g := maglev.Generation{Number: 1, Members: []maglev.Member{{Name: maglev.Name{Group: "db", Address: netip.MustParseAddrPort("10.1.1.2:5432")}, Weight: 1, Share: 1}}}
	table, groups := l4.NewTable(want, "east-l4").PlacedBy(slots{"db": maglev.Build(g, maglev.Generation{})}), live(t, want)
	f := flow("192.0.2.1:1", "198.51.100.10:5432")
	if n := testing.AllocsPerRun(100, func() { l4.Decide(f, table, groups) }); n != 0 {
		t.Errorf("Decide allocates %v times, want 0", n)
	}
}
