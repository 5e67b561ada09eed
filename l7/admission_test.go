package l7_test

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"portico/l7/filter"
	"portico/spec"
)

// filtered routes every request of the http listener through filters to one group.
func filtered(s *spec.Spec, g spec.TargetGroup, filters ...spec.Choice) {
	toOne(s, g)
	s.Routes[len(s.Routes)-1].Rules[0].Filters = filters
}

// counted compares the series of filters with what is wanted.
func counted(t *testing.T, b *bed, want string) {
	t.Helper()
	const name = "portico_l7_filter_requests_total"
	head := "# HELP " + name + " Requests that a filter let pass or refused, by outcome.\n# TYPE " + name + " counter\n"
	if err := testutil.GatherAndCompare(b.metrics, strings.NewReader(head+want), name); err != nil {
		t.Error(err)
	}
}

// A client that a filter refuses gets no target; the log says which filter and
// why, the reason is counted, and the answer passes the filters of answers.
func TestRefused(t *testing.T) {
	b := newBed(t, func(_ *bed, s *spec.Spec) {
		s.Listeners[0].TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		filtered(s, group("g", newTarget(t, "a")),
			spec.Choice{Name: "ip", Params: &filter.IP{Deny: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}}},
			spec.Choice{Name: "responseHeaders", Params: &filter.Headers{Set: map[string]string{"X-Frame-Options": "DENY"}}})
	})
	c := b.dial()
	if a := c.do("GET / shop.test", "X-Forwarded-For: 198.51.100.1"); a.StatusCode != 200 {
		t.Errorf("a client that is let in gets %s", a.Status)
	}
	a := c.do("GET / shop.test", "X-Forwarded-For: 203.0.113.9")
	if a.StatusCode != 403 || a.Header.Get("X-Target") != "" || a.Header.Get("X-Frame-Options") != "DENY" || !strings.Contains(a.text, a.Header.Get("X-Request-Id")) {
		t.Errorf("a denied client gets %s %v %q", a.Status, a.Header, a.text)
	}
	var line map[string]any
	if err := json.Unmarshal([]byte(b.log.all(t, 2)[1]), &line); err != nil {
		t.Fatal(err)
	}
	if line["reason"] != "refused" || line["detail"] != "ip: the client's address is denied" || line["status"] != 403.0 || line["client"] != "203.0.113.9" {
		t.Errorf("the log says %v", line)
	}
	counted(t, b, `
portico_l7_filter_requests_total{filter="ip",listener="http",outcome="dry-run",route="all"} 0
portico_l7_filter_requests_total{filter="ip",listener="http",outcome="passed",route="all"} 1
portico_l7_filter_requests_total{filter="ip",listener="http",outcome="refused",route="all"} 1
`)
}
