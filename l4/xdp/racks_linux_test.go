package xdp_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"slices"
	"testing"

	"portico/internal/testkit/netns"
	"portico/l4/xdp"
	"portico/l4/xdp/decap"
	"portico/spec"
	"portico/spec/status"
)

// carriage is a way for flows to their target, over nets of one family.
type carriage struct {
	name    string
	forward spec.Forward
	inner   int // the IP version of clients and VIP
	outer   int // that of the node and the target
	// mixed says that the driver of the second uplink cannot run XDP.
	mixed bool
}

// host is the address of a name in the nets of an IP version: host(4, "3", 2) is
// 198.18.3.2, host(6, "3", 2) is 2001:db8:3::2.
func host(version int, net string, n int) netip.Addr {
	if version == 4 {
		return netip.MustParseAddr(fmt.Sprintf("198.18.%s.%d", net, n))
	}
	return netip.MustParseAddr(fmt.Sprintf("2001:db8:%s::%d", net, n))
}

func (c carriage) vip() netip.AddrPort { return netip.AddrPortFrom(host(c.inner, "100", 1), 80) }
func (c carriage) node() netip.Addr    { return host(c.outer, "50", 1) }

// wraps says that the target unwraps packets, and answers clients on its own.
func (c carriage) wraps() bool {
	return c.forward == spec.ForwardGUE || c.forward == spec.ForwardIP6IP6
}

// target is where the flows of the VIP go. For direct return it is the second router
// itself: it must be on a link of the node.
func (c carriage) target() netip.AddrPort {
	switch {
	case c.forward == spec.ForwardDSR:
		return netip.AddrPortFrom(host(c.outer, "12", 1), 80)
	case c.wraps():
		return netip.AddrPortFrom(host(c.outer, "3", 2), 80)
	}
	return netip.AddrPortFrom(host(c.outer, "3", 2), 8080)
}

// spec has a node on two routers. Wrapped packets go to an l7 node, others to a target.
func (c carriage) spec() *spec.Spec {
	s := &spec.Spec{
		Sites: []spec.Site{{
			Name: "east", L4: spec.SiteL4{Datapath: spec.DatapathXDP, Flows: 1024, NewFlows: 1_000_000},
			Nodes: []spec.Node{{Name: "edge", Address: c.node(), Roles: []spec.Role{spec.RoleL4}, Uplinks: []string{"up1", "up2"}}},
		}},
		VIPs: []spec.VIP{{Name: "public", Addresses: map[spec.SiteName][]netip.Addr{"east": {c.vip().Addr()}}}},
	}
	if c.wraps() {
		s.Sites[0].L4.Forward = c.forward
		s.Sites[0].Nodes = append(s.Sites[0].Nodes, spec.Node{Name: "web", Address: c.target().Addr(), Roles: []spec.Role{spec.RoleL7}})
		s.Listeners = []spec.Listener{{Name: "echo", VIP: "public", Port: 80, Protocol: spec.ProtocolHTTP}}
		return s
	}
	s.Listeners = []spec.Listener{{Name: "echo", VIP: "public", Port: 80, Protocol: spec.ProtocolTCP, TargetGroups: []spec.GroupRef{{Name: "echo", Weight: 1}}}}
	s.TargetGroups = []spec.TargetGroup{{
		Name: "echo", Balance: &spec.Choice{Name: "maglev"}, Forward: c.forward,
		Targets: []spec.Target{{Address: spec.AddrPort{AddrPort: c.target()}}},
	}}
	return s
}

// racks are a node that is on two routers, which do not know each other. A client is
// behind each, the target behind the second:
//
//	client1 ─ router1 ─ node ─ router2 ─ client2, target
type racks struct {
	carriage
	net                         *netns.Net
	router1, router2, edge, web *netns.Space
	clients                     []*netns.Space
	from                        chan netip.Addr // whom the target saw
}

func newRacks(t *testing.T, c carriage, folder string) *racks {
	t.Helper()
	n := netns.New(t)
	r := &racks{carriage: c, net: n, router1: n.Add("r1"), router2: n.Add("r2"), edge: n.Add("n"), web: n.Add("t")}
	r.clients = []*netns.Space{n.Add("c1"), n.Add("c2")}
	for _, s := range []*netns.Space{r.router1, r.router2, r.edge} {
		s.Sysctl("net/ipv4/ip_forward", "1")
		s.Sysctl("net/ipv6/conf/all/forwarding", "1")
		s.Sysctl("net/ipv6/conf/default/accept_dad", "0") // nobody waits for duplicate address detection
	}
	hang(t, n, r.router1, r.clients[0], 1)
	hang(t, n, r.router2, r.clients[1], 2)
	hang(t, n, r.router2, r.web, 3)
	r.edge.Address("lo", c.node().String())
	r.rack(t, 1)
	r.rack(t, 2)
	switch {
	case c.forward == spec.ForwardDSR: // who is behind the target itself never meets the node
		r.clients = r.clients[:1]
		r.router2.Address("lo", c.vip().Addr().String())
		r.from = echo(t, r.router2, c.vip())
	case c.wraps():
		unwrapAt(t, r.web, c.spec(), filepath.Join(filepath.Dir(folder), "web"))
		r.from = echo(t, r.web, c.vip())
	default:
		r.from = echo(t, r.web, c.target())
	}
	return r
}

