package load_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"portico/internal/load"
	"portico/internal/testkit"
)

// named is the URL of an origin by a name that only a fake server knows.
func named(o *testkit.Origin) string {
	return fmt.Sprintf("http://myapp.example.com:%d/", o.Addr.Port())
}

// TestResolving proves what a client makes of every kind of answer, and which
// server it asks next.
func TestResolving(t *testing.T) {
	silent := is(said{silent: true})
	refuses := is(said{code: dnsmessage.RCodeRefused})
	noName := is(said{code: dnsmessage.RCodeNameError})
	good := v4(60, "127.0.0.1")
	tests := []struct {
		name    string
		servers []answering
		want    load.Kind
		slow    bool // waits for a second or more
	}{
		{"an answer", []answering{good}, load.OK, false},
		{"over TCP when it does not fit", []answering{func(q dnsmessage.Question, tcp bool) said {
			s := good(q, tcp)
			s.truncated = !tcp
			return s
		}}, load.OK, false},
		{"the second when the first refuses", []answering{refuses, good}, load.OK, false},
		{"the second when the first is silent", []answering{silent, good}, load.OK, true},
		{"no such name", []answering{noName, good}, load.DNSError, false},
		{"no address", []answering{is(said{})}, load.DNSError, false},
		{"all refuse", []answering{refuses, refuses}, load.DNSError, false},
		{"all are silent", []answering{silent}, load.DNSTimeout, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.slow && testing.Short() {
				t.Skip("waits for servers that do not answer")
			}
			testkit.NoLeaks(t)
			origin := testkit.NewOrigin(t, "shop-1", nil)
			var servers []netip.AddrPort
			for _, a := range tt.servers {
				servers = append(servers, newDNS(t, a).addr)
			}
			r := run(t, load.Options{URL: named(origin), DNS: servers, Rate: 20, For: 100 * time.Millisecond, Clients: 1})
			if got := count(r, tt.want); got != 2 || r.OK+r.Failed != 2 {
				t.Errorf("%s = %d of %d, want both requests: %+v", tt.want, got, r.OK+r.Failed, r)
			}
		})
	}
}

// TestNoServer proves that a server that is not there is not waited for.
func TestNoServer(t *testing.T) {
	testkit.NoLeaks(t)
	gone := testkit.Free(t, "127.0.0.1")
	r := run(t, load.Options{URL: "http://myapp.example.com/", DNS: []netip.AddrPort{gone}, Rate: 100, For: 100 * time.Millisecond, Clients: 1})
	if got := count(r, load.DNSTimeout); got != 10 || r.DNS.Unanswered < 20 {
		t.Errorf("dns-timeout = %d, unanswered = %d, want 10 requests, 2 rounds for each: %+v", got, r.DNS.Unanswered, r)
	}
}

// TestTTL proves that each client asks once for as long as the TTL says, then
// again, and goes where the new answer says on connections of its own.
func TestTTL(t *testing.T) {
	testkit.NoLeaks(t)
	east := testkit.NewOrigin(t, "east", nil)
	west := testkit.NewOriginAt(t, "west", netip.AddrPortFrom(netip.MustParseAddr("127.0.0.2"), east.Addr.Port()), nil)
	dns := newDNS(t, v4(1, "127.0.0.1", "127.0.0.2"))
	moved := time.AfterFunc(500*time.Millisecond, func() { dns.answer.Store(v4(3600, "127.0.0.2")) })
	defer moved.Stop()

	r := run(t, load.Options{URL: named(east), DNS: []netip.AddrPort{dns.addr}, Rate: 100, For: 2 * time.Second, Clients: 5})
	if r.OK != 200 || len(r.Servers) != 2 || len(r.Addresses) != 2 {
		t.Fatalf("report = %+v, want 200 good requests at two servers", r)
	}
	// The first second belongs to the old answer, though the server knew better after
	// half of it; a machine that stands still for a while moves some.
	if n := r.Addresses[0].Requests; n < 60 || n > 160 {
		t.Errorf("requests to the old address = %d of 200, want about 100", n)
	}
	if west.Requests() != int64(r.Addresses[1].Requests) {
		t.Errorf("west saw %d requests, want %d", west.Requests(), r.Addresses[1].Requests)
	}
	if r.DNS.Lookups != 10 || dns.queries.Load() != 10 {
		t.Errorf("lookups = %d, queries = %d, want 10: two for each client", r.DNS.Lookups, dns.queries.Load())
	}
}

// TestNoTTL proves that an answer that must not be remembered is not.
func TestNoTTL(t *testing.T) {
	testkit.NoLeaks(t)
	origin := testkit.NewOrigin(t, "shop-1", nil)
	dns := newDNS(t, v4(0, "127.0.0.1"))
	r := run(t, load.Options{URL: named(origin), DNS: []netip.AddrPort{dns.addr}, Rate: 50, For: 200 * time.Millisecond, Connections: 1})
	if r.OK != 10 || r.DNS.Lookups != 10 {
		t.Errorf("ok = %d, lookups = %d, want 10 and 10", r.OK, r.DNS.Lookups)
	}
}

// TestIPv6 proves that a name with IPv6 addresses alone is reached.
func TestIPv6(t *testing.T) {
	testkit.NoLeaks(t)
	testkit.Free(t, "::1")
	origin := testkit.NewOriginAt(t, "shop-1", netip.MustParseAddrPort("[::1]:0"), nil)
	dns := newDNS(t, func(q dnsmessage.Question, _ bool) said {
		if q.Type == dnsmessage.TypeAAAA {
			return said{addresses: []string{"::1"}, ttl: 60}
		}
		return said{}
	})
	r := run(t, load.Options{URL: named(origin), DNS: []netip.AddrPort{dns.addr}, Rate: 10, For: 100 * time.Millisecond})
	if r.OK != 1 || len(r.Addresses) != 1 || r.Addresses[0].Address != "::1" {
		t.Errorf("report = %+v, want one good request to ::1", r)
	}
}
