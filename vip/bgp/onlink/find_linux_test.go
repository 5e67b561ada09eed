package onlink_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"portico/internal/testkit/netns"
	"portico/vip/bgp/onlink"
)

// bound is against hanging: two ends find each other in milliseconds.
const bound = 20 * time.Second

// TestFind proves that the two ends of a link find each other, over the link they
// look on and no other, and what is said where there is nobody, or no such link.
func TestFind(t *testing.T) {
	n := netns.New(t)
	a, b := n.Add("a"), n.Add("b")
	for _, s := range []*netns.Space{a, b} {
		s.Sysctl("net/ipv6/conf/default/addr_gen_mode", "1") // no addresses but those below
	}
	n.Veth(a, "right", []string{"fe80::a/64", "2001:db8::a/64"}, b, "left", []string{"fe80::b/64"})
	n.Veth(a, "quiet", []string{"fe80::c/64"}, b, "deaf", []string{"fe80::d/64"})
	n.Veth(a, "bare", nil, b, "bare2", nil)
	a.IP("link add name off type veth peer name off2")

	type found struct {
		at  netip.Addr
		err error
	}
	find := func(ctx context.Context, s *netns.Space, name string, wait time.Duration) found {
		var f found
		s.Run(func() { f.at, f.err = onlink.Find(ctx, name, wait) })
		return f
	}
	// Nodes answer nobody, as they are no routers: each says itself again and again
	// until both have heard.
	var ends [2]found
	var looking sync.WaitGroup
	var met atomic.Int32
	for i, s := range []*netns.Space{a, b} {
		looking.Go(func() {
			name := []string{"right", "left"}[i]
			for end := time.Now().Add(bound); met.Load() < 2 && time.Now().Before(end); {
				f := find(t.Context(), s, name, time.Second)
				if ends[i].at.IsValid() {
					continue
				}
				if ends[i] = f; f.err == nil {
					met.Add(1)
				}
			}
		})
	}
	looking.Wait()
	for i, want := range []string{"fe80::b%right", "fe80::a%left"} {
		if got := ends[i]; got.err != nil || got.at != netip.MustParseAddr(want) {
			t.Errorf("Find = %v, %v, want %s", got.at, got.err, want)
		}
	}
	for name, want := range map[string]string{
		"quiet": `no router advertises itself on interface "quiet"`,
		"bare":  `interface "bare" has no link-local address; is IPv6 on there?`,
		"off":   `interface "off" is down`,
		"none":  `interface "none": `,
	} {
		if got := find(t.Context(), a, name, 100*time.Millisecond); got.err == nil || !strings.HasPrefix(got.err.Error(), want) {
			t.Errorf("%s: Find = %v, %v, want %s", name, got.at, got.err, want)
		}
	}
	why := errors.New("no more")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(50*time.Millisecond, func() { cancel(why) })
	if got := find(ctx, a, "quiet", bound); !errors.Is(got.err, why) {
		t.Errorf("canceled: Find = %v, %v, want %v", got.at, got.err, why)
	}
}
