package dns_test

import (
	"fmt"
	"net/netip"
	"sync"
	"testing"

	mdns "github.com/miekg/dns"

	"portico/dns"
	"portico/spec/status"
)

const (
	healthy   = status.Healthy
	unhealthy = status.Unhealthy
	unknown   = status.Unknown
)

// TestHealth proves that answers follow health: the healthy sites, else the
// unknown ones, else all or none as the record says.
func TestHealth(t *testing.T) {
	r := start(t, world())
	both := "[198.51.100.10 203.0.113.10]"
	for _, tc := range []struct {
		name       string
		east, west status.Verdict
		all        string // simple, fails open
		closed     string // simple, fails closed
		apex       string // failover east, west
		half       string // weighted, any of them
	}{
		{"all is well", healthy, healthy, both, both, "[198.51.100.10]", both},
		{"east dies", unhealthy, healthy, "[203.0.113.10]", "[203.0.113.10]", "[203.0.113.10]", "[203.0.113.10]"},
		{"nothing is known of east", unknown, healthy, "[203.0.113.10]", "[203.0.113.10]", "[203.0.113.10]", "[203.0.113.10]"},
		{"nothing is known of west, and east is dead", unhealthy, unknown, "[203.0.113.10]", "[203.0.113.10]", "[203.0.113.10]", "[203.0.113.10]"},
		{"nothing is known", unknown, unknown, both, both, "[198.51.100.10]", both},
		{"all is lost", unhealthy, unhealthy, both, "[]", "[198.51.100.10]", both},
		{"west comes back", unhealthy, healthy, "[203.0.113.10]", "[203.0.113.10]", "[203.0.113.10]", "[203.0.113.10]"},
	} {
		r.health.set(east, tc.east)
		r.health.set(west, tc.west)
		r.Changed()
		for name, want := range map[string]string{"all": tc.all, "closed": tc.closed, "www": tc.apex, "half": tc.half} {
			seen := map[string]bool{}
			eventually(t, fmt.Sprintf("%s: %s answers %s", tc.name, name, want), func() bool {
				got := addresses(r.ask("udp", query(name+".example.com.", mdns.TypeA)))
				if name != "half" {
					return fmt.Sprint(got) == want
				}
				if len(got) != 1 {
					t.Fatalf("%s: %s answers %v, want one site", tc.name, name, got)
				}
				seen[got[0]] = true
				return want == both && len(seen) == 2 || fmt.Sprint(got) == want
			})
		}
	}
}

// TestFailClosed proves that an empty record is NODATA and not NXDOMAIN, with the
// SOA that says how long.
func TestFailClosed(t *testing.T) {
	r := start(t, world())
	r.health.set(east, unhealthy)
	r.health.set(west, unhealthy)
	r.Changed()
	eventually(t, "NODATA", func() bool {
		m := r.ask("udp", query("closed.example.com.", mdns.TypeA))
		return m.Rcode == mdns.RcodeSuccess && len(m.Answer) == 0 && len(m.Ns) == 1 && m.Authoritative
	})
}

// TestTurns proves that the sites of a simple record take turns at being first.
func TestTurns(t *testing.T) {
	r := start(t, world())
	first := map[string]int{}
	for range 200 {
		m := r.ask("udp", query("all.example.com.", mdns.TypeA))
		if len(m.Answer) != 2 {
			t.Fatalf("%v", m)
		}
		first[m.Answer[0].(*mdns.A).A.String()]++
	}
	if first[east.String()] < 50 || first[west.String()] < 50 {
		t.Errorf("first in 200 answers: %v", first)
	}
}

// TestFamilies proves that A and AAAA are decided by the verdicts of their own
// addresses.
func TestFamilies(t *testing.T) {
	r := start(t, world())
	r.health.set(east, unhealthy)
	r.Changed()
	eventually(t, "A without east", func() bool {
		return fmt.Sprint(addresses(r.ask("udp", query("all.example.com.", mdns.TypeA)))) == "[203.0.113.10]"
	})
	if got := addresses(r.ask("udp", query("all.example.com.", mdns.TypeAAAA))); fmt.Sprint(got) != "[2001:db8::10]" {
		t.Errorf("AAAA = %v", got)
	}
}

// TestChangedWhileAsked proves, under the race detector, that queries, changes of
// facts, new specs, status and explain do not disturb each other.
func TestChangedWhileAsked(t *testing.T) {
	r := start(t, world())
	msg, _ := query("all.example.com.", mdns.TypeA).Pack()
	var all sync.WaitGroup
	stop := make(chan struct{})
	each := func(do func(i int)) {
		all.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
					do(i)
				}
			}
		})
	}
	each(func(i int) {
		r.health.set(east, status.Verdict(i%3))
		r.Changed()
	})
	each(func(int) {
		if err := r.Apply(world()); err != nil {
			t.Errorf("Apply: %v", err)
		}
	})
	each(func(int) {
		r.Status()
		r.Explain(status.Question{URL: "https://all.example.com/"})
		_, _ = r.reg.Gather()
	})
	respond := r.Responder()
	buf := make([]byte, 0, dns.SizeMax)
	for range 5000 {
		m := new(mdns.Msg)
		if err := m.Unpack(respond(buf, msg, netip.IPv4Unspecified())); err != nil || len(m.Answer) == 0 {
			t.Fatalf("%v, %v", err, m)
		}
	}
	for range 200 {
		if m := r.ask("udp", query("all.example.com.", mdns.TypeA)); len(m.Answer) == 0 {
			t.Fatalf("%v", m)
		}
	}
	close(stop)
	all.Wait()
}
