package l7_test

import (
	"crypto/tls"
	"encoding/json"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

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

// What was used up of a limit stays used up when a spec is applied that leaves the
// limit alone, and it is shared by the listeners of the route.
func TestLimitOutlivesSpec(t *testing.T) {
	var first *spec.Spec
	b := newBed(t, func(b *bed, s *spec.Spec) {
		filtered(s, group("g", newTarget(t, "a")), spec.Choice{Name: "rateLimit", Params: &filter.RateLimit{Requests: 2, Per: spec.Duration(time.Hour)}})
		s.Certificates = []spec.Certificate{issue(t, "a", "shop.test")}
		s.Listeners = append(s.Listeners, spec.Listener{Name: "https", VIP: s.Listeners[0].VIP, Port: b.https, Protocol: spec.ProtocolHTTPS, Routes: s.Listeners[0].Routes})
		first = s
	})
	status := func(c *client) int { return c.do("GET / shop.test").StatusCode }
	if got := status(b.dial()); got != 200 {
		t.Fatalf("the first request gets %d", got)
	}
	second := *first
	second.Drain = spec.Duration(5 * time.Second)
	if err := b.apply(&second); err != nil {
		t.Fatal(err)
	}
	tlsClient, _ := b.dialTLS(&tls.Config{InsecureSkipVerify: true})
	if got := status(tlsClient); got != 200 {
		t.Errorf("the second request gets %d", got)
	}
	if got := status(b.dial()); got != 429 {
		t.Errorf("the third request of two gets %d", got)
	}
}

func below(path string) []spec.Match {
	return []spec.Match{{Path: &spec.PathMatch{Prefix: path}}}
}

// A seat is given back however the request ends: whole, refused by a later filter,
// without a target, cut off by the target, or left by the client.
func TestSeatsGivenBack(t *testing.T) {
	release := make(chan struct{})
	tgt := newTarget(t, "a")
	plain := tgt.Config.Handler
	tgt.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/cut":
			panic(http.ErrAbortHandler)
		case "/wait":
			<-release
		}
		plain.ServeHTTP(w, r)
	})
	seats := spec.Choice{Name: "concurrencyLimit", Params: &filter.ConcurrencyLimit{Requests: 1, By: []filter.KeyPart{{From: "all"}}}}
	b := newBed(t, func(_ *bed, s *spec.Spec) {
		toOne(s, group("g", tgt))
		s.TargetGroups = append(s.TargetGroups, spec.TargetGroup{Name: "none", WhenNoneHealthy: spec.FailClosed})
		s.Routes[0].Rules = []spec.Rule{
			{Match: below("/none"), Filters: []spec.Choice{seats}, TargetGroups: refs("none")},
			{Match: below("/closed"), Filters: []spec.Choice{seats, {Name: "respond", Params: &filter.Respond{Status: 410}}}},
			{Filters: []spec.Choice{seats}, TargetGroups: refs("g")},
		}
	})
	defer close(release)
	for _, path := range []string{"/", "/none", "/closed", "/cut"} {
		for range 2 {
			if a, err := b.dial().try("GET " + path + " shop.test"); err == nil && a.StatusCode == 503 && a.Header.Get("Retry-After") != "" {
				t.Errorf("%s did not give its seat back", path)
			}
		}
	}
	waiting := b.dial()
	waiting.send("POST /wait HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 5\r\n\r\n")
	waitFor(t, "the seat to be taken", func() bool { return b.dial().do("GET / shop.test").StatusCode == 503 })
	_ = waiting.conn.Close()
	waitFor(t, "the seat to be free again", func() bool { return b.dial().do("GET / shop.test").StatusCode == 200 })
}
