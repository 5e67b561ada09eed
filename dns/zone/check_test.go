package zone_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"portico/dns/policy"
	"portico/dns/zone"
	"portico/spec"
)

// good is a spec without a problem.
func good() *spec.Spec {
	return &spec.Spec{
		Sites: []spec.Site{{Name: "east"}, {Name: "west"}, {Name: "north"}},
		VIPs: []spec.VIP{{Name: "public", Addresses: map[spec.SiteName][]netip.Addr{
			"east": addrs("198.51.100.10"), "west": addrs("203.0.113.10"),
		}}},
		Zones: []spec.Zone{{
			Name:        "example.com",
			SOA:         spec.SOA{Mail: "john.doe@example.com"},
			Nameservers: []spec.Nameserver{{Name: "ns1", Addresses: addrs("192.0.2.1", "2001:db8::1")}, {Name: "ns.example.net."}},
			Records: []spec.Record{
				{Name: "@", VIP: "public", TXT: []string{"x"}},
				{Name: "www", CNAME: "example.com."},
				{Name: "w", VIP: "public", Policy: &spec.Choice{Name: "weighted", Params: &policy.Weighted{"east": 1, "west": 0}}},
				{Name: "f", VIP: "public", Policy: &spec.Choice{Name: "failover", Params: &policy.Failover{"west", "east"}}},
				{Name: "_sip._tcp", TXT: []string{"service"}},
				{Name: "sub", NS: []string{"ns1.sub", "ns1"}},
				{Name: "ns1.sub", A: addrs("192.0.2.2")},
				{Name: "abs.example.com.", AAAA: addrs("2001:db8::2")},
			},
		}},
	}
}

func addrs(list ...string) []netip.Addr {
	var as []netip.Addr
	for _, s := range list {
		as = append(as, netip.MustParseAddr(s))
	}
	return as
}

