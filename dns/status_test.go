package dns_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	mdns "github.com/miekg/dns"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"portico/dns/policy"
	"portico/spec"
	"portico/spec/status"
)

// TestStatus proves what is reported of listeners and of records with VIPs.
func TestStatus(t *testing.T) {
	want := world()
	want.Zones[0].Records = []spec.Record{
		{Name: "all", VIP: "public"},
		{Name: "w", VIP: "four", Policy: &spec.Choice{Name: "weighted", Params: &policy.Weighted{"east": 7, "west": 0}}},
	}
	r := start(t, want)
	r.health.set(east, unhealthy)
	r.Changed()
	eventually(t, "the facts arrive", func() bool {
		_, records := r.Status()
		return records[1].Mode == "fail-open"
	})
	for range 3 {
		r.ask("udp", query("all.example.com.", mdns.TypeA))
	}
	r.ask("tcp", query("all.example.com.", mdns.TypeA))

	listeners, records := r.Status()
	if len(listeners) != 1 || listeners[0].Total != 4 || listeners[0].Failed != 0 || listeners[0].Tier != spec.RoleDNS || listeners[0].Address.Addr() != netip.MustParseAddr("127.0.0.1") {
		t.Errorf("listeners %+v", listeners)
	}
	got := fmt.Sprintf("%+v", records)
	if got != fmt.Sprintf("%+v", []status.Record{
		{Name: "all.example.com", Policy: "simple", Mode: "healthy", Sites: []status.RecordSite{
			// Its IPv6 address is healthy and used, and the worst verdict shows.
			{Site: "east", Addresses: []netip.Addr{east, east6}, Weight: 1, Verdict: unhealthy, Used: true, Reason: "as the test says"},
			{Site: "west", Addresses: []netip.Addr{west}, Weight: 1, Verdict: healthy, Used: true, Reason: "as the test says"},
		}},
		{Name: "w.example.com", Policy: "weighted", Mode: "fail-open", Sites: []status.RecordSite{
			{Site: "east", Addresses: []netip.Addr{east}, Weight: 7, Verdict: unhealthy, Used: true, Reason: "as the test says"},
			{Site: "west", Addresses: []netip.Addr{west}, Reason: "the policy leaves it out"},
		}},
	}) {
		t.Errorf("records %s", got)
	}
}

// TestMetrics proves what is counted, that labels are bounded by the spec, and
// that counters go on when a spec is applied.
func TestMetrics(t *testing.T) {
	r := start(t, big())
	for _, q := range []struct {
		network, name string
		rrtype        uint16
	}{
		{"udp", "all.example.com.", mdns.TypeA},
		{"udp", "www.example.com.", mdns.TypeA},
		{"tcp", "example.com.", mdns.TypeA},
		{"udp", "nope.example.com.", mdns.TypeA},
		{"udp", "somebody.else.", mdns.TypeA},
		{"udp", "b1500.example.com.", mdns.TypeTXT},
	} {
		r.ask(q.network, query(q.name, q.rrtype))
	}
	if err := r.Apply(big()); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, label, value string
		want               float64
	}{
		{"portico_dns_queries_total", "transport", "udp", 5},
		{"portico_dns_queries_total", "transport", "tcp", 1},
		{"portico_dns_replies_total", "rcode", "NOERROR", 4},
		{"portico_dns_replies_total", "rcode", "NXDOMAIN", 1},
		{"portico_dns_replies_total", "rcode", "REFUSED", 1},
		{"portico_dns_answers_total", "record", "all.example.com", 2}, // both sites
		{"portico_dns_answers_total", "record", "example.com", 2},     // once by its cname
		{"portico_dns_answers_total", "site", "east", 3},
		{"portico_dns_record_mode", "record", "closed.example.com", 1},
	} {
		if got := r.metric(tc.name, tc.label, tc.value); got != tc.want {
			t.Errorf("%s{%s=%q} = %v, want %v", tc.name, tc.label, tc.value, got, tc.want)
		}
	}
	if err := testutil.GatherAndCompare(r.reg, strings.NewReader(`
		# HELP portico_dns_truncated_total Replies cut, so that the client asks again over TCP.
		# TYPE portico_dns_truncated_total counter
		portico_dns_truncated_total 1
	`), "portico_dns_truncated_total"); err != nil {
		t.Error(err)
	}
	if problems, err := testutil.GatherAndLint(r.reg); err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
	small := world()
	small.Zones[0].Records = nil
	if err := r.Apply(small); err != nil {
		t.Fatal(err)
	}
	if got := r.metric("portico_dns_answers_total", "record", "all.example.com"); got != 0 {
		t.Errorf("a record that is gone is still counted: %v", got)
	}
}
