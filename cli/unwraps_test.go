package cli

import (
	"net/netip"
	"slices"
	"testing"

	"portico/spec/status"
)

// TestUnwraps proves that status shows which packets a node unwraps and what became
// of them, and has no row for nodes that unwrap none.
func TestUnwraps(t *testing.T) {
	table := unwrapTable([]status.Node{{Name: "edge"}, {Name: "proxy", Unwrap: &status.Unwrap{
		Interface: "eth0", From: []netip.Addr{netip.MustParseAddr("10.0.0.1")},
		Results: map[string]uint64{"syn": 3, "flow": 4, "chained": 2, "answered": 5, "not-vip": 6, "hops": 1, "stranger": 9, "udp": 0},
	}}})
	if len(table.rows) == 0 {
		t.Fatal("no row")
	}
	want := []string{"proxy", "eth0", "10.0.0.1", "7", "2", "5", "7", "9"}
	if !slices.Equal(table.rows[0], want) {
		t.Errorf("row %q, want %q", table.rows[0], want)
	}
	const note = "answered 5, chained 2, flow 4, hops 1, not-vip 6, stranger 9, syn 3"
	if got := resultsNote(map[string]uint64{"syn": 3, "flow": 4, "chained": 2, "answered": 5, "not-vip": 6, "hops": 1, "stranger": 9, "udp": 0}); got != note {
		t.Errorf("note %q, want %q", got, note)
	}
}
