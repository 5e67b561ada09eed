package dns_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	mdns "github.com/miekg/dns"
)

const (
	soa     = "example.com. SOA ns1.example.com. hostmaster.example.com. 7 3600 900 604800 30"
	nothing = "auth: 30 " + soa
	hinfo   = `60 %s HINFO "RFC8482" ""`
)

// TestAnswers proves what each kind of name answers, whole, and the same over
// UDP and TCP.
func TestAnswers(t *testing.T) {
	r := start(t, world())
	for _, tc := range []struct {
		name  string
		query string // name and type
		want  string // outcome, then records as "ttl owner type data", one a line
	}{
		{"apex alias to a VIP", "example.com. A", "NOERROR aa\n5 example.com. A 198.51.100.10"},
		{"family without addresses", "example.com. AAAA", "NOERROR aa\n" + nothing},
		{"text beside an alias", "example.com. TXT", "NOERROR aa\n5 example.com. TXT \"portico\""},
		{"start of authority", "example.com. SOA", "NOERROR aa\n60 " + soa},
		{
			"nameservers with addresses", "example.com. NS",
			"NOERROR aa\n60 example.com. NS ns1.example.com.\n60 example.com. NS ns.example.net.\nextra: 60 ns1.example.com. A 192.0.2.1\nextra: 60 ns1.example.com. AAAA 2001:db8::1",
		},
		{"nameserver", "ns1.example.com. A", "NOERROR aa\n60 ns1.example.com. A 192.0.2.1"},
		{"IPv6 of a VIP", "all.example.com. AAAA", "NOERROR aa\n5 all.example.com. AAAA 2001:db8::10"},
		{"fixed address", "host.example.com. A", "NOERROR aa\n60 host.example.com. A 192.0.2.9"},
		{"fixed IPv6 address", "host.example.com. AAAA", "NOERROR aa\n60 host.example.com. AAAA 2001:db8::9"},
		{"type the name does not hold", "host.example.com. MX", "NOERROR aa\n" + nothing},
		{"type nobody knows", "host.example.com. TYPE65333", "NOERROR aa\n" + nothing},
		{"no such name", "nope.example.com. A", "NXDOMAIN aa\n" + nothing},
		{"no such name, far below", "a.b.c.d.nope.example.com. A", "NXDOMAIN aa\n" + nothing},
		{"below a name", "x.host.example.com. A", "NXDOMAIN aa\n" + nothing},
		{"name with only names below", "deep.example.com. A", "NOERROR aa\n" + nothing},
		{"texts keep apart", "a.deep.example.com. TXT", "NOERROR aa\n60 a.deep.example.com. TXT \"below\"\n60 a.deep.example.com. TXT \"nothing\""},
		{"text as it is written", "_acme-challenge.example.com. TXT", "NOERROR aa\n60 _acme-challenge.example.com. TXT \"back\\\\slash \\\"quoted\\\"\""},
		{"cname itself", "www.example.com. CNAME", "NOERROR aa\n60 www.example.com. CNAME example.com."},
		{"cname to a VIP", "www.example.com. A", "NOERROR aa\n60 www.example.com. CNAME example.com.\n5 example.com. A 198.51.100.10"},
		{
			"two cnames", "far.example.com. A",
			"NOERROR aa\n60 far.example.com. CNAME www.example.com.\n60 www.example.com. CNAME example.com.\n5 example.com. A 198.51.100.10",
		},
		{"cname to a type that is not there", "www.example.com. AAAA", "NOERROR aa\n60 www.example.com. CNAME example.com.\n" + nothing},
		{"cname out of our zones", "away.example.com. A", "NOERROR aa\n60 away.example.com. CNAME cdn.example.net."},
		{"cname to no name", "gone.example.com. A", "NXDOMAIN aa\n60 gone.example.com. CNAME nowhere.example.com.\n" + nothing},
		{"cname below a cut", "into.example.com. A", "NOERROR aa\n60 into.example.com. CNAME x.sub.example.com."},
		{"referral", "sub.example.com. A", referred},
		{"referral from below", "x.y.sub.example.com. TXT", referred},
		{"glue is no answer", "ns.sub.example.com. A", referred},
		{"a cut's DS is ours", "sub.example.com. DS", "NOERROR aa\n" + nothing},
		{"child zone of ours", "child.example.com. A", "NOERROR aa\n60 child.example.com. A 192.0.2.77"},
		{"child zone's DS is its parent's", "child.example.com. DS", "NOERROR aa\n" + nothing},
		{
			"no such name in the child zone", "x.child.example.com. A",
			"NXDOMAIN aa\nauth: 60 child.example.com. SOA ns1.example.com. hostmaster.child.example.com. 0 0 0 0 60",
		},
		{"any", "host.example.com. ANY", "NOERROR aa\n" + fmt.Sprintf(hinfo, "host.example.com.")},
		{"any of a VIP", "all.example.com. ANY", "NOERROR aa\n" + fmt.Sprintf(hinfo, "all.example.com.")},
		{"any of a cname", "www.example.com. ANY", "NOERROR aa\n" + fmt.Sprintf(hinfo, "www.example.com.")},
		{"any of nothing", "deep.example.com. ANY", "NOERROR aa\n" + nothing},
		{"any of no name", "nope.example.com. ANY", "NXDOMAIN aa\n" + nothing},
		{"somebody else's name", "example.net. A", "REFUSED"},
		{"a name above ours", "com. A", "REFUSED"},
		{"the root", ". NS", "REFUSED"},
		{"a name that ends alike", "notexample.com. A", "REFUSED"},
	} {
		name, rrtype, _ := strings.Cut(tc.query, " ")
		q := query(name, mdns.StringToType[rrtype])
		if rrtype == "TYPE65333" {
			q.Question[0].Qtype = 65333
		}
		for _, network := range []string{"udp", "tcp"} {
			if got := render(r.ask(network, q)); got != tc.want {
				t.Errorf("%s: %s over %s:\n%s\nwant:\n%s", tc.name, tc.query, network, got, tc.want)
			}
		}
	}
}

const referred = `NOERROR
auth: 60 sub.example.com. NS ns.sub.example.com.
auth: 60 sub.example.com. NS ns1.example.com.
auth: 60 sub.example.com. NS ns.example.net.
extra: 60 ns.sub.example.com. A 192.0.2.53
extra: 60 ns1.example.com. A 192.0.2.1
extra: 60 ns1.example.com. AAAA 2001:db8::1`

// render writes a reply the way the table does.
func render(m *mdns.Msg) string {
	lines := []string{mdns.RcodeToString[m.Rcode]}
	if m.Authoritative {
		lines[0] += " aa"
	}
	add := func(section string, rrs []mdns.RR) {
		for _, rr := range rrs {
			if rr.Header().Rrtype == mdns.TypeOPT {
				continue
			}
			h := rr.Header()
			data := strings.TrimPrefix(rr.String(), h.String())
			lines = append(lines, fmt.Sprintf("%s%d %s %s %s", section, h.Ttl, h.Name, mdns.TypeToString[h.Rrtype], data))
		}
	}
	add("", m.Answer)
	add("auth: ", m.Ns)
	add("extra: ", m.Extra)
	return strings.Join(lines, "\n")
}

// addresses are those of the answer, sorted.
func addresses(m *mdns.Msg) []string {
	var addrs []string
	for _, rr := range m.Answer {
		switch rr := rr.(type) {
		case *mdns.A:
			addrs = append(addrs, rr.A.String())
		case *mdns.AAAA:
			addrs = append(addrs, rr.AAAA.String())
		}
	}
	slices.Sort(addrs)
	return addrs
}
