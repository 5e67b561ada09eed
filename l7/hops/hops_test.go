package hops_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"portico/l7/hops"
)

var trusted = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}

// The walk goes from the right to the first address that is no trusted proxy.
func TestClient(t *testing.T) {
	tests := []struct{ name, chain, want string }{
		{"one", "198.51.100.7", "198.51.100.7:0"},
		{"nearest stranger", "6.6.6.6, 198.51.100.7", "198.51.100.7:0"},
		{"through proxies", "6.6.6.6,198.51.100.7 ,\t10.1.1.1, 10.2.2.2", "198.51.100.7:0"},
		{"all trusted", "10.3.3.3, 10.1.1.1", "10.3.3.3:0"},
		{"with a port", "198.51.100.7:4711", "198.51.100.7:4711"},
		{"IPv6", "2001:db8::1, 2001:db9::7", "[2001:db9::7]:0"},
		{"IPv6 in brackets", "[2001:db9::7]", "[2001:db9::7]:0"},
		{"IPv6 with a port", "[2001:db9::7]:99", "[2001:db9::7]:99"},
		{"IPv4 in IPv6", "::ffff:198.51.100.7", "198.51.100.7:0"},
		{"no address", "unknown", "10.0.0.1:1"},
		{"no address after a proxy", "_hidden, 10.1.1.1", "10.1.1.1:0"},
		{"empty entry", "198.51.100.7,, 10.1.1.1", "10.1.1.1:0"},
		{"a zone", "fe80::1%eth0", "10.0.0.1:1"},
		{"empty", "", "10.0.0.1:1"},
		{"too many hops", "6.6.6.6" + strings.Repeat(", 10.1.1.1", 40), "10.1.1.1:0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := hops.Client([]byte(tt.chain), netip.MustParseAddrPort("10.0.0.1:1"), trusted); got.String() != tt.want {
				t.Errorf("Client(%q) = %s, want %s", tt.chain, got, tt.want)
			}
		})
	}
}

// Whatever the list holds, the client is the peer or an address that stands in
// it, and never one with anything untrusted to its right.
func FuzzClient(f *testing.F) {
	for _, seed := range []string{"", "1.1.1.1, 10.0.0.1", ",,,", "[::1]:80, 10.1.1.1", "[]", "1.1.1.1:x", "\xff, 10.0.0.2", strings.Repeat("10.1.1.1,", 100)} {
		f.Add(seed)
	}
	peer := netip.MustParseAddrPort("10.0.0.1:1")
	f.Fuzz(func(t *testing.T, chain string) {
		got := hops.Client([]byte(chain), peer, trusted)
		if !got.Addr().IsValid() || got.Addr().Zone() != "" {
			t.Fatalf("Client(%q) = %v", chain, got)
		}
		if got == peer {
			return
		}
		entries := strings.Split(chain, ",")
		for _, entry := range slices.Backward(entries) {
			at, ok := hops.Hop([]byte(strings.Trim(entry, " \t")))
			if ok && at == got {
				return
			}
			if !ok || !hops.Trusts(trusted, at.Addr()) {
				break
			}
		}
		t.Errorf("Client(%q) = %v, which is beyond a stranger", chain, got)
	})
}
