package bgp_test

import (
	"errors"
	"io"
	"testing"

	packet "github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"portico/vip/bgp"
)

// FuzzReadMessage proves that nothing a router sends does harm: its messages are
// read, refused with words, or passed over.
func FuzzReadMessage(f *testing.F) {
	for _, m := range []*packet.BGPMessage{
		openOf(65000, 9, packet.RF_IPv4_UC, packet.RF_IPv6_UC),
		packet.NewBGPKeepAliveMessage(),
		packet.NewBGPNotificationMessage(6, 2, append([]byte{5}, "later"...)),
		packet.NewBGPRouteRefreshMessage(packet.AFI_IP, 0, packet.SAFI_UNICAST),
		packet.NewEndOfRib(packet.RF_IPv6_UC),
	} {
		b, err := m.Serialize()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := bgp.ReadAll(b); err == nil || err.Error() == "" {
			t.Errorf("ReadAll(%x) = %v, want a reason", b, err)
		}
	})
}

// TestReadMessage proves that an UPDATE is passed over unread, and that what is not
// BGP ends the session.
func TestReadMessage(t *testing.T) {
	pack := func(m *packet.BGPMessage) []byte {
		b, err := m.Serialize()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	open := pack(openOf(65000, 9, packet.RF_IPv4_UC))
	update := pack(packet.NewBGPUpdateMessage(nil, nil, nil))
	update[16], update[17] = 0, 23+4 // four octets that are no prefix
	update = append(update, 0xff, 0xff, 0xff, 0xff)
	long := append([]byte(nil), open...)
	long[16], long[17] = 0xff, 0xff
	cases := map[string]struct {
		bytes []byte
		opens int
		want  string // empty for the end of the bytes
	}{
		"nonsense in an update": {append(update, open...), 1, ""},
		"http":                  {[]byte("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n"), 0, "what the router sends is not BGP"},
		"too long":              {long, 0, "the router sent a message of 65535 bytes"},
		"short":                 {open[:25], 0, ""},
	}
	for name, c := range cases {
		opens, err := bgp.ReadAll(c.bytes)
		end := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if opens != c.opens || end != (c.want == "") || (!end && err.Error() != c.want) {
			t.Errorf("%s: %d opens, %v, want %d and %q", name, opens, err, c.opens, c.want)
		}
	}
}

// TestNextHops proves which address of a link a router is told to send packets to.
func TestNextHops(t *testing.T) {
	cases := []struct {
		name, local string
		extended    bool
		addresses   []string
		four, six   string
	}{
		{"both families", "10.0.0.2", false, []string{"10.0.0.2/24", "2001:db8::2/64", "fe80::2/64"}, "10.0.0.2", "2001:db8::2"},
		{"a second address", "10.0.0.3", false, []string{"10.0.0.2/24", "10.0.0.3/24"}, "10.0.0.3", ""},
		{"a VIP beside", "2001:db8::2", false, []string{"198.18.0.1/32", "10.0.0.9/32", "10.0.0.2/24"}, "10.0.0.2", "2001:db8::2"},
		{"host addresses alone", "2001:db8::2", false, []string{"198.18.0.1/32", "10.0.0.9/32"}, "10.0.0.9", "2001:db8::2"},
		{"link-local beside", "10.0.0.2", false, []string{"10.0.0.2/24", "fe80::2/64"}, "10.0.0.2", "fe80::2"},
		{"from link-local", "fe80::2%eth0", false, []string{"fe80::2/64", "2001:db8::2/64"}, "", "2001:db8::2 fe80::2"},
		{"IPv4 by way of IPv6", "fe80::2%eth0", true, []string{"fe80::2/64"}, "fe80::2", "fe80::2"},
		{"IPv4 by way of global IPv6", "2001:db8::2", true, []string{"2001:db8::2/64"}, "2001:db8::2", "2001:db8::2"},
	}
	for _, c := range cases {
		four, six := bgp.NextHops(c.local, c.extended, "198.18.0.1/32", c.addresses...)
		if four != c.four || six != c.six {
			t.Errorf("%s: next hops = %q and %q, want %q and %q", c.name, four, six, c.four, c.six)
		}
	}
}
