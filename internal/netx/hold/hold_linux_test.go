package hold_test

import (
	"net/netip"
	"strings"
	"testing"

	"portico/internal/netx/hold"
	"portico/internal/testkit/netns"
)

// TestHold proves that addresses of both families come and go as they are asked
// for, that each ends by itself when nobody renews it, that a second holder takes up
// what the first left, and that an address of somebody else is left alone.
func TestHold(t *testing.T) {
	s := netns.New(t).Add("host")
	v4, v6, byHand := netip.MustParseAddr("198.51.100.7"), netip.MustParseAddr("2001:db8::7"), netip.MustParseAddr("198.51.100.8")
	s.Address("lo", "198.51.100.8/32")
	held := func(h *hold.Holder, set ...netip.Addr) string {
		s.Run(func() {
			if err := h.Hold(set); err != nil {
				t.Errorf("Hold(%v): %v", set, err)
			}
		})
		return s.IP("-o addr show dev lo")
	}
	killed := hold.New("lo", nil)
	held(killed, v4, v6)
	h := hold.New("lo", nil)
	text := held(h, v4, v6, byHand)
	for line := range strings.SplitSeq(text, "\n") {
		ours := strings.Contains(line, "198.51.100.7/32") || strings.Contains(line, "2001:db8::7/128")
		if forever := strings.Contains(line, "valid_lft forever"); line != "" && forever == ours {
			t.Errorf("lives for ever or not, but as it should not: %s", line)
		}
	}
	if !strings.Contains(text, "lo:portico") || !strings.Contains(text, "2001:db8::7/128") {
		t.Errorf("addresses are not there, or cannot be told apart:\n%s", text)
	}
	if text = held(h, v6, byHand); strings.Contains(text, "198.51.100.7") || !strings.Contains(text, "2001:db8::7") {
		t.Errorf("after one was given up:\n%s", text)
	}
	if text = held(h); strings.Contains(text, "2001:db8::7") || !strings.Contains(text, "198.51.100.8") {
		t.Errorf("after all were given up:\n%s", text)
	}
}

// TestHoldFails proves that an address that cannot be held is named with the reason,
// and does not keep the others from being held.
func TestHoldFails(t *testing.T) {
	s := netns.New(t).Add("host")
	h := hold.New("eth7", nil)
	a := netip.MustParseAddr("198.51.100.7")
	var err error
	s.Run(func() { err = h.Hold([]netip.Addr{a}) })
	if err == nil || !strings.Contains(err.Error(), "hold 198.51.100.7 on eth7: ") || h.Failed(a) == nil {
		t.Errorf("Hold on an interface that is not there = %v, Failed = %v", err, h.Failed(a))
	}
}
