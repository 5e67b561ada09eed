package zone_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	mdns "github.com/miekg/dns"

	"portico/dns/zone"
	"portico/spec"
)

// TestCompileNames proves which names a set holds: those written, those between
// them and their zone, and none below a cut.
func TestCompileNames(t *testing.T) {
	want := good()
	want.Zones = append(want.Zones, spec.Zone{Name: "in.other.example.com", Nameservers: []spec.Nameserver{{Name: "ns.example.net."}}})
	s := zone.Compile(want)
	got := slices.Sorted(maps.Keys(s.Names))
	names := []string{
		"_sip._tcp.example.com.", "_tcp.example.com.", "abs.example.com.", "example.com.", "f.example.com.",
		"in.other.example.com.", "ns1.example.com.", "other.example.com.", "sub.example.com.", "w.example.com.", "www.example.com.",
	}
	if !slices.Equal(got, names) {
		t.Errorf("names %q, want %q", got, names)
	}
	if z := s.Names["in.other.example.com."].Zone; z.Parent == nil || z.Parent.Apex != "example.com." {
		t.Errorf("the parent of %s is %v", z.Apex, z.Parent)
	}
	if z := s.Names["other.example.com."].Zone; z.Apex != "example.com." {
		t.Errorf("the name between is in %s", z.Apex)
	}
	if glue := s.Addresses("ns1.sub.example.com."); len(glue) != 1 {
		t.Errorf("addresses below the cut: %v", glue)
	}
}

// TestFind proves what stands for a name: itself, the cut above it, its zone
// where there is no such name, or nothing.
func TestFind(t *testing.T) {
	s := zone.Compile(good())
	for _, tc := range []struct{ name, owner, apex string }{
		{"example.com.", "example.com.", "example.com."},
		{"_tcp.example.com.", "_tcp.example.com.", "example.com."},
		{"sub.example.com.", "sub.example.com.", "example.com."},
		{"ns1.sub.example.com.", "sub.example.com.", "example.com."},
		{"nope.example.com.", "", "example.com."},
		{"x.www.example.com.", "", "example.com."},
		{"example.net.", "", ""},
		{"com.", "", ""},
		{".", "", ""},
	} {
		n, z := s.Find(tc.name)
		owner, apex := "", ""
		if n != nil {
			owner = n.Owner
		}
		if z != nil {
			apex = z.Apex
		}
		if owner != tc.owner || apex != tc.apex {
			t.Errorf("Find(%q) = %q in %q, want %q in %q", tc.name, owner, apex, tc.owner, tc.apex)
		}
	}
}

// TestSOA proves what becomes of the numbers and the mail address, and how long
// it is remembered that there is nothing.
func TestSOA(t *testing.T) {
	for _, tc := range []struct {
		name    string
		ttl     time.Duration
		minimum time.Duration
		mail    string
		mbox    string
		nothing uint32
	}{
		{"the minimum is less", time.Minute, 30 * time.Second, "", "hostmaster.example.com.", 30},
		{"the TTL is less", 10 * time.Second, 30 * time.Second, "", "hostmaster.example.com.", 10},
		{"parts of a second", 1500 * time.Millisecond, time.Hour, "", "hostmaster.example.com.", 2},
		{"dots in the mail address", time.Minute, 0, "john.doe@Example.net", `john\.doe.example.net.`, 0},
	} {
		want := good()
		want.Zones[0].TTL = spec.Duration(tc.ttl)
		want.Zones[0].SOA = spec.SOA{Mail: tc.mail, Minimum: spec.Duration(tc.minimum), Serial: 9}
		z := zone.Compile(want).Names["example.com."].Zone
		if z.SOA.Mbox != tc.mbox || z.SOA.Ns != "ns1.example.com." || z.SOA.Serial != 9 || z.Nothing.Hdr.Ttl != tc.nothing {
			t.Errorf("%s: %v, nothing for %d", tc.name, z.SOA, z.Nothing.Hdr.Ttl)
		}
	}
}

// TestText proves that a long text becomes strings of 255 bytes and arrives as it
// was written.
func TestText(t *testing.T) {
	for _, tc := range []struct {
		name  string
		text  string
		parts int
	}{
		{"empty", "", 1},
		{"short", "v=spf1 -all", 1},
		{"the longest string", strings.Repeat("a", 255), 1},
		{"one more", strings.Repeat("a", 256), 2},
		{"a key", strings.Repeat("k", 800), 4},
		{"what a zone file would escape", `"\; \123 ü`, 1},
		{"escapes across the border", strings.Repeat(`\`, 300), 2},
	} {
		want := good()
		want.Zones[0].Records = []spec.Record{{Name: "t", TXT: []string{tc.text}}}
		rr := zone.Compile(want).Names["t.example.com."].Records[mdns.TypeTXT][0]
		if got := len(rr.(*mdns.TXT).Txt); got != tc.parts {
			t.Errorf("%s: %d strings, want %d", tc.name, got, tc.parts)
		}
		buf := make([]byte, 4096)
		n, err := mdns.PackRR(rr, buf, 0, nil, false)
		if err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		data := buf[len("\x01t\x07example\x03com\x00")+10 : n]
		got := ""
		for len(data) > 0 {
			n := 1 + int(data[0])
			got, data = got+string(data[1:n]), data[n:]
		}
		if got != tc.text {
			t.Errorf("%s: packed as %q", tc.name, got)
		}
	}
}

// TestTTL proves that a record's own TTL stands before its zone's.
func TestTTL(t *testing.T) {
	want := good()
	want.Zones[0].TTL = spec.Duration(time.Minute)
	want.Zones[0].Records = []spec.Record{
		{Name: "own", TXT: []string{"x"}, TTL: spec.Duration(5 * time.Second)},
		{Name: "zone", TXT: []string{"x"}},
	}
	s := zone.Compile(want)
	for name, ttl := range map[string]uint32{"own.example.com.": 5, "zone.example.com.": 60} {
		if got := s.Names[name].Records[mdns.TypeTXT][0].Header().Ttl; got != ttl {
			t.Errorf("%s has a TTL of %d, want %d", name, got, ttl)
		}
	}
}
