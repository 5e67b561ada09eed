package dns_test

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"testing"
	"time"

	mdns "github.com/miekg/dns"
	"github.com/prometheus/client_golang/prometheus"

	"portico/dns"
	"portico/dns/policy"
	"portico/spec"
	"portico/spec/status"
)

// east and west are the VIP's addresses in the fixture.
var (
	east  = netip.MustParseAddr("198.51.100.10")
	west  = netip.MustParseAddr("203.0.113.10")
	east6 = netip.MustParseAddr("2001:db8::10")
)

// health is what the fixture knows; what is not in it is unknown.
type health struct {
	mu       sync.Mutex
	verdicts map[netip.Addr]status.Verdict
}

func (h *health) VIP(_ spec.VIPName, _ spec.SiteName, addr netip.Addr) (status.Verdict, string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.verdicts[addr], "as the test says"
}

func (h *health) set(addr netip.Addr, v status.Verdict) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.verdicts[addr] = v
}

// world is a spec with one node, one VIP at two sites and a zone that holds
// something of everything.
func world() *spec.Spec {
	ttl := spec.Duration(5 * time.Second)
	minute := spec.Duration(time.Minute)
	return &spec.Spec{
		Sites: []spec.Site{
			{Name: "east", Nodes: []spec.Node{{
				Name: "east-1", Address: netip.MustParseAddr("127.0.0.1"), Roles: []spec.Role{spec.RoleDNS},
				DNS: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")},
			}}},
			{Name: "west"},
		},
		VIPs: []spec.VIP{
			{Name: "public", Addresses: map[spec.SiteName][]netip.Addr{"east": {east, east6}, "west": {west}}},
			{Name: "four", Addresses: map[spec.SiteName][]netip.Addr{"east": {east}, "west": {west}}},
		},
		Zones: []spec.Zone{
			{
				Name: "example.com", TTL: minute,
				SOA: spec.SOA{Serial: 7, Refresh: spec.Duration(time.Hour), Retry: 15 * minute, Expire: 10080 * minute, Minimum: spec.Duration(30 * time.Second)},
				Nameservers: []spec.Nameserver{
					{Name: "ns1", Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}},
					{Name: "ns.example.net."},
				},
				Records: []spec.Record{
					{Name: "@", VIP: "four", TXT: []string{"portico"}, TTL: ttl, Policy: &spec.Choice{Name: "failover", Params: &policy.Failover{"east", "west"}}},
					{Name: "all", VIP: "public", TTL: ttl},
					{Name: "half", VIP: "four", TTL: ttl, Policy: &spec.Choice{Name: "weighted", Params: &policy.Weighted{"east": 1, "west": 1}}},
					{Name: "closed", VIP: "four", TTL: ttl, WhenNoneHealthy: spec.FailClosed},
					{Name: "www", CNAME: "example.com."},
					{Name: "far", CNAME: "www"},
					{Name: "away", CNAME: "cdn.example.net."},
					{Name: "gone", CNAME: "nowhere"},
					{Name: "into", CNAME: "x.sub"},
					{Name: "host", A: []netip.Addr{netip.MustParseAddr("192.0.2.9")}, AAAA: []netip.Addr{netip.MustParseAddr("2001:db8::9")}},
					{Name: "a.deep", TXT: []string{"below", "nothing"}},
					{Name: "_acme-challenge", TXT: []string{`back\slash "quoted"`}},
					{Name: "sub", NS: []string{"ns.sub", "ns1", "ns.example.net."}},
					{Name: "ns.sub", A: []netip.Addr{netip.MustParseAddr("192.0.2.53")}},
				},
			},
			{
				Name: "child.example.com", TTL: minute, SOA: spec.SOA{Minimum: minute},
				Nameservers: []spec.Nameserver{{Name: "ns1.example.com."}},
				Records:     []spec.Record{{Name: "@", A: []netip.Addr{netip.MustParseAddr("192.0.2.77")}}},
			},
		},
	}
}

// running is a server under test.
type running struct {
	*dns.Server
	t      *testing.T
	health *health
	stop   func() // waits for Run; may be called again
	reg    *prometheus.Registry
}

// start serves a spec until the test ends, with every VIP healthy.
func start(t *testing.T, want *spec.Spec) *running {
	t.Helper()
	r := &running{t: t, health: &health{verdicts: map[netip.Addr]status.Verdict{}}, reg: prometheus.NewRegistry()}
	for _, a := range []netip.Addr{east, west, east6} {
		r.health.set(a, status.Healthy)
	}
	r.Server = dns.New(dns.Options{Self: "east-1", Facts: r.health, Log: slog.New(slog.DiscardHandler), Metrics: r.reg})
	if err := r.Apply(want); err != nil {
		t.Fatalf("Apply: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(r.stop)
	return r
}

// addr is where the server listens.
func (r *running) addr() string {
	listeners, _ := r.Status()
	if len(listeners) == 0 {
		r.t.Fatal("the server listens nowhere")
	}
	return listeners[0].Address.String()
}

// ask sends one query and returns the reply.
func (r *running) ask(network string, q *mdns.Msg) *mdns.Msg {
	r.t.Helper()
	c := mdns.Client{Net: network, Timeout: 5 * time.Second}
	reply, _, err := c.Exchange(q, r.addr())
	if err != nil {
		r.t.Fatalf("query %v over %s: %v", q.Question, network, err)
	}
	return reply
}

// query is a question without EDNS.
func query(name string, rrtype uint16) *mdns.Msg {
	q := new(mdns.Msg).SetQuestion(name, rrtype)
	q.RecursionDesired = false
	return q
}

// eventually polls until ok holds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}