// rack links the node to a router by the interface of its number, and has both know
// what is to be known. Routers are known by their link-local addresses over IPv6, which
// are the same on each link, as where BGP is unnumbered.
func (r *racks) rack(t *testing.T, i int) {
	t.Helper()
	router, behind, up := r.router1, []string{"1"}, fmt.Sprintf("up%d", i)
	if i == 2 {
		router, behind = r.router2, []string{"2", "3"}
	}
	if r.mixed && i == 2 {
		r.without(t)
	} else {
		wire(t, r.net, router, r.edge, up, 10+i)
	}
	router.Address(fmt.Sprintf("to1%d", i), "fe80::1/64")
	for _, version := range []int{4, 6} {
		self := host(version, fmt.Sprintf("1%d", i), 2)
		if version != r.inner || r.forward != spec.ForwardDSR || i == 1 {
			router.IP(fmt.Sprintf("route add %s via %s", host(version, "100", 1), self))
		}
		if i == 2 { // NAT's answers come to the node; others go to clients, by the node at times
			router.IP(fmt.Sprintf("route add %s via %s", host(version, "50", 1), self))
		}
		if i == 2 && r.forward != spec.ForwardNAT {
			router.IP(fmt.Sprintf("route add %s via %s", host(version, "1", 2), self))
		}
	}
	for _, net := range behind {
		r.edge.IP(fmt.Sprintf("route add 198.18.%s.0/24 via 198.18.1%d.1", net, i))
		r.edge.IP(fmt.Sprintf("route add 2001:db8:%s::/64 via fe80::1 dev %s", net, up))
	}
	for _, a := range []string{host(4, fmt.Sprintf("1%d", i), 1).String(), host(6, fmt.Sprintf("1%d", i), 1).String(), "fe80::1%" + up} {
		r.edge.Output("ping", "-c1", "-W5", a) // as checks do, so that the neighbor is known
	}
}

// without links the node to the second router by an interface whose driver cannot run
// XDP: that of another which is on the link.
func (r *racks) without(t *testing.T) {
	t.Helper()
	wire(t, r.net, r.router2, r.edge, "under2", 12)
	r.edge.IP("addr flush dev under2")
	r.edge.IP("link add link under2 name up2 type macvlan mode passthru")
	r.edge.Address("up2", "198.18.12.2/24")
	r.edge.Address("up2", "2001:db8:12::2/64")
	r.edge.IP("link set up2 up")
}

// unplug removes the interface to the second router.
func (r *racks) unplug() {
	if r.mixed {
		r.edge.IP("link del under2") // which takes up2 with it
		return
	}
	r.edge.IP("link del up2")
}

// pass proves that connections of the clients reach the target, which sees the node
// under NAT and else the client.
func (r *racks) pass(t *testing.T) {
	t.Helper()
	for i, c := range r.clients {
		transfer(t, c, r.vip())
		if t.Failed() {
			t.FailNow()
		}
		want := host(r.inner, fmt.Sprint(i+1), 2)
		if r.forward == spec.ForwardNAT {
			want = r.node()
		}
		if saw := <-r.from; saw != want {
			t.Errorf("the target saw %s, want %s", saw, want)
		}
	}
}

// explain proves that it is told how packets are taken from each interface.
func (r *racks) explain(t *testing.T, d *xdp.Datapath) {
	t.Helper()
	a, ok := d.Explain(status.Question{From: host(r.inner, "1", 2), Flow: 40000, VIP: r.vip()})
	for _, u := range d.Uplinks() {
		want := fmt.Sprintf("from uplink %s packets are %s", u.Interface, u)
		if !ok || !slices.ContainsFunc(a.Lines, func(l status.Line) bool { return l.Text == want }) {
			t.Errorf("explained by %+v, want a line %q", a.Lines, want)
		}
	}
}

// widen has both routers know a way to the target, and the node take them for equal.
func (r *racks) widen(t *testing.T) {
	t.Helper()
	wire(t, r.net, r.router1, r.web, "eth1", 4)
	for _, at := range []string{"all", "default", "eth0", "eth1"} {
		r.web.Sysctl("net/ipv4/conf/"+at+"/rp_filter", "0") // answers leave by eth0
	}
	for _, version := range []int{4, 6} {
		r.edge.Sysctl(fmt.Sprintf("net/ipv%d/fib_multipath_hash_policy", version), "1")
		r.router1.IP(fmt.Sprintf("route add %s via %s", host(version, "3", 2), host(version, "4", 2)))
	}
	r.edge.IP("route replace 198.18.3.0/24 nexthop via 198.18.11.1 nexthop via 198.18.12.1")
	r.edge.IP("-6 route replace 2001:db8:3::/64 nexthop via fe80::1 dev up1 nexthop via fe80::1 dev up2")
}

// sent is how many packets have left a router by an interface.
func sent(t *testing.T, router *netns.Space, by string) (n int) {
	t.Helper()
	var links []struct {
		Stats struct{ TX struct{ Packets int } } `json:"stats64"`
	}
	if err := json.Unmarshal([]byte(router.IP("-s -j link show "+by)), &links); err != nil || len(links) != 1 {
		t.Fatalf("counters of %s: %d links, %v", by, len(links), err)
	}
	return links[0].Stats.TX.Packets
}

// unwrapAt has a node get whole packets, until the test ends.
func unwrapAt(t *testing.T, at *netns.Space, want *spec.Spec, folder string) {
	t.Helper()
	d := decap.New(decap.Options{Self: "web", Log: slog.New(slog.DiscardHandler), State: t.TempDir(), Pins: folder})
	inside(t, at, func() error { return d.Apply(want) })
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go at.Run(func() { done <- d.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// inside calls a method in a namespace.
func inside(t *testing.T, at *netns.Space, do func() error) {
	t.Helper()
	var err error
	at.Run(func() { err = do() })
	if err != nil {
		t.Fatal(err)
	}
}
