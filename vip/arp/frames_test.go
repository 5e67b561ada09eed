package arp

import (
	"encoding/hex"
	"net"
	"net/netip"
	"slices"
	"testing"

	"portico/spec"
)

// TestFrames proves the frames byte by byte: an announcement of ARP in both forms,
// and a neighbor advertisement with the override flag and a checksum that is right.
func TestFrames(t *testing.T) {
	mac := net.HardwareAddr{2, 0, 0, 0, 0, 0x2a}
	tests := []struct {
		addr string
		want []string
	}{
		{"198.51.100.1", []string{
			"ffffffffffff02000000002a0806" + "0001080006040001" + "02000000002ac6336401" + "000000000000c6336401",
			"ffffffffffff02000000002a0806" + "0001080006040002" + "02000000002ac6336401" + "ffffffffffffc6336401",
		}},
		{"2001:db8::1", []string{
			"33330000000102000000002a86dd" + "6000000000203aff" + "20010db8000000000000000000000001" + "ff020000000000000000000000000001" +
				"8800f90120000000" + "20010db8000000000000000000000001" + "020102000000002a",
		}},
	}
	for _, tt := range tests {
		var got []string
		for _, f := range frames(netip.MustParseAddr(tt.addr), mac) {
			got = append(got, hex.EncodeToString(f))
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("frames(%s) =\n%q, want\n%q", tt.addr, got, tt.want)
		}
	}
}

// TestChecksum proves that the checksum of a whole advertisement adds up to zero, as
// its receivers see it.
func TestChecksum(t *testing.T) {
	a := netip.MustParseAddr("2001:db8::77")
	f := advertisement(a, net.HardwareAddr{2, 0, 0, 0, 0, 1})
	if sum := checksum(a, netip.MustParseAddr("ff02::1"), 58, f[14+40:]); sum != 0 {
		t.Errorf("the checksum is off by %#x", sum)
	}
}

// TestRank proves that nodes agree who is first for an address, and that addresses
// are spread over them.
func TestRank(t *testing.T) {
	nodes := []spec.NodeName{"a", "b", "c"}
	first := map[spec.NodeName]int{}
	a := netip.MustParseAddr("198.51.100.0")
	for range 300 {
		a = a.Next()
		seen := map[int]bool{}
		for _, n := range nodes {
			r := rank(a, n, nodes)
			seen[r] = true
			if r == 0 {
				first[n]++
			}
		}
		if len(seen) != 3 {
			t.Fatalf("%v: the nodes do not agree on an order", a)
		}
	}
	for _, n := range nodes {
		if first[n] < 60 {
			t.Errorf("node %s is first for %d of 300 addresses", n, first[n])
		}
	}
}
