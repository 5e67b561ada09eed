package dns_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"portico/spec/status"
)

// TestExplain proves what is said of each kind of name, why, and where the
// request would go.
func TestExplain(t *testing.T) {
	r := start(t, world())
	r.health.set(west, unhealthy)
	r.Changed()
	eventually(t, "west is out", func() bool {
		_, records := r.Status()
		return !records[0].Sites[1].Used
	})
	for _, tc := range []struct {
		name, url, from string
		result          string
		lines           []string // each is part of some line, with its mark
		next            string
	}{
		{
			"a VIP by failover", "https://example.com/", "", "example.com: 198.51.100.10 (east)",
			[]string{
				" zone example.com holds example.com", " VIP four, policy failover, TTL 5s", " A: the healthy sites are used",
				"+ east [198.51.100.10]: healthy (as the test says), first in every answer", "- west [203.0.113.10]: unhealthy (as the test says)",
			},
			"[198.51.100.10:443]",
		},
		{"by way of a cname", "http://WWW.example.com./x", "", "example.com: 198.51.100.10 (east)", []string{"+ CNAME to example.com"}, "[198.51.100.10:80]"},
		{"port of the URL", "https://half.example.com:8443/api", "203.0.113.7", "half.example.com: 198.51.100.10 (east)", nil, "[198.51.100.10:8443]"},
		{"both families", "https://all.example.com/", "", "all.example.com: 198.51.100.10 (east), 2001:db8::10 (east)", nil, "[198.51.100.10:443 [2001:db8::10]:443]"},
		{"client of IPv6", "https://all.example.com/", "2001:db8:f::1", "all.example.com: 2001:db8::10 (east), 198.51.100.10 (east)", nil, "[[2001:db8::10]:443 198.51.100.10:443]"},
		{"fixed addresses", "tcp://host.example.com:25", "", "host.example.com: 192.0.2.9, 2001:db8::9", nil, "[192.0.2.9:25 [2001:db8::9]:25]"},
		{"no address", "http://a.deep.example.com", "", "a.deep.example.com: NODATA, the name has no address", nil, "[]"},
		{"no such name", "http://nope.example.com", "", "nope.example.com: NXDOMAIN, no such name", nil, "[]"},
		{"cname out of our zones", "http://away.example.com", "", "cdn.example.net: in a zone of somebody else", nil, "[]"},
		{"below a cut", "http://x.sub.example.com", "", "x.sub.example.com: handed to the nameservers of sub.example.com", nil, "[]"},
	} {
		q := status.Question{URL: tc.url}
		if tc.from != "" {
			q.From = netip.MustParseAddr(tc.from)
		}
		a, ok := r.Explain(q)
		if !ok || a.Result != tc.result || fmt.Sprint(a.Next) != tc.next || a.Tier != "dns" || a.Node != "east-1" {
			t.Errorf("%s: %v %+v, want %q and %s", tc.name, ok, a, tc.result, tc.next)
		}
		for _, want := range tc.lines {
			if !strings.Contains(lines(a), "\n"+want) {
				t.Errorf("%s: no line %q in:%s", tc.name, want, lines(a))
			}
		}
	}
	for _, url := range []string{"https://example.net/", "https://10.0.0.1/", "://", "/path", ""} {
		if a, ok := r.Explain(status.Question{URL: url}); ok {
			t.Errorf("Explain(%q) = %+v", url, a)
		}
	}
}

// lines are those of an answer, each after its mark.
func lines(a status.Answer) string {
	s := ""
	for _, l := range a.Lines {
		s += "\n" + l.Mark + " " + l.Text
	}
	return s
}

// TestExplainModes proves that it is said when records fail open or closed, and
// that a policy leaves a site out.
func TestExplainModes(t *testing.T) {
	r := start(t, world())
	r.health.set(east, unhealthy)
	r.health.set(west, unhealthy)
	r.Changed()
	for _, tc := range []struct{ name, mode, result, line string }{
		{"closed", "none", "closed.example.com: NODATA, no site may be used", "every site is unhealthy and the record fails closed"},
		{"half", "fail-open", "", "every site is unhealthy, so all are used (fail-open)"},
	} {
		eventually(t, tc.name+" is "+tc.mode, func() bool {
			_, records := r.Status()
			for _, rec := range records {
				if rec.Name == tc.name+".example.com" {
					return rec.Mode == tc.mode
				}
			}
			return false
		})
		a, _ := r.Explain(status.Question{URL: "https://" + tc.name + ".example.com/"})
		if tc.result != "" && a.Result != tc.result || !strings.Contains(lines(a), tc.line) {
			t.Errorf("%s: %q%s", tc.name, a.Result, lines(a))
		}
	}
}
