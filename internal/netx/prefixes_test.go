package netx_test

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"portico/internal/netx"
)

func prefixes(t *testing.T, list ...string) netx.Prefixes {
	t.Helper()
	var networks []netip.Prefix
	for _, s := range list {
		networks = append(networks, netip.MustParsePrefix(s))
	}
	return netx.NewPrefixes(networks)
}

// A set has the addresses of its networks, from the first to the last, and no other.
func TestPrefixes(t *testing.T) {
	set := prefixes(t, "10.1.2.3/8", "192.0.2.0/25", "192.0.2.128/25", "203.0.113.7/32", "255.255.255.0/24", "2001:db8::/32", "::1/128")
	tests := []struct {
		name, addr string
		want       bool
	}{
		{"first", "10.0.0.0", true},
		{"last", "10.255.255.255", true},
		{"before", "9.255.255.255", false},
		{"after", "11.0.0.0", false},
		{"two that touch", "192.0.2.128", true},
		{"after two that touch", "192.0.3.0", false},
		{"a single one", "203.0.113.7", true},
		{"beside a single one", "203.0.113.8", false},
		{"the last of all", "255.255.255.255", true},
		{"v6", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", true},
		{"v6 after", "2001:db9::", false},
		{"v6 single", "::1", true},
		{"v4 in the clothes of v6", "::ffff:10.0.0.1", false},
		{"with a zone", "2001:db8::1%eth0", false},
	}
	for _, tt := range tests {
		if got := set.Contains(netip.MustParseAddr(tt.addr)); got != tt.want {
			t.Errorf("%s: Contains(%s) = %v, want %v", tt.name, tt.addr, got, tt.want)
		}
	}
	if set.Empty() || set.Contains(netip.Addr{}) {
		t.Error("the set is empty, or has the zero address")
	}
	if none := prefixes(t); !none.Empty() || none.Contains(netip.MustParseAddr("10.0.0.1")) {
		t.Error("a set of nothing has something")
	}
	if all := prefixes(t, "0.0.0.0/0", "::/0", "10.0.0.0/8"); !all.Contains(netip.MustParseAddr("0.0.0.0")) || !all.Contains(netip.MustParseAddr("ffff::")) {
		t.Error("a set of everything lacks something")
	}
}

// Whatever the networks, the set agrees with asking each of them.
func TestPrefixesAgreeWithScan(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var networks []netip.Prefix
		for range r.IntN(40) {
			networks = append(networks, drawPrefix(r))
		}
		set := netx.NewPrefixes(networks)
		for range 200 {
			a := drawPrefix(r).Addr()
			want := false
			for _, n := range networks {
				want = want || n.Contains(a)
			}
			if got := set.Contains(a); got != want {
				t.Fatalf("Contains(%s) = %v, want %v of %v", a, got, want, networks)
			}
		}
	}
}

// drawPrefix draws from a small space, so that networks nest, touch and are hit.
func drawPrefix(r *rand.Rand) netip.Prefix {
	if r.IntN(2) == 0 {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(r.IntN(2)), byte(r.Uint32())}), 20+r.IntN(13))
	}
	return netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 1, 15: byte(r.Uint32())}), 118+r.IntN(11))
}

// Ten thousand networks cost about what ten do.
func BenchmarkPrefixes(b *testing.B) {
	for _, n := range []int{10, 10_000} {
		r := rand.New(rand.NewPCG(1, 2))
		var networks []netip.Prefix
		for range n {
			v := r.Uint32()
			networks = append(networks, netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(v), byte(v >> 8), byte(v >> 16), 0}), 24))
		}
		set := netx.NewPrefixes(networks)
		addrs := make([]netip.Addr, 1024)
		for i := range addrs {
			v := r.Uint32()
			addrs[i] = netip.AddrFrom4([4]byte{byte(v), byte(v >> 8), byte(v >> 16), byte(v >> 24)})
		}
		b.Run(map[int]string{10: "10", 10_000: "10000"}[n], func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				set.Contains(addrs[i%len(addrs)])
			}
		})
	}
}
