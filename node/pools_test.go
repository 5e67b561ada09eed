package node_test

import (
	"net/netip"
	"testing"

	"portico/node"
	"portico/spec"
)

// TestPools proves that a node serves the VIPs that get their addresses of a pool,
// that they stay when others come before them, and over the process.
func TestPools(t *testing.T) {
	state := t.TempDir()
	with := func(vips ...spec.VIPName) *spec.Spec {
		s := &spec.Spec{
			Portico: spec.Version,
			Sites:   []spec.Site{{Name: "east", Nodes: []spec.Node{{Name: "names", Address: netip.MustParseAddr("127.0.0.1"), Roles: []spec.Role{spec.RoleDNS}, DNS: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}}}}},
			Pools:   []spec.Pool{{Name: "p", Addresses: map[spec.SiteName][]netip.Prefix{"east": {netip.MustParsePrefix("198.51.100.8/30")}}}},
		}
		for _, v := range vips {
			s.VIPs = append(s.VIPs, spec.VIP{Name: v, Pool: "p"})
		}
		return s
	}
	have := func(n *node.Node) map[spec.VIPName]netip.Addr {
		all := map[spec.VIPName]netip.Addr{}
		for _, v := range n.Spec().VIPs {
			all[v.Name] = v.Addresses["east"][0]
		}
		return all
	}
	n := node.New(node.Options{Name: "names", State: state})
	if err := n.Apply(with("a", "b")); err != nil {
		t.Fatal(err)
	}
	first := have(n)
	if err := n.Apply(with("d", "c", "b", "a")); err != nil {
		t.Fatal(err)
	}
	second := have(n)
	if second["a"] != first["a"] || second["b"] != first["b"] {
		t.Errorf("had %v, then %v", first, second)
	}
	if problems := n.Check(with("a", "b", "c", "d", "e")); !problems.Fatal() {
		t.Error("a pool of four gives to five")
	}
	next := node.New(node.Options{Name: "names", State: state})
	if err := next.Apply(with("c", "a", "d", "b")); err != nil {
		t.Fatal(err)
	}
	if third := have(next); third["c"] != second["c"] || third["d"] != second["d"] {
		t.Errorf("had %v, then as a new process %v", second, third)
	}
}
