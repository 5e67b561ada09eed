package filter_test

import (
	"net/netip"
	"strings"
	"testing"

	"portico/l7/exchange"
	"portico/l7/filter"
	"portico/l7/message"
	"portico/spec"
)

func networks(list ...string) []netip.Prefix {
	var all []netip.Prefix
	for _, s := range list {
		all = append(all, netip.MustParsePrefix(s))
	}
	return all
}

func from(client string) *message.Request {
	req := request()
	req.Client = netip.AddrPortFrom(netip.MustParseAddr(client), 4711)
	return req
}

// Who is denied is refused, also where it is allowed; where some are allowed,
// others are refused. The client is told its request's id, the log why.
func TestIP(t *testing.T) {
	tests := []struct {
		name        string
		allow, deny []netip.Prefix
		client      string
		why         string
	}{
		{"allowed", networks("10.0.0.0/8"), nil, "10.1.1.1", ""},
		{"not allowed", networks("10.0.0.0/8"), nil, "11.1.1.1", "ip: the client's address is not allowed"},
		{"denied", nil, networks("10.0.0.0/8"), "10.1.1.1", "ip: the client's address is denied"},
		{"not denied", nil, networks("10.0.0.0/8"), "11.1.1.1", ""},
		{"deny wins", networks("10.0.0.0/8"), networks("10.1.0.0/16"), "10.1.1.1", "ip: the client's address is denied"},
		{"beside what is denied", networks("10.0.0.0/8"), networks("10.1.0.0/16"), "10.2.1.1", ""},
		{"the other family", networks("10.0.0.0/8"), nil, "2001:db8::1", "ip: the client's address is not allowed"},
		{"v6", networks("2001:db8::/32"), nil, "2001:db8::1", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := compile(t, one("ip", &filter.IP{Allow: tt.allow, Deny: tt.deny}))
			var d exchange.Decision
			c.Request(from(tt.client), match, &d)
			if got := match.Visit.Why(); got != tt.why || (d.Fixed != nil) != (tt.why != "") {
				t.Errorf("refused by %q with %+v, want %q", got, d.Fixed, tt.why)
			}
			if d.Fixed != nil && (d.Fixed.Status != 403 || string(d.Fixed.Body) != "403 Forbidden\nrequest id1\n" ||
				text(d.Fixed.Fields) != "Content-Type: text/plain; charset=utf-8 | X-Request-Id: id1") {
				t.Errorf("answer %d %q %s", d.Fixed.Status, d.Fixed.Body, text(d.Fixed.Fields))
			}
			want := filter.Passed
			if tt.why != "" {
				want = filter.Refused
			}
			if got := match.Visit.Outcome(0); got != want {
				t.Errorf("outcome %s, want %s", got, want)
			}
			if got := c.Explain(from(tt.client), match, &exchange.Decision{})[0]; strings.Contains(got, "403") != (tt.why != "") || !strings.Contains(got, tt.client) {
				t.Errorf("Explain = %q", got)
			}
		})
	}
}

// Lists that let everyone in are refused, and so are networks that are none.
func TestIPCheck(t *testing.T) {
	tests := []struct {
		name  string
		p     filter.IP
		wants string
	}{
		{"good", filter.IP{Allow: networks("10.0.0.0/8", "::/0")}, ""},
		{"nothing", filter.IP{}, "lets every client in"},
		{"bits beyond", filter.IP{Deny: networks("10.0.0.0/8", "10.1.2.3/8")}, `deny[1]: "10.1.2.3/8" has bits beyond its length; write 10.0.0.0/8, or 10.1.2.3/32`},
	}
	for _, tt := range tests {
		got := spec.Problems(tt.p.Check())
		if (tt.wants == "") != (len(got) == 0) || tt.wants != "" && !strings.Contains(got.Error(), tt.wants) {
			t.Errorf("%s: Check = %v, want %q", tt.name, got, tt.wants)
		}
	}
}
