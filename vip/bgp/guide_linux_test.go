package bgp_test

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"portico/internal/testkit"
	"portico/internal/testkit/frr"
	"portico/internal/testkit/netns"
	"portico/internal/tidy"
	"portico/spec"
)

// TestGuide proves that the router of the guide takes what the spec beside it says:
// two nodes on one link, passwords, BFD, both families, and only VIPs.
func TestGuide(t *testing.T) {
	long(t)
	fences, err := tidy.Fences(os.DirFS("../.."), "docs/guide", "frr")
	if err != nil || len(fences) != 1 {
		t.Fatalf("%d configurations of FRR in the guide, %v, want 1", len(fences), err)
	}
	n := netns.New(t)
	r := n.Add("r")
	r.IP("link add br0 type bridge")
	spaces := []*netns.Space{n.Add("east-1"), n.Add("east-2")}
	for i, s := range spaces {
		port := fmt.Sprint("port", i)
		n.Veth(r, port, nil, s, "eth0", []string{fmt.Sprintf("10.1.0.1%d/24", i+1), fmt.Sprintf("2001:db8:1::1%d/64", i+1)})
		r.IP("link set dev " + port + " master br0")
	}
	r.IP("addr add 10.1.0.254/24 dev br0")
	r.IP("addr add 2001:db8:1::fe/64 dev br0 nodad")
	r.IP("link set dev br0 up")
	router := frr.Start(t, r, frr.Config{BGP: fences[0].Text, BFD: "bfd\n"})

	var nodes []*node
	for i, s := range spaces {
		p := spec.BGPPeer{Address: netip.MustParseAddr("10.1.0.254"), Port: 179, AS: 65000, HoldTime: spec.Duration(9 * time.Second)}
		watched(&p, 10) // the machine of a test may be busy
		o := orderOf(fmt.Sprintf("10.1.0.1%d", i+1), p)
		o.Password = "swordfish"
		o.Spec.Sites[0].BGP.GracefulRestart = spec.Duration(10 * time.Second)
		nodes = append(nodes, run(t, s, o))
	}
	carries := spec.VIPRoutes{Communities: []string{"65001:100", "no-export"}, MED: new(uint32(50))}
	for _, n := range nodes {
		n.announce(route("198.51.100.10/32", carries), route("2001:db8:100::10/128", carries), route("203.0.113.1/32", carries))
	}
	testkit.Poll(t, bound, func() error {
		four, six := router.NextHops("198.51.100.10"), router.NextHops("2001:db8:100::10")
		slices.Sort(four)
		slices.Sort(six)
		if !slices.Equal(four, []string{"10.1.0.11", "10.1.0.12"}) || !slices.Equal(six, []string{"2001:db8:1::11", "2001:db8:1::12"}) {
			return fmt.Errorf("next hops = %v and %v, want both nodes of both families", four, six)
		}
		return nil
	})
	for _, n := range nodes {
		n.established()
	}
	if got := router.NextHops("203.0.113.1"); len(got) != 0 {
		t.Errorf("the router routes 203.0.113.1 to %v, which is no VIP", got)
	}
	for _, n := range nodes {
		n.stop()
	}
}
