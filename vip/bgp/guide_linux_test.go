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

// routers are the configurations of FRR in the guide: of a link with addresses, and of
// links without.
func routers(t *testing.T) []tidy.Fence {
	t.Helper()
	fences, err := tidy.Fences(os.DirFS("../.."), "docs/guide", "frr")
	if err != nil || len(fences) != 2 {
		t.Fatalf("%d configurations of FRR in the guide, %v, want 2", len(fences), err)
	}
	return fences
}

// TestGuide proves that the router of the guide takes what the spec beside it says:
// two nodes on one link, passwords, BFD, both families, and only VIPs.
func TestGuide(t *testing.T) {
	long(t)
	fences := routers(t)
	n := netns.New(t)
	r := n.Add("r")
	r.IP("link add br0 type bridge")
	spaces := []*netns.Space{n.Add("east-1"), n.Add("east-2")}
	for i, s := range spaces {
		port := fmt.Sprint("port", i)
		n.Veth(r, port, nil, s, "eth0", []string{fmt.Sprintf("10.1.0.1%d/24", i+1), fmt.Sprintf("2001:db8:1::1%d/64", i+1)})
		r.IP("link set dev " + port + " master br0")
	}
	r.Address("br0", "10.1.0.254/24")
	r.Address("br0", "2001:db8:1::fe/64")
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

// TestGuideUnnumbered proves the same of links without addresses: node and router
// find each other, both families go over the link-local addresses, BFD watches them,
// and a restart is no event in the router's kernel.
func TestGuideUnnumbered(t *testing.T) {
	long(t)
	fences := routers(t)
	n := netns.New(t)
	r := n.Add("r")
	l := &lab{spaces: [2]*netns.Space{n.Add("n1"), n.Add("n2")}}
	for i, s := range l.spaces {
		n.Veth(r, fmt.Sprint("swp", i+1), nil, s, "eth0", nil)
		s.Address("lo", fmt.Sprintf("10.1.0.1%d/32", i+1))
	}
	l.router = frr.Start(t, r, frr.Config{BGP: fences[1].Text, BFD: "bfd\n"})
	start := func(i int) *node {
		p := spec.BGPPeer{Interface: "eth0", Port: 179, AS: 65000, HoldTime: spec.Duration(9 * time.Second)}
		watched(&p, 10)
		o := orderOf(fmt.Sprintf("10.1.0.1%d", i+1), p)
		o.Spec.Sites[0].BGP.GracefulRestart = spec.Duration(10 * time.Second)
		return run(t, l.spaces[i], o)
	}
	const four, six = "198.51.100.10", "2001:db8:100::10"
	nodes := []*node{start(0), start(1)}
	for _, n := range nodes {
		n.announce(route(four+"/32", spec.VIPRoutes{}), route(six+"/128", spec.VIPRoutes{}))
	}
	known := func() error {
		// FRR writes a neighbor's link address under 169.254.0.1 and routes IPv4 there.
		got4, got6 := l.router.NextHops(four), l.router.NextHops(six)
		if !slices.Equal(got4, []string{"169.254.0.1", "169.254.0.1"}) || len(got6) != 2 {
			return fmt.Errorf("next hops = %v and %v, want both nodes; peers %+v", got4, got6, nodes[0].peers())
		}
		for _, hop := range got6 {
			if !netip.MustParseAddr(hop).IsLinkLocalUnicast() {
				return fmt.Errorf("next hop %v, want the link's own", hop)
			}
		}
		return nil
	}
	testkit.Poll(t, bound, known)
	for _, n := range nodes {
		n.established()
	}
	events := l.watch(t, four, six)
	nodes[0].restart()
	nodes[0] = start(0)
	nodes[0].established()
	nodes[0].announce(route(four+"/32", spec.VIPRoutes{}), route(six+"/128", spec.VIPRoutes{}))
	testkit.Poll(t, bound, known)
	if seen := events(); seen > 0 {
		t.Errorf("a restart made %d changes in the router's kernel, want none", seen)
	}
	for _, n := range nodes {
		n.stop()
	}
}
