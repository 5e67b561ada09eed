package proxy_test

import (
	"net/netip"
	"strings"
	"testing"

	"portico/internal/netx/proxy"
)

// The line of version 1 is read as section 2.1 says, and nothing else is taken for one.
func TestParseAny(t *testing.T) {
	v4 := proxy.Header{Source: netip.MustParseAddrPort("203.0.113.7:40000"), Destination: netip.MustParseAddrPort("198.51.100.10:443")}
	v6 := proxy.Header{Source: netip.MustParseAddrPort("[2001:db8::7]:1"), Destination: netip.MustParseAddrPort("[2001:db8::10]:443")}
	for _, h := range []proxy.Header{v4, v6, {}} {
		line := proxy.AppendV1(nil, h)
		for n := range line {
			if _, early, err := proxy.ParseAny(line[:n]); early != 0 || err != nil {
				t.Fatalf("ParseAny(%q) = %d, %v, want that more is needed", line[:n], early, err)
			}
		}
		got, n, err := proxy.ParseAny(append(line, "rest"...))
		if err != nil || n != len(line) || got.Source != h.Source || got.Destination != h.Destination {
			t.Errorf("ParseAny(%q) = %+v, %d, %v, want %+v", line, got, n, err, h)
		}
	}
	for _, bad := range []string{
		"PROXY TCP4 203.0.113.7 198.51.100.10 40000\r\n",
		"PROXY TCP4 203.0.113.7 198.51.100.10 40000 65536\r\n",
		"PROXY TCP4 203.0.113.7 198.51.100.10 040 443\r\n",
		"PROXY TCP4  203.0.113.7 198.51.100.10 40000 443\r\n",
		"PROXY TCP4 2001:db8::7 198.51.100.10 40000 443\r\n",
		"PROXY TCP6 2001:db8::7%eth0 2001:db8::10 1 443\r\n",
		"PROXY UDP4 203.0.113.7 198.51.100.10 40000 443\r\n",
		"PROXY \r\n",
		"PROXY TCP4 " + strings.Repeat("1", 100),
	} {
		if h, n, err := proxy.ParseAny([]byte(bad)); err == nil {
			t.Errorf("ParseAny(%q) = %+v, %d, want an error", bad, h, n)
		}
	}
}

// The id of who was before stays, told as text where it is some; a connection without one
// gets one, where there is room.
func TestIdentified(t *testing.T) {
	tests := []struct {
		name string
		tlvs []byte
		most int
		want string
	}{
		{"none", nil, proxy.PassedMax, "fresh"},
		{"others", []byte{0x01, 0, 2, 'h', '2'}, proxy.PassedMax, "fresh"},
		{"text", []byte{0x01, 0, 0, 0x05, 0, 2, 'a', '1'}, proxy.PassedMax, "a1"},
		{"bytes", []byte{0x05, 0, 3, 'a', 0, 0xff}, proxy.PassedMax, "6100ff"},
		{"empty", []byte{0x05, 0, 0}, proxy.PassedMax, "fresh"},
		{"no room", []byte{0x01, 0, 0}, 10, ""},
	}
	for _, tt := range tests {
		with, id := proxy.Identified(tt.tlvs, "fresh", tt.most)
		if id != tt.want {
			t.Errorf("%s: id %q, want %q", tt.name, id, tt.want)
		}
		if added := len(with) - len(tt.tlvs); (added > 0) != (id == "fresh") {
			t.Errorf("%s: %d bytes added with the id %q", tt.name, added, id)
		}
	}
}

// No bytes make it panic or ask for too many, and what it reads reads the same again.
func FuzzParseAny(f *testing.F) {
	f.Add([]byte("PROXY TCP4 203.0.113.7 198.51.100.10 40000 443\r\n"))
	f.Add([]byte("PROXY TCP6 2001:db8::7 ::ffff:1.2.3.4 1 2\r\nx"))
	f.Add([]byte("PROXY UNKNOWN what ever\r\n"))
	f.Add(proxy.AppendChecked(nil, proxy.Header{TLVs: []byte{5, 0, 1, 7}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, n, err := proxy.ParseAny(b)
		if n > len(b) || n < 0 || err != nil && n != 0 || err == nil && n == 0 && len(b) >= proxy.MaxSize {
			t.Fatalf("ParseAny of %d bytes = %d, %v", len(b), n, err)
		}
		if n == 0 || !h.Source.IsValid() {
			return
		}
		again, _, err := proxy.ParseAny(proxy.AppendV1(nil, h))
		if err != nil || again.Source != h.Source || again.Destination != h.Destination {
			t.Fatalf("%+v reads again as %+v, %v", h, again, err)
		}
		tlvs, id := proxy.Identified(proxy.Passed(h.TLVs, "db.example.com", proxy.PassedMax), "fresh", proxy.PassedMax)
		if _, again := proxy.Identified(tlvs, "other", proxy.PassedMax); id != "" && again != id {
			t.Fatalf("the id is %q, then %q", id, again)
		}
		h.TLVs = tlvs
		if whole := proxy.AppendChecked(nil, h); len(whole) > proxy.MaxSize {
			t.Fatalf("passed on it is %d bytes", len(whole))
		} else if _, n, err := proxy.Parse(whole); n != len(whole) || err != nil {
			t.Fatalf("passed on it reads as %d bytes of %d, %v", n, len(whole), err)
		}
	})
}
