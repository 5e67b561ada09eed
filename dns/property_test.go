package dns_test

import (
	"log/slog"
	"net/netip"
	"testing"

	mdns "github.com/miekg/dns"
	"pgregory.net/rapid"

	"portico/dns"
	"portico/dns/policy"
	"portico/spec"
	"portico/spec/status"
)

// verdicts are facts that never change.
type verdicts map[netip.Addr]status.Verdict

func (v verdicts) VIP(_ spec.VIPName, _ spec.SiteName, addr netip.Addr) (status.Verdict, string) {
	return v[addr], ""
}

// TestWhateverPasses proves that a spec that Check lets through serves: whatever
// its zones hold, every question gets a reply that another reader reads, with
// records of the type asked for, and never an address of a site that is unhealthy
// while another is not.
func TestWhateverPasses(t *testing.T) {
	drawn, served := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		drawn++
		want := drawSpec(t)
		known := verdicts{}
		for _, a := range []netip.Addr{east, west, east6} {
			known[a] = status.Verdict(rapid.IntRange(0, 2).Draw(t, "verdict"))
		}
		s := dns.New(dns.Options{Self: "nobody", Facts: known, Log: slog.New(slog.DiscardHandler)})
		if spec.Problems(s.Check(want)).Fatal() {
			return
		}
		served++
		if err := s.Apply(want); err != nil {
			t.Fatalf("Apply: %v", err)
		}
		respond := s.ResponderTCP()
		for _, name := range append(questions, "x.y.deep.example.com.", "example.net.") {
			for _, rrtype := range []uint16{mdns.TypeA, mdns.TypeAAAA, mdns.TypeTXT, mdns.TypeNS, mdns.TypeCNAME, mdns.TypeSOA, mdns.TypeDS, mdns.TypeANY} {
				b, _ := query(name, rrtype).Pack()
				m := new(mdns.Msg)
				if err := m.Unpack(respond(nil, b, netip.Addr{})); err != nil {
					t.Fatalf("%s %s: %v", name, mdns.TypeToString[rrtype], err)
				}
				examine(t, m, known)
			}
		}
	})
	if served < drawn/10 {
		t.Errorf("only %d of %d specs passed: the test draws too much that is wrong", served, drawn)
	}
}

// examine finds what no reply may hold.
func examine(t *rapid.T, m *mdns.Msg, known verdicts) {
	asked := m.Question[0]
	owner := asked.Name
	for _, rr := range m.Answer {
		h := rr.Header()
		if h.Name != owner {
			t.Fatalf("the answer to %v leads from %s to %s:\n%v", asked, owner, h.Name, m)
		}
		if c, ok := rr.(*mdns.CNAME); ok {
			owner = c.Target
			continue
		}
		if h.Rrtype != asked.Qtype && asked.Qtype != mdns.TypeANY {
			t.Fatalf("asked for %v:\n%v", asked, m)
		}
		if a, ok := rr.(*mdns.A); ok {
			addr, _ := netip.AddrFromSlice(a.A)
			other := map[netip.Addr]netip.Addr{east: west, west: east}[addr]
			if other.IsValid() && known[addr] == unhealthy && known[other] != unhealthy {
				t.Fatalf("%s is answered, and only %s is not unhealthy:\n%v", addr, other, m)
			}
		}
	}
	switch empty := len(m.Answer) == 0; {
	case m.Rcode == mdns.RcodeRefused:
		if !empty || len(m.Ns) > 0 {
			t.Fatalf("refused with records:\n%v", m)
		}
	case m.Rcode == mdns.RcodeNameError && len(m.Ns) != 1:
		t.Fatalf("no such name, and not for how long:\n%v", m)
	case m.Rcode == mdns.RcodeSuccess && empty && len(m.Ns) == 0:
		t.Fatalf("neither answer nor authority:\n%v", m)
	}
}

var questions = []string{"example.com.", "a.example.com.", "b.example.com.", "b.a.example.com.", "c.b.a.example.com.", "ns1.example.com.", "d.example.com."}

// drawSpec draws a zone whose records collide often enough to matter.
func drawSpec(t *rapid.T) *spec.Spec {
	want := world()
	want.Sites[0].Nodes = nil
	want.Zones = want.Zones[:1]
	z := &want.Zones[0]
	z.Records = nil
	names := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"@", "a", "b", "b.a", "c.b.a", "ns2", "D"}), 0, 5, rapid.ID).Draw(t, "names")
	targets := rapid.SampledFrom([]string{"a", "b", "b.a", "c.b.a", "example.com.", "away.example.net.", "nowhere", "d"})
	for _, name := range names {
		r := spec.Record{Name: name, WhenNoneHealthy: rapid.SampledFrom([]spec.WhenNoneHealthy{"", spec.FailOpen, spec.FailClosed}).Draw(t, "when")}
		switch rapid.IntRange(0, 6).Draw(t, "kind") {
		case 0:
			r.CNAME = targets.Draw(t, "cname")
		case 1:
			r.NS = []string{"ns1", targets.Draw(t, "ns")}
		case 2:
			r.TXT = rapid.SliceOfN(rapid.String(), 1, 3).Draw(t, "txt")
		case 3:
			r.A = []netip.Addr{netip.MustParseAddr("192.0.2.7")}
		default:
			r.VIP = rapid.SampledFrom([]spec.VIPName{"public", "four"}).Draw(t, "vip")
			r.Policy = rapid.SampledFrom([]*spec.Choice{
				nil,
				{Name: "simple"},
				{Name: "weighted", Params: &policy.Weighted{"east": 1, "west": 2}},
				{Name: "failover", Params: &policy.Failover{"west", "east"}},
			}).Draw(t, "policy")
		}
		z.Records = append(z.Records, r)
	}
	return want
}
