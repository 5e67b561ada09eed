package cli

import (
	"strings"
	"testing"

	"portico/spec/status"
)

// TestUplinkTable proves that status shows which interfaces packets are taken from,
// and why not from others.
func TestUplinkTable(t *testing.T) {
	table := uplinkTable([]status.Node{{Name: "relay"}, {Name: "edge", Uplinks: []status.Uplink{
		{Interface: "eth0", Attached: true},
		{Interface: "eth1", Attached: true, Generic: true},
		{Interface: "eth1", Attached: true, Generic: true, Reason: "no interface has the node's address 10.0.0.9"},
		{Interface: "eth2", Reason: "no interface of this name is there"},
	}}})
	var lines []string
	for _, r := range table.rows {
		lines = append(lines, strings.Join(r, " "))
	}
	want := "eth0 edge taken|eth1 edge taken, without the driver: slower|" +
		"eth1 edge taken, without the driver: slower, but no interface has the node's address 10.0.0.9|eth2 edge not taken: no interface of this name is there"
	if got := strings.Join(lines, "|"); got != want {
		t.Errorf("rows %q, want %q", got, want)
	}
}
