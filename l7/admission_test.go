package l7_test

import (
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"portico/l7/auth"
	"portico/l7/filter"
	"portico/l7/limit"
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
	seats := spec.Choice{Name: "concurrencyLimit", Params: &filter.ConcurrencyLimit{Requests: 1, By: []limit.KeyPart{{From: "all"}}}}
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
			// A request has ended a moment after its client has the answer.
			waitFor(t, "the seat of "+path+" to be given back", func() bool {
				a, err := b.dial().try("GET " + path + " shop.test")
				return err != nil || a.StatusCode != 503 || a.Header.Get("Retry-After") == ""
			})
		}
	}
	waiting := b.dial()
	waiting.send("POST /wait HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 5\r\n\r\n")
	waitFor(t, "the seat to be taken", func() bool { return b.dial().do("GET / shop.test").StatusCode == 503 })
	_ = waiting.conn.Close()
	waitFor(t, "the seat to be free again", func() bool { return b.dial().do("GET / shop.test").StatusCode == 200 })
}

// TestAuthWaits proves that requests wait for a password to be hashed and for a
// service to answer, with their bodies, on connections that go on after; that a
// service may be a target group; and that a client that leaves meanwhile harms
// nobody.
func TestAuthWaits(t *testing.T) {
	asked, release := make(chan struct{}, 10), make(chan struct{})
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch uri := r.Header.Get("X-Forwarded-Uri"); {
		case r.URL.Path != "/verify":
			w.WriteHeader(http.StatusNotFound)
		case uri == "/group/no":
			w.Header().Set("Location", "/login")
			w.WriteHeader(http.StatusSeeOther)
		case uri == "/group/wait":
			asked <- struct{}{}
			<-release
		}
		w.Header().Set("X-User", "bob")
	}))
	t.Cleanup(service.Close)
	users := spec.Secret{Value: []byte("ann:$5$abcdefgh$gruCpC7VkOTspMQTTSAR8mtlO9Upms.fwqE5y16JVM.")}
	b := newBed(t, func(_ *bed, s *spec.Spec) {
		toOne(s, group("g", newTarget(t, "a")))
		login := group("login", service)
		for _, dead := range []string{"127.0.0.1:1", "127.0.0.1:2"} { // where nobody listens, so that the next is asked
			login.Targets = append(login.Targets, spec.Target{Address: spec.AddrPort{AddrPort: netip.MustParseAddrPort(dead)}, Weight: 1})
		}
		s.TargetGroups = append(s.TargetGroups, login)
		s.Routes[0].Rules = []spec.Rule{
			{
				Match: below("/group"), TargetGroups: refs("g"),
				Filters: []spec.Choice{{Name: "forwardAuth", Params: &auth.Forward{TargetGroup: "login", Path: "/verify", Take: []string{"X-User"}}}},
			},
			{TargetGroups: refs("g"), Filters: []spec.Choice{{Name: "basicAuth", Params: &auth.Basic{Users: users, Header: "X-User"}}}},
		}
	})
	c := b.dial()
	right := "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("ann:secret"))
	if a := c.do("GET /private shop.test"); a.StatusCode != 401 || a.Header.Get("WWW-Authenticate") != `Basic realm="restricted", charset="UTF-8"` {
		t.Errorf("without a password: %s %v", a.Status, a.Header)
	}
	for range 2 { // the second is remembered
		c.send("POST /private HTTP/1.1\r\nHost: shop.test\r\n%s\r\nX-User: root\r\nContent-Length: 5\r\n\r\nhello", right)
		resp, err := http.ReadResponse(c.r, nil)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if got := (answer{resp, string(body)}).seen(t); got.Body != "hello" || got.Header.Get("X-User") != "ann" {
			t.Errorf("the target saw %+v", got)
		}
	}
	if a := c.do("GET /private shop.test", right+"x"); a.StatusCode != 401 {
		t.Errorf("a wrong password gets %s", a.Status)
	}
	if got := c.do("GET /group/yes shop.test", "x-user: root").seen(t); got.Header.Get("X-User") != "bob" {
		t.Errorf("the target saw %+v", got.Header)
	}
	if a := c.do("GET /group/no shop.test"); a.StatusCode != 303 || a.Header.Get("Location") != "/login" {
		t.Errorf("the service's refusal is %s %v", a.Status, a.Header)
	}
	gone := b.dial()
	gone.send("GET /group/wait HTTP/1.1\r\nHost: shop.test\r\n\r\n")
	<-asked
	_ = gone.conn.Close()
	close(release)
	if got := c.do("GET /group/yes shop.test").seen(t); got.Header.Get("X-User") != "bob" {
		t.Errorf("after a client left, the target saw %+v", got.Header)
	}
}

// A group that forwardAuth asks must exist, and be one that can be asked.
func TestAskedGroups(t *testing.T) {
	b := newBed(t, func(_ *bed, s *spec.Spec) { toOne(s, group("login", newTarget(t, "a"))) })
	for name, want := range map[spec.TargetGroupName]string{
		"login": "",
		"logni": `routes[0].rules[0].filters[0].forwardAuth.targetGroup: no target group named "logni"; did you mean "login"?`,
		"safe":  `routes[0].rules[0].filters[0].forwardAuth.targetGroup: target group "safe" is reached over TLS; use url: https://… for it`,
	} {
		s := &spec.Spec{
			TargetGroups: []spec.TargetGroup{{Name: "login"}, {Name: "safe", TLS: &spec.TargetTLS{}}},
			Routes:       []spec.Route{{Name: "r", Rules: []spec.Rule{{Filters: []spec.Choice{{Name: "forwardAuth", Params: &auth.Forward{TargetGroup: name}}}}}}},
		}
		got := spec.Problems(b.server.Check(s))
		if (want == "") != (len(got) == 0) || want != "" && got.Error() != want {
			t.Errorf("%s: Check = %v, want %s", name, got, want)
		}
	}
}

// A body larger than its rule allows is refused, whether it says so or not, and
// the target does not get the whole of it.
func TestRuleBodyLimit(t *testing.T) {
	b := newBed(t, func(_ *bed, s *spec.Spec) {
		s.Listeners[0].Limits.Body = 1 << 20
		filtered(s, group("g", newTarget(t, "a")), spec.Choice{Name: "bodyLimit", Params: &filter.BodyLimit{Max: 10}})
	})
	for _, tt := range []struct {
		request, want string
	}{
		{"Content-Length: 10\r\n\r\n0123456789", "200 OK"},
		{"Content-Length: 11\r\n\r\n01234567890", "413 Content Too Large"},
		{"Transfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n", "200 OK"},
		{"Transfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n6\r\n567890\r\n0\r\n\r\n", "413 Content Too Large"},
	} {
		c := b.dial()
		c.send("POST / HTTP/1.1\r\nHost: shop.test\r\n%s", tt.request)
		if got := c.status(); got != tt.want {
			t.Errorf("%q gets %s, want %s", tt.request, got, tt.want)
		}
	}
}
