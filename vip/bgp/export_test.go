package bgp

import (
	"bufio"
	"bytes"
	"net/netip"
	"time"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

// ReadAll reads messages until there are none, as a session would, and says why it
// stopped.
func ReadAll(b []byte) (opens int, err error) {
	in := bufio.NewReader(bytes.NewReader(b))
	c := peerConfig{as: 65001, remoteAS: 65000, id: netip.AddrFrom4([4]byte{10, 0, 0, 1}), hold: 9 * time.Second}
	for {
		m, err := readMessage(in)
		if err != nil {
			return opens, err
		}
		switch body := m.Body.(type) {
		case *bgp.BGPOpen:
			if _, err := agree(c, body); err != nil {
				return opens, err
			}
			opens++
		case *bgp.BGPNotification:
			_ = notificationWords(c, body)
		}
	}
}

// NextHops are the addresses that a session from local tells routers of, as text.
func NextHops(local string, extended bool, vip string, addresses ...string) (four, six string) {
	var list []netip.Prefix
	for _, a := range addresses {
		list = append(list, netip.MustParsePrefix(a))
	}
	routes := []Route{{Prefix: netip.MustParsePrefix(vip)}}
	hops := hopsOn(netip.MustParseAddr(local), list, routes, opened{extended: extended})
	text := func(f bgp.Family) string {
		h, ok := hops[f]
		switch {
		case !ok:
			return ""
		case h.link.IsValid():
			return h.global.String() + " " + h.link.String()
		}
		return h.global.String()
	}
	return text(bgp.RF_IPv4_UC), text(bgp.RF_IPv6_UC)
}
