package pool_test

import (
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"portico/spec"
	"portico/vip/pool"
)

// stocked is a spec of one site with a pool and VIPs that ask it for addresses.
func stocked(share bool, prefixes []string, vips ...spec.VIPName) *spec.Spec {
	s := &spec.Spec{
		Sites: []spec.Site{{Name: "east", Nodes: []spec.Node{{Name: "n", Address: netip.MustParseAddr("198.51.100.1")}}}},
		Pools: []spec.Pool{{Name: "office", Share: share, Addresses: map[spec.SiteName][]netip.Prefix{}}},
	}
	for _, p := range prefixes {
		s.Pools[0].Addresses["east"] = append(s.Pools[0].Addresses["east"], netip.MustParsePrefix(p))
	}
	for _, v := range vips {
		s.VIPs = append(s.VIPs, spec.VIP{Name: v, Pool: "office"})
	}
	return s
}

// given says what each VIP has, in the order of the spec.
func given(s *spec.Spec) string {
	var words []string
	for _, v := range s.VIPs {
		words = append(words, fmt.Sprint(v.Name, v.Addresses["east"]))
	}
	return strings.Join(words, " ")
}

func assign(t *testing.T, s *spec.Spec, held pool.Held) (string, pool.Held) {
	t.Helper()
	filled, now, problems := pool.Assign(s, held)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return given(filled), now
}

// TestAssign proves what VIPs are given: one address of each family that the pool
// has, none that the spec gives to somebody, nothing where they have their own.
func TestAssign(t *testing.T) {
	s := stocked(false, []string{"198.51.100.0/30", "2001:db8::/64"}, "a", "b", "own", "none")
	s.VIPs[2].Addresses = map[spec.SiteName][]netip.Addr{"east": {netip.MustParseAddr("198.51.100.2")}}
	s.VIPs[3].Pool = ""
	s.VIPs[3].Addresses = map[spec.SiteName][]netip.Addr{"east": {netip.MustParseAddr("203.0.113.1")}}
	filled, held, problems := pool.Assign(s, nil)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	// .1 is the node's and .2 the VIP own's; .0 and .3 are left.
	for i, v := range filled.VIPs[:2] {
		list := v.Addresses["east"]
		if len(list) != 2 || !list[0].Is4() || list[0].As4()[3]%3 != 0 || !list[1].Is6() {
			t.Errorf("VIP %d has %v, want 198.51.100.0 or .3, and one of IPv6", i, list)
		}
	}
	if got := given(filled); !strings.HasSuffix(got, "own[198.51.100.2] none[203.0.113.1]") {
		t.Errorf("given %s", got)
	}
	if len(held) != 2 || s.VIPs[0].Addresses != nil {
		t.Errorf("held %v, and the spec that was handed over has %v", held, s.VIPs[0].Addresses)
	}
}

// TestShare proves that VIPs have one address where the pool lets them and their
// ports differ, and else one each.
func TestShare(t *testing.T) {
	with := func(share bool, ports ...uint16) *spec.Spec {
		s := stocked(share, []string{"203.0.113.0/29"}, "a", "b")
		for i, port := range ports {
			s.Listeners = append(s.Listeners, spec.Listener{VIP: s.VIPs[i].Name, Port: port, Protocol: spec.ProtocolTCP})
		}
		return s
	}
	announced := with(true, 80, 443)
	announced.VIPs[0].Announce = spec.AnnounceBGP
	for _, tt := range []struct {
		name string
		s    *spec.Spec
		same bool
	}{
		{"other ports", with(true, 80, 443), true},
		{"one port", with(true, 80, 80), false},
		{"not allowed", with(false, 80, 443), false},
		{"announced in two ways", announced, false},
	} {
		filled, _, _ := pool.Assign(tt.s, nil)
		if same := filled.VIPs[0].Addresses["east"][0] == filled.VIPs[1].Addresses["east"][0]; same != tt.same {
			t.Errorf("%s: given %s", tt.name, given(filled))
		}
	}
}

// TestExhausted proves that a pool that is too small is a problem at the VIP that
// gets nothing, and that the others keep what they have.
func TestExhausted(t *testing.T) {
	s := stocked(false, []string{"203.0.113.8/31"}, "a", "b", "c")
	_, held, problems := pool.Assign(s, nil)
	want := `vips[2].pool: pool "office" has no IPv4 address left at site "east" for VIP "c": all 2 are taken; add a prefix to the pool, or let VIPs with other ports share its addresses (share: true)`
	if len(problems) != 1 || problems[0].String() != want {
		t.Errorf("problems %v, want %s", problems, want)
	}
	if len(held) != 2 {
		t.Errorf("held %v, want those of a and b", held)
	}
}

// TestKept proves that what a VIP has stays through whatever else changes, while the
// pool has it and nobody is given it by name.
func TestKept(t *testing.T) {
	all := []string{"203.0.113.0/29", "2001:db8::/64"}
	first, held := assign(t, stocked(false, all, "a", "b", "c"), nil)
	if again, _ := assign(t, stocked(false, all, "a", "b", "c"), nil); again != first {
		t.Errorf("given %s, then %s without a memory", first, again)
	}
	if more, _ := assign(t, stocked(false, append(all, "198.51.100.128/25"), "new", "a", "b", "c"), held); !strings.HasSuffix(more, first) {
		t.Errorf("given %s, then with more VIPs and a larger pool %s", first, more)
	}
	_, less := assign(t, stocked(false, all, "c"), held)
	if !reflect.DeepEqual(less["c"], held["c"]) || len(less) != 1 {
		t.Errorf("c had %v, then %v", held["c"], less)
	}
	s := stocked(false, all, "a", "b", "c")
	s.VIPs = append(s.VIPs, spec.VIP{Name: "named", Addresses: map[spec.SiteName][]netip.Addr{"east": {held["a"]["east"][0]}}})
	if filled, _, _ := pool.Assign(s, held); filled.VIPs[0].Addresses["east"][0] == held["a"]["east"][0] {
		t.Error("a keeps an address that the spec gives to another")
	}
}

// TestAssignProperties proves for every spec and past: no address is given twice
// without leave, each is of the pool, and giving again changes nothing.
func TestAssignProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfNDistinct(rapid.StringMatching("[a-f]"), 0, 6, rapid.ID).Draw(t, "names")
		var vips []spec.VIPName
		for _, n := range names {
			vips = append(vips, spec.VIPName(n))
		}
		bits := rapid.IntRange(28, 32).Draw(t, "bits")
		s := stocked(false, []string{fmt.Sprintf("203.0.113.0/%d", bits)}, vips...)
		past := pool.Held{}
		for i := range rapid.IntRange(0, 4).Draw(t, "past") {
			past[spec.VIPName("abcdef"[i])] = map[spec.SiteName][]netip.Addr{"east": {netip.AddrFrom4([4]byte{203, 0, 113, rapid.Byte().Draw(t, "last")})}}
		}
		filled, held, problems := pool.Assign(s, past)
		seen := map[netip.Addr]bool{}
		for _, v := range filled.VIPs {
			for _, a := range v.Addresses["east"] {
				if seen[a] || !s.Pools[0].Addresses["east"][0].Contains(a) {
					t.Fatalf("%v is given twice, or is not of the pool", a)
				}
				seen[a] = true
			}
		}
		if len(seen)+len(problems) != len(vips) {
			t.Fatalf("%d given and %d problems for %d VIPs", len(seen), len(problems), len(vips))
		}
		if again, _, _ := pool.Assign(s, held); given(again) != given(filled) {
			t.Fatalf("given %s, then %s", given(filled), given(again))
		}
	})
}
