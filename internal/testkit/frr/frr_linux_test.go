package frr_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"portico/internal/testkit"
	"portico/internal/testkit/frr"
	"portico/internal/testkit/netns"
)

// TestTwoRouters proves that two routers start, speak BGP with each other, and put
// a route into the kernel of their namespace.
func TestTwoRouters(t *testing.T) {
	n := netns.New(t)
	a, b := n.Add("a"), n.Add("b")
	n.Veth(a, "ab", []string{"10.9.0.1/24"}, b, "ba", []string{"10.9.0.2/24"})
	config := func(as, other int, address string) frr.Config {
		return frr.Config{BGP: fmt.Sprintf("router bgp %d\n no bgp ebgp-requires-policy\n no bgp network import-check\n timers bgp 3 9\n"+
			" neighbor %s remote-as %d\n neighbor %s timers connect 1\n", as, address, other, address)}
	}
	ra := frr.Start(t, a, config(65000, 65001, "10.9.0.2"))
	rb := frr.Start(t, b, config(65001, 65000, "10.9.0.1"))
	rb.Configure("router bgp 65001", "network 198.18.7.1/32")
	testkit.Poll(t, time.Minute, func() error {
		if hops := ra.NextHops("198.18.7.1"); strings.Join(hops, " ") != "10.9.0.2" {
			return fmt.Errorf("next hops = %v, want 10.9.0.2", hops)
		}
		return nil
	})
	rb.Kill()
}
