package l7_test

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"portico/spec"
)

// TestConnectionRate proves that new connections of a listener beyond its rate are
// reset and counted, that those it has go on, and that another spec with the same
// rate gives nothing back.
func TestConnectionRate(t *testing.T) {
	const burst, tries = 30, 60
	g := group("g", newTarget(t, "a"))
	rate := spec.ConnectionRate{PerSecond: 1, Burst: burst}
	began := time.Now()
	b := newBed(t, func(_ *bed, s *spec.Spec) {
		toOne(s, g)
		s.Listeners[0].Limits.ConnectionRate = &rate
	})
	again := func(limits spec.Limits) {
		t.Helper()
		s := b.base()
		toOne(s, g)
		s.Listeners[0].Limits = limits
		if err := b.apply(s); err != nil {
			t.Fatal(err)
		}
	}
	var open []*client
	came := func() {
		t.Helper()
		for range tries {
			conn, err := net.Dial("tcp", netip.AddrPortFrom(addr, b.http).String())
			if err != nil {
				continue // reset before the dial was over
			}
			c := newClient(t, conn)
			if a, err := c.try("GET / shop.test"); err == nil && a.StatusCode == 200 {
				open = append(open, c)
			}
		}
		if most := burst + int(time.Since(began)/time.Second) + 1; len(open) < burst || len(open) > most {
			t.Errorf("%d connections came, want %d to %d", len(open), burst, most)
		}
	}
	came()
	again(spec.Limits{Headers: 50, ConnectionRate: &rate})
	came()
	if n := b.counted(t, "portico_l7_connections_refused_total"); int(n) != 2*tries-len(open) {
		t.Errorf("%v connections were refused, want %d", n, 2*tries-len(open))
	}
	for _, c := range open {
		if a := c.do("GET / shop.test"); a.StatusCode != 200 {
			t.Errorf("a connection that was there is answered %d", a.StatusCode)
		}
	}
	again(spec.Limits{})
	for range tries {
		b.dial().do("GET / shop.test")
	}
}
