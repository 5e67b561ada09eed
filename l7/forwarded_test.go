package l7

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"portico/l7/exchange"
	"portico/l7/message"
	"portico/spec"
)

var trusted = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}

func forwardRequest(peer string, lines ...string) *message.Request {
	req := &message.Request{
		Authority: []byte("shop.test:81"), Host: []byte("shop.test"),
		Peer: netip.MustParseAddrPort(peer),
	}
	req.Client = req.Peer
	for _, l := range lines {
		name, value, _ := strings.Cut(l, ": ")
		req.Fields = append(req.Fields, message.Field{Name: []byte(name), Value: []byte(value)})
	}
	return req
}

func forwardHandler() *handler {
	return &handler{listening: &listening{spec: &spec.Listener{TrustedProxies: trusted}, port: []byte("443")}}
}

// What a client says of itself is believed only of trusted proxies.
func TestForward(t *testing.T) {
	tests := []struct {
		name, peer string
		tls        bool
		lines      []string
		client     string
		want       string // for, proto, port, host
		id         string // empty: a fresh one
	}{
		{"plain", "192.0.2.1:1", false, nil, "192.0.2.1:1", "192.0.2.1 http 443 shop.test:81", ""},
		{"over TLS", "192.0.2.1:1", true, nil, "192.0.2.1:1", "192.0.2.1 https 443 shop.test:81", ""},
		{"a liar", "192.0.2.1:1", false, []string{
			"X-Forwarded-For: 1.1.1.1", "x-forwarded-for: 2.2.2.2", "X-FORWARDED-PROTO: https", "X-Forwarded-Host: evil", "X-Forwarded-Port: 1",
			"X-Request-Id: mine", "Forwarded: for=1.1.1.1", "X-Real-IP: 1.1.1.1",
		}, "192.0.2.1:1", "192.0.2.1 http 443 shop.test:81", ""},
		{"a liar in variables", "192.0.2.1:1", false, []string{
			"X_Forwarded_For: 1.1.1.1", "x-forwarded_proto: https", "X_FORWARDED_HOST: evil", "X_Forwarded-Port: 1", "X_Request_Id: mine",
			"X_Real_IP: 1.1.1.1", "X-Forwarded-Prefix: /x", "X-Forwarded-Ssl: on", "X_Forwarded_Scheme: https",
		}, "192.0.2.1:1", "192.0.2.1 http 443 shop.test:81", ""},
		{"a liar behind a proxy", "10.0.0.1:1", false, []string{
			"X_Forwarded_For: 1.1.1.1", "X-Forwarded-For: 198.51.100.7", "X_Forwarded_Proto: https", "X_Request_Id: mine",
		}, "198.51.100.7:0", "198.51.100.7, 10.0.0.1 http 443 shop.test:81", ""},
		{"a proxy", "10.0.0.1:1", false, []string{
			"X-Forwarded-For: 198.51.100.7", "X-Forwarded-Proto: https", "X-Forwarded-Host: www.test", "X-Forwarded-Port: 8443", "X-Request-Id: a-1",
		}, "198.51.100.7:0", "198.51.100.7, 10.0.0.1 https 8443 www.test", "a-1"},
		{"a proxy that says nothing", "10.0.0.1:1", true, nil, "10.0.0.1:1", "10.0.0.1 https 443 shop.test:81", ""},
		{"a proxy that talks nonsense", "10.0.0.1:1", false, []string{
			"X-Forwarded-For: unknown", "X-Forwarded-Proto: gopher", "X-Forwarded-Port: x", "X-Request-Id: a b",
		}, "10.0.0.1:1", "unknown, 10.0.0.1 http 443 shop.test:81", ""},
		{"lines are one list", "10.0.0.1:1", false, []string{"X-Forwarded-For: 6.6.6.6", "X-Forwarded-For: 198.51.100.7, 10.0.0.2"}, "198.51.100.7:0", "6.6.6.6, 198.51.100.7, 10.0.0.2, 10.0.0.1 http 443 shop.test:81", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req := forwardRequest(tt.peer, append([]string{"Accept: a"}, tt.lines...)...)
			req.TLS = tt.tls
			var st state
			forwardHandler().forward(req, &exchange.Decision{Client: &message.Client{}}, &st)
			get := func(name string) string { return string(message.Get(req.Fields, name)) }
			got := strings.Join([]string{get("x-forwarded-for"), get("x-forwarded-proto"), get("x-forwarded-port"), get("x-forwarded-host")}, " ")
			if got != tt.want || req.Client.String() != tt.client {
				t.Errorf("forward: client %s, %s, want %s, %s", req.Client, got, tt.client, tt.want)
			}
			if id := get("x-request-id"); id != string(st.id) || tt.id != "" && id != tt.id || tt.id == "" && len(id) != 32 {
				t.Errorf("request id %q, want %q", id, tt.id)
			}
			if len(req.Fields) != 6 || get("accept") != "a" || st.https != strings.Contains(tt.want, "https") {
				t.Errorf("fields %q, https %v", req.Fields, st.https)
			}
		})
	}
}

// Telling targets of the client does not allocate.
func TestForwardAllocates(t *testing.T) {
	h, d, st := forwardHandler(), &exchange.Decision{Client: &message.Client{}}, &state{}
	from := forwardRequest("192.0.2.1:1", "Accept: a", "X-Forwarded-For: 1.1.1.1", "User-Agent: b")
	req, room := &message.Request{}, make([]message.Field, 0, 16)
	n := testing.AllocsPerRun(100, func() {
		*req = *from
		req.Fields = append(room, from.Fields...)
		d.Scratch = d.Scratch[:0]
		h.forward(req, d, st)
	})
	if n > 0 {
		t.Errorf("forward allocates %v times", n)
	}
}

// Of a burst of events one is logged, and the next says how many were held back.
func TestEvent(t *testing.T) {
	var e event
	at := eventEvery
	step := func(after int64) string {
		held, ok := e.now(time.Unix(0, int64(at)+after))
		if !ok {
			return "held"
		}
		return string(rune('0' + held))
	}
	for i, want := range []string{"0", "held", "held", "2", "held"} {
		if got := step([]int64{0, 1, 2, int64(eventEvery), int64(eventEvery) + 1}[i]); got != want {
			t.Errorf("event %d: %s, want %s", i, got, want)
		}
	}
}