// TestCheck proves what is refused, where, and what is said to be right. Each
// case adds to the good spec.
func TestCheck(t *testing.T) {
	record := func(rs ...spec.Record) func(*spec.Spec) {
		return func(s *spec.Spec) { s.Zones[0].Records = append([]spec.Record(nil), rs...) }
	}
	one := addrs("192.0.2.9")
	for _, tc := range []struct {
		name   string
		change func(*spec.Spec)
		want   []string
	}{
		{"good", func(*spec.Spec) {}, nil},
		{"zone without a name", func(s *spec.Spec) { s.Zones[0].Name = "" }, []string{`zones[0].name: "" is empty; use a name such as www`}},
		{"zone twice", func(s *spec.Spec) { s.Zones = append(s.Zones, spec.Zone{Name: "Example.com"}) }, []string{`zones[1].name: zone "Example.com" is defined twice; it is zones[0] too`}},
		{"no nameserver", func(s *spec.Spec) { s.Zones[0].Nameservers, s.Zones[0].Records = nil, nil }, []string{"zones[0].nameservers: the zone has no nameserver; name at least one, such as {name: ns1, addresses: [192.0.2.1]}"}},
		{"mail", func(s *spec.Spec) { s.Zones[0].SOA.Mail = "hostmaster" }, []string{`zones[0].soa.mail: "hostmaster" is not a mail address; use one such as hostmaster@example.com`}},
		{"nameserver without address", func(s *spec.Spec) { s.Zones[0].Nameservers[1].Name = "ns2" }, []string{`zones[0].nameservers[1].addresses: nameserver "ns2" is in the zone and has no address; add addresses, or a record of that name`}},
		{"nameserver with a record", func(s *spec.Spec) {
			s.Zones[0].Nameservers[1].Name = "ns2"
			record(spec.Record{Name: "ns2", A: one})(s)
		}, nil},
		{"nameserver twice", func(s *spec.Spec) {
			s.Zones[0].Nameservers = append(s.Zones[0].Nameservers, spec.Nameserver{Name: "NS1.example.com.", Addresses: one})
		}, []string{`zones[0].nameservers[2].name: nameserver "NS1.example.com." is listed twice`}},
		{"nameserver that is an alias", record(spec.Record{Name: "ns1", CNAME: "x.example.net."}), []string{`zones[0].records[0].cname: nameserver "ns1" may not be an alias; use a or aaaa`}},
		{"nameserver with addresses twice", record(spec.Record{Name: "ns1", A: one}), []string{`zones[0].records[0]: "ns1" has addresses as a nameserver and as a record; write them in one place`}},
		{"nameserver of somebody else with addresses", func(s *spec.Spec) { s.Zones[0].Nameservers[1].Addresses = one }, []string{`warning: zones[0].nameservers[1].addresses: "ns.example.net." is not in the zone example.com, so its addresses are not used; its own zone has them`}},
		{"record without a name", record(spec.Record{A: one}), []string{`zones[0].records[0].name: the name is empty; use "@" for the zone's own name`}},
		{"wildcard", record(spec.Record{Name: "*.app", A: one}), []string{`zones[0].records[0].name: "*.app" is a wildcard, which is not supported; list the names`}},
		{"not ASCII", record(spec.Record{Name: "bücher", A: one}), []string{`zones[0].records[0].name: "bücher" is not ASCII; write an international name as its xn-- form`}},
		{"a space", record(spec.Record{Name: "a b", A: one}), []string{`zones[0].records[0].name: "a b" holds ' '; use letters, digits, hyphens and underscores`}},
		{"empty label", record(spec.Record{Name: "a..b", A: one}), []string{`zones[0].records[0].name: "a..b" has an empty label; use one dot between labels`}},
		{"long label", record(spec.Record{Name: strings.Repeat("a", 64), A: one}), []string{`zones[0].records[0].name: "` + strings.Repeat("a", 64) + `" has a label of 64 bytes; a label has at most 63`}},
		{"long name", record(spec.Record{Name: strings.Repeat("a.", 130) + "b", A: one}), []string{`zones[0].records[0].name: "` + strings.Repeat("a.", 130) + `b" is 273 bytes long; a name has at most 253`}},
		{"another zone's name", record(spec.Record{Name: "www.example.net.", A: one}), []string{`zones[0].records[0].name: "www.example.net." is not in the zone example.com; leave out the last dot if it is below the zone's name`}},
		{"a name written whole without its dot", record(spec.Record{Name: "www.example.com", A: one}), []string{`warning: zones[0].records[0].name: "www.example.com" is below the zone and means www.example.com.example.com.; if it is whole, end it with a dot: "www.example.com."`}},
		{"name twice", record(spec.Record{Name: "x", A: one}, spec.Record{Name: "X", TXT: []string{"y"}}), []string{`zones[0].records[1].name: "X" is defined twice; it is records[0] too; one record holds all data of a name`}},
		{"nothing", record(spec.Record{Name: "x"}), []string{`zones[0].records[0]: "x" holds nothing; add one of vip, a, aaaa, cname, txt and ns`}},
		{"families swapped", record(spec.Record{Name: "x", A: addrs("2001:db8::1"), AAAA: one}), []string{`zones[0].records[0].a[0]: 2001:db8::1 is not an IPv4 address; use aaaa for it`, `zones[0].records[0].aaaa[0]: 192.0.2.9 is not an IPv6 address; use a for it`}},
		{"no address to answer with", record(spec.Record{Name: "x", A: addrs("0.0.0.0", "192.0.2.9", "192.0.2.9")}), []string{`zones[0].records[0].a[0]: 0.0.0.0 is not an address to answer with; use one such as 192.0.2.1 or 2001:db8::1`, `zones[0].records[0].a[2]: 192.0.2.9 is listed twice`}},
		{"cname with other data", record(spec.Record{Name: "x", CNAME: "a.example.net.", A: one}), []string{`zones[0].records[0].cname: "x" holds other data too; a cname stands alone`}},
		{"cname at the apex", record(spec.Record{Name: "@", CNAME: "a.example.net."}), []string{`zones[0].records[0].cname: the zone's own name cannot be an alias; use vip, or a and aaaa`}},
		{"cname of itself", record(spec.Record{Name: "x", CNAME: "x"}), []string{`zones[0].records[0].cname: "x" is an alias of itself`}},
		{"cname in a circle", record(spec.Record{Name: "x", CNAME: "y"}, spec.Record{Name: "y", CNAME: "x"}), []string{
			"zones[0].records[0].cname: the chain of aliases does not end: x.example.com, y.example.com, x.example.com; use at most 8 in a row",
			"zones[0].records[1].cname: the chain of aliases does not end: y.example.com, x.example.com, y.example.com; use at most 8 in a row",
		}},
		{"cname to nothing", record(spec.Record{Name: "x", CNAME: "y"}), []string{"warning: zones[0].records[0].cname: nothing is named y.example.com"}},
		{"delegation of the apex", record(spec.Record{Name: "@", NS: []string{"ns1"}}), []string{"zones[0].records[0].ns: the zone's own nameservers stand elsewhere; use the zone's nameservers"}},
		{"delegation with data", record(spec.Record{Name: "x", NS: []string{"ns1"}, TXT: []string{"y"}}), []string{`zones[0].records[0].ns: "x" is handed to another zone and holds data here; leave only ns, and addresses of nameservers`}},
		{"data below a delegation", record(spec.Record{Name: "x", NS: []string{"ns1"}}, spec.Record{Name: "y.x", TXT: []string{"y"}}), []string{`warning: zones[0].records[1].name: "y.x" is below x.example.com, which is handed to another zone, and is never answered; only addresses of nameservers are used there`}},
		{"data in another zone of ours", func(s *spec.Spec) {
			s.Zones = append(s.Zones, spec.Zone{Name: "sub.example.com", Nameservers: []spec.Nameserver{{Name: "ns1.example.com."}}})
			record(spec.Record{Name: "x.sub", A: one})(s)
		}, []string{`warning: zones[0].records[0].name: "x.sub" belongs to the zone sub.example.com and is never answered from here; move it there`}},
		{"too much text", record(spec.Record{Name: "x", TXT: []string{strings.Repeat("x", 9000), strings.Repeat("x", 9000)}}), []string{"zones[0].records[0].txt[1]: the texts are longer than an answer may be; use at most 16384 bytes in all"}},
		{"unknown VIP", record(spec.Record{Name: "x", VIP: "publik"}), []string{`zones[0].records[0].vip: no VIP named "publik"; did you mean "public"?`}},
		{"VIP and addresses", record(spec.Record{Name: "x", VIP: "public", A: one}), []string{`zones[0].records[0].vip: "x" has a vip and addresses of its own; a vip takes the place of a and aaaa`}},
		{"policy without a VIP", record(spec.Record{Name: "x", A: one, Policy: &spec.Choice{Name: "simple"}}), []string{`zones[0].records[0].policy: "x" has a policy and no vip; a policy chooses among the sites of a vip`}},
		{"unknown policy", record(spec.Record{Name: "x", VIP: "public", Policy: &spec.Choice{Name: "weighed"}}), []string{`zones[0].records[0].policy: unknown policy "weighed"; did you mean "weighted"?`}},
		{"policy of nothing", record(spec.Record{Name: "x", VIP: "public", Policy: &spec.Choice{Name: "weighted"}}), []string{`zones[0].records[0].policy: policy "weighted" names no site; it needs the sites to choose among`}},
		{"unknown site by weight", record(spec.Record{Name: "x", VIP: "public", Policy: &spec.Choice{Name: "weighted", Params: &policy.Weighted{"eest": 1}}}), []string{`zones[0].records[0].policy.weighted.eest: no site named "eest"; did you mean "east"?`}},
		{"unknown site in a list", record(spec.Record{Name: "x", VIP: "public", Policy: &spec.Choice{Name: "failover", Params: &policy.Failover{"east", "wst"}}}), []string{`zones[0].records[0].policy.failover[1]: no site named "wst"; did you mean "west"?`}},
		{"site without the VIP", record(spec.Record{Name: "x", VIP: "public", Policy: &spec.Choice{Name: "failover", Params: &policy.Failover{"north"}}}), []string{`zones[0].records[0].policy.failover[0]: VIP "public" has no address at site "north"; it has at east, west`}},
	} {
		want := good()
		tc.change(want)
		var got []string
		for _, p := range zone.Check(want) {
			got = append(got, p.String())
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s:\n%s\nwant:\n%s", tc.name, strings.Join(got, "\n"), strings.Join(tc.want, "\n"))
		}
	}
}
