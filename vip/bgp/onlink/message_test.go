package onlink

import (
	"bytes"
	"net"
	"net/netip"
	"testing"
)

var (
	mac    = net.HardwareAddr{2, 0, 0, 0, 0, 7}
	router = netip.MustParseAddr("fe80::1")
)

// TestMessages proves what the link is told, byte by byte: that we are nobody's
// router, and that we ask for one.
func TestMessages(t *testing.T) {
	withMAC := []byte{1, 1, 2, 0, 0, 0, 0, 7}
	for _, tt := range []struct {
		name      string
		got, want []byte
	}{
		{"advertisement", advertisement(mac), append([]byte{134, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, withMAC...)},
		{"solicitation", solicitation(mac), append([]byte{133, 0, 0, 0, 0, 0, 0, 0}, withMAC...)},
		{"of a link without MACs", solicitation(nil), []byte{133, 0, 0, 0, 0, 0, 0, 0}},
	} {
		if !bytes.Equal(tt.got, tt.want) {
			t.Errorf("%s = %x, want %x", tt.name, tt.got, tt.want)
		}
	}
}

// TestIsRouter proves which messages are a router's (RFC 4861, section 6.1.2).
func TestIsRouter(t *testing.T) {
	good := advertisement(mac)
	with := func(at int, b byte) []byte {
		m := bytes.Clone(good)
		m[at] = b
		return m
	}
	for _, tt := range []struct {
		name string
		m    []byte
		hops int
		from netip.Addr
		want bool
	}{
		{"good", good, 255, router, true},
		{"without options", good[:16], 255, router, true},
		{"two options", append(bytes.Clone(good), 5, 1, 0, 0, 0, 0, 5, 220), 255, router, true},
		{"through a router", good, 254, router, false},
		{"hops not known", good, 0, router, false},
		{"from anywhere", good, 255, netip.MustParseAddr("2001:db8::1"), false},
		{"from nobody", good, 255, netip.Addr{}, false},
		{"from IPv4", good, 255, netip.MustParseAddr("169.254.0.1"), false},
		{"another type", solicitation(mac), 255, router, false},
		{"another code", with(1, 1), 255, router, false},
		{"nothing", nil, 255, router, false},
		{"short", good[:15], 255, router, false},
		{"half an option", good[:17], 255, router, false},
		{"an option that is longer", with(17, 2), 255, router, false},
		{"an option of nothing", with(17, 0), 255, router, false},
	} {
		if got := isRouter(tt.m, tt.hops, tt.from); got != tt.want {
			t.Errorf("%s: isRouter = %v, want %v", tt.name, got, tt.want)
		}
	}
}

// FuzzIsRouter proves that no message is read past its end, and that none is taken
// for a router's which is shorter than one or not of its type.
func FuzzIsRouter(f *testing.F) {
	f.Add(advertisement(mac))
	f.Add(solicitation(mac))
	f.Add(append(advertisement(mac), 24, 3))
	f.Fuzz(func(t *testing.T, m []byte) {
		if isRouter(m, hopLimit, router) && (len(m) < advertisementMin || m[0] != typeAdvertisement || len(m)%optionUnit != 0) {
			t.Errorf("%x is taken for the advertisement of a router", m)
		}
	})
}
