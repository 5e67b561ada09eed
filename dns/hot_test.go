package dns_test

import (
	"fmt"
	"net"
	"net/netip"
	"testing"

	mdns "github.com/miekg/dns"

	"portico/dns"
	"portico/spec"
)

// hot are the queries whose path must not allocate, one for each kind of answer.
var hot = []struct {
	name, query string
	rrtype      uint16
}{
	{"simple", "all.example.com.", mdns.TypeA},
	{"weighted", "half.example.com.", mdns.TypeA},
	{"failover", "example.com.", mdns.TypeA},
	{"cname", "far.example.com.", mdns.TypeA},
	{"fixed", "host.example.com.", mdns.TypeA},
	{"nodata", "host.example.com.", mdns.TypeMX},
	{"nxdomain", "a.b.c.nope.example.com.", mdns.TypeA},
	{"referral", "x.sub.example.com.", mdns.TypeA},
	{"refused", "www.example.net.", mdns.TypeA},
}

func packed(tb testing.TB, name string, rrtype uint16) []byte {
	tb.Helper()
	q := query(name, rrtype)
	q.SetEdns0(1232, true)
	b, err := q.Pack()
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// TestAllocs proves that no answer over UDP allocates, nor one to a message that
// is malformed.
func TestAllocs(t *testing.T) {
	r := start(t, world())
	respond, buf := r.Responder(), make([]byte, 0, dns.SizeMax)
	from := netip.MustParseAddr("203.0.113.7")
	check := func(name string, msg []byte) {
		if n := testing.AllocsPerRun(200, func() { respond(buf, msg, from) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	for _, tc := range hot {
		check(tc.name, packed(t, tc.query, tc.rrtype))
	}
	for _, tc := range malformed {
		check(tc.name, []byte(tc.msg))
	}
}

// TestAllocsSocket proves that neither does the way through the socket. The
// client allocates nothing either, so that all there is is ours.
func TestAllocsSocket(t *testing.T) {
	r := start(t, world())
	c, err := net.Dial("udp", r.addr())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	msg, buf := packed(t, "all.example.com.", mdns.TypeA), make([]byte, 2048)
	if n := testing.AllocsPerRun(500, func() {
		if _, err := c.Write(msg); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(buf); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzReply proves that whatever is sent gets a reply that another reader reads,
// or none, over either transport.
func FuzzReply(f *testing.F) {
	for _, tc := range hot {
		f.Add(packed(f, tc.query, tc.rrtype))
	}
	for _, tc := range malformed {
		f.Add([]byte(tc.msg))
	}
	s := dns.New(dns.Options{Self: "nobody"})
	if err := s.Apply(world()); err != nil {
		f.Fatal(err)
	}
	udp, tcp := s.Responder(), s.ResponderTCP()
	f.Fuzz(func(t *testing.T, msg []byte) {
		short, whole := udp(nil, msg, netip.Addr{}), tcp(nil, msg, netip.Addr{})
		if (len(short) == 0) != (len(whole) == 0) || len(short) > dns.SizeMax {
			t.Fatalf("%d bytes over UDP, %d over TCP", len(short), len(whole))
		}
		for _, b := range [][]byte{short, whole} {
			if len(b) == 0 {
				continue
			}
			m := new(mdns.Msg)
			if err := m.Unpack(b); err != nil {
				t.Fatalf("reply %x to %x: %v", b, msg, err)
			}
			if !m.Response || m.Rcode == mdns.RcodeServerFailure {
				t.Fatalf("reply %v to %x", m, msg)
			}
		}
	})
}

// BenchmarkAnswer measures the path of a query between its sockets.
func BenchmarkAnswer(b *testing.B) {
	s := dns.New(dns.Options{Self: "nobody"})
	if err := s.Apply(world()); err != nil {
		b.Fatal(err)
	}
	for _, tc := range hot {
		b.Run(tc.name, func(b *testing.B) {
			respond, buf := s.Responder(), make([]byte, 0, dns.SizeMax)
			msg, from := packed(b, tc.query, tc.rrtype), netip.MustParseAddr("203.0.113.7")
			b.ReportAllocs()
			for range b.N {
				respond(buf, msg, from)
			}
		})
	}
}

// BenchmarkNames shows that the time of an answer does not grow with the names.
func BenchmarkNames(b *testing.B) {
	for _, n := range []int{10, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			want := world()
			for i := range n {
				want.Zones[0].Records = append(want.Zones[0].Records, spec.Record{Name: fmt.Sprintf("n%d", i), VIP: "public"})
			}
			s := dns.New(dns.Options{Self: "nobody"})
			if err := s.Apply(want); err != nil {
				b.Fatal(err)
			}
			respond, buf := s.Responder(), make([]byte, 0, dns.SizeMax)
			msg := packed(b, fmt.Sprintf("n%d.example.com.", n/2), mdns.TypeA)
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				respond(buf, msg, netip.Addr{})
			}
		})
	}
}

// BenchmarkApply measures what a spec with many records with VIPs costs.
func BenchmarkApply(b *testing.B) {
	want := world()
	for i := range 1000 {
		want.Zones[0].Records = append(want.Zones[0].Records, spec.Record{Name: fmt.Sprintf("n%d", i), VIP: "public"})
	}
	s := dns.New(dns.Options{Self: "nobody"})
	for range b.N {
		if err := s.Apply(want); err != nil {
			b.Fatal(err)
		}
	}
}
