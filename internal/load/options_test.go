package load

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

func valid() Options {
	return Options{URL: "https://myapp.example.com:8443/a?b=c", Rate: 200, For: 20 * time.Second}
}

// TestOptionsRefused proves that every option out of its range is refused with
// the value and the range, before anything is sent.
func TestOptionsRefused(t *testing.T) {
	tests := []struct {
		name string
		edit func(*Options)
		want string
	}{
		{"no scheme", func(o *Options) { o.URL = "myapp.example.com" }, `url "myapp.example.com": use http://`},
		{"another scheme", func(o *Options) { o.URL = "ftp://x/" }, `url "ftp://x/": use http://`},
		{"no host", func(o *Options) { o.URL = "http:///a" }, `url "http:///a": use http://`},
		{"a user", func(o *Options) { o.URL = "http://u:p@x/" }, `use http://`},
		{"not a URL", func(o *Options) { o.URL = "http://[::1/" }, `url "http://[::1/": `},
		{"port 0", func(o *Options) { o.URL = "http://x:0/" }, `"0" is not a port; use 1 to 65535`},
		{"port too large", func(o *Options) { o.URL = "http://x:70000/" }, `"70000" is not a port; use 1 to 65535`},
		{"no rate", func(o *Options) { o.Rate = 0 }, "rate 0: use 1 to 20000 requests a second"},
		{"rate too high", func(o *Options) { o.Rate = 20001 }, "rate 20001: use 1 to 20000 requests a second"},
		{"no duration", func(o *Options) { o.For = 0 }, "duration 0s: use more than 0s, up to 24h0m0s"},
		{"too long", func(o *Options) { o.For = 25 * time.Hour }, "duration 25h0m0s: use more than 0s"},
		{"share above 1", func(o *Options) { o.NewConnections = 1.5 }, "share of new connections 1.5: use 0 to 1"},
		{"negative timeout", func(o *Options) { o.Timeout = -1 }, "timeout -1ns: use more than 0s"},
		{"too many clients", func(o *Options) { o.Clients = 255 }, "clients 255: use 1 to 254"},
		{"too many connections", func(o *Options) { o.Connections = 20001 }, "connections 20001: use 1 to 20000"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := valid()
			tt.edit(&o)
			_, err := Run(t.Context(), o, nil)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Run: %v, want %q", err, tt.want)
			}
		})
	}
}

// TestPlan proves what is made of valid options: the request, the port, defaults.
func TestPlan(t *testing.T) {
	p, err := newPlan(valid())
	if err != nil {
		t.Fatal(err)
	}
	if p.host != "myapp.example.com" || p.port != 8443 || !p.secure || p.total != 4000 {
		t.Errorf("plan = %+v", p)
	}
	if p.Timeout != timeoutUsual || p.Connections != 200 || p.Clients != clientsUsual {
		t.Errorf("defaults: timeout %v, connections %d, clients %d", p.Timeout, p.Connections, p.Clients)
	}
	if want := "GET /a?b=c HTTP/1.1\r\nHost: myapp.example.com:8443\r\n"; !strings.HasPrefix(p.head, want) {
		t.Errorf("head = %q, want it to begin with %q", p.head, want)
	}
	o := valid()
	o.URL = "http://[::1]"
	if p, err = newPlan(o); err != nil || p.literal != netip.IPv6Loopback() || p.port != 80 || !strings.HasPrefix(p.head, "GET / HTTP/1.1\r\nHost: [::1]\r\n") {
		t.Errorf("plan of %s = %+v, %v", o.URL, p, err)
	}
}

// TestSchedule proves that requests are due at the rate, evenly, without drift,
// and that the share of new connections is kept at any point.
func TestSchedule(t *testing.T) {
	p := &plan{Options: Options{Rate: 3, NewConnections: 0.25}}
	for i, want := range []time.Duration{0, time.Second / 3, 2 * time.Second / 3, time.Second} {
		if got := p.due(uint64(i)); got != want {
			t.Errorf("due(%d) = %v, want %v", i, got, want)
		}
	}
	if got := p.due(3 * 86400); got != 24*time.Hour {
		t.Errorf("due a day later = %v, want 24h", got)
	}
	for _, share := range []float64{0, 0.25, 0.9, 1} {
		p.NewConnections = share
		fresh := 0
		for i := range uint64(1000) {
			if p.fresh(i) {
				fresh++
			}
			if want := share * float64(i+1); float64(fresh) < want-1 || float64(fresh) > want+1 {
				t.Fatalf("share %v: %d of the first %d requests", share, fresh, i+1)
			}
		}
	}
}

// TestSources proves that clients take the host addresses of the network in turn,
// and no more clients are made than there are.
func TestSources(t *testing.T) {
	tests := []struct {
		network     string
		clients     int
		first, last string
	}{
		{"127.0.3.0/24", 254, "127.0.3.1", "127.0.3.254"},
		{"127.0.3.77/24", 254, "127.0.3.1", "127.0.3.254"},
		{"127.0.0.0/8", 254, "127.0.0.1", "127.0.0.254"},
		{"127.0.3.8/30", 2, "127.0.3.9", "127.0.3.10"},
		{"127.0.3.9/32", 1, "127.0.3.9", "127.0.3.9"},
		{"::1/128", 1, "::1", "::1"},
	}
	for _, tt := range tests {
		t.Run(tt.network, func(t *testing.T) {
			o := valid()
			o.Sources = netip.MustParsePrefix(tt.network)
			p, err := newPlan(o)
			if err != nil {
				t.Fatal(err)
			}
			first, last := p.source(0).String(), p.source(p.Clients-1).String()
			if p.Clients != tt.clients || first != tt.first || last != tt.last {
				t.Errorf("%d clients from %s to %s, want %d from %s to %s", p.Clients, first, last, tt.clients, tt.first, tt.last)
			}
		})
	}
}
