package xdp_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"portico/internal/testkit"
	"portico/internal/testkit/netns"
	"portico/l4/maglev"
	"portico/l4/xdp"
	"portico/spec"
	"portico/spec/status"
	live "portico/target"
)

// one is tables that have one target in every slot.
type one netip.AddrPort

func (o one) Table(spec.ListenerName) *maglev.Table {
	t := &maglev.Table{Names: []maglev.Name{{Group: "echo", Address: netip.AddrPort(o)}}, Slots: make([]maglev.Slot, maglev.Slots)}
	for i := range t.Slots {
		t.Slots[i] = maglev.NewSlot(1, 0)
	}
	return t
}

func (one) Group(spec.TargetGroupName) *live.Group { return nil }

// racks are a node that is on two routers, which do not know each other. A client is
// behind each, the target behind the second:
//
//	client1 ─ router1 ─ node ─ router2 ─ client2, target
type racks struct {
	net                                      *netns.Net
	router1, router2, node, client1, client2 *netns.Space
	vip                                      netip.AddrPort
	from                                     chan netip.Addr // whom the target saw
}

func newRacks(t *testing.T, on netip.AddrPort) *racks {
	t.Helper()
	n := netns.New(t)
	r := &racks{
		net: n, router1: n.Add("r1"), router2: n.Add("r2"), node: n.Add("n"), client1: n.Add("c1"), client2: n.Add("c2"),
		vip: netip.MustParseAddrPort("198.18.100.1:80"),
	}
	target := n.Add("t")
	for _, s := range []*netns.Space{r.router1, r.router2, r.node} {
		s.Sysctl("net/ipv4/ip_forward", "1")
	}
	hang(t, n, r.router1, r.client1, 1)
	hang(t, n, r.router2, r.client2, 2)
	hang(t, n, r.router2, target, 3)
	r.rack(t, 1)
	r.rack(t, 2)
	r.from = echo(t, target, on)
	return r
}

// rack links the node to a router by the interface of its number, and has both know
// what is to be known.
func (r *racks) rack(t *testing.T, i int) {
	t.Helper()
	if i == 1 {
		wire(t, r.net, r.router1, r.node, "up1", 11)
		r.router1.IP("route add 198.18.100.1 via 198.18.11.2")
		r.node.IP("route add 198.18.1.0/24 via 198.18.11.1")
		r.node.Output("ping", "-c1", "-W5", "198.18.11.1") // as checks do, so that the neighbor is known
		return
	}
	wire(t, r.net, r.router2, r.node, "up2", 12)
	r.router2.IP("route add 198.18.100.1 via 198.18.12.2")
	r.router2.IP("route add 198.18.50.1 via 198.18.12.2")
	r.node.IP("route add 198.18.2.0/24 via 198.18.12.1")
	r.node.IP("route add 198.18.3.0/24 via 198.18.12.1")
	r.node.Output("ping", "-c1", "-W5", "198.18.12.1")
}

// pass proves that connections of both clients reach the target, and come from the node.
func (r *racks) pass(t *testing.T) {
	t.Helper()
	for _, c := range []*netns.Space{r.client1, r.client2} {
		transfer(t, c, r.vip)
		if t.Failed() {
			t.FailNow()
		}
		if saw := <-r.from; saw.String() != "198.18.50.1" {
			t.Errorf("the target saw %s, want the node's 198.18.50.1", saw)
		}
	}
}

// TestUplinks proves that a node on two routers takes packets of VIPs from both, and
// sends each on by the one that its routes say; that an interface that is removed is
// told of in status while the other goes on; that it is taken from again once it is
// made anew; and that the next process adopts what is pinned of both.
func TestUplinks(t *testing.T) {
	root(t)
	at := netip.MustParseAddrPort("198.18.3.2:8080")
	r, folder := newRacks(t, at), pins(t)
	r.node.IP("addr add 198.18.50.1/32 dev lo")
	want := &spec.Spec{
		Sites: []spec.Site{{
			Name: "east", L4: spec.SiteL4{Datapath: spec.DatapathXDP, Flows: 1024, NewFlows: 1_000_000},
			Nodes: []spec.Node{{Name: "edge", Address: netip.MustParseAddr("198.18.50.1"), Roles: []spec.Role{spec.RoleL4}, Uplinks: []string{"up1", "up2"}}},
		}},
		VIPs:         []spec.VIP{{Name: "public", Addresses: map[spec.SiteName][]netip.Addr{"east": {r.vip.Addr()}}}},
		Listeners:    []spec.Listener{{Name: "echo", VIP: "public", Port: 80, Protocol: spec.ProtocolTCP, TargetGroups: []spec.GroupRef{{Name: "echo", Weight: 1}}}},
		TargetGroups: []spec.TargetGroup{{Name: "echo", Balance: &spec.Choice{Name: "maglev"}}},
	}
	start := func() *xdp.Datapath {
		d := xdp.New(xdp.Options{Self: "edge", Groups: one(at), Tables: one(at), Pins: folder})
		inside(t, r.node, func() error { return d.Apply(want) })
		return d
	}
	taken := func(d *xdp.Datapath, one, two status.Uplink) {
		t.Helper()
		one.Interface, two.Interface = "up1", "up2"
		if got := d.Uplinks(); !slices.Equal(got, []status.Uplink{one, two}) {
			t.Fatalf("uplinks %+v, want %+v and %+v", got, one, two)
		}
	}
	on, away := status.Uplink{Attached: true}, status.Uplink{Reason: "no interface of this name is there"}

	d := start()
	taken(d, on, on)
	r.pass(t)
	r.node.IP("link del up2")
	inside(t, r.node, d.Keep)
	taken(d, on, away)
	r.rack(t, 2)
	inside(t, r.node, d.Keep)
	taken(d, on, on)
	r.pass(t)

	if err := d.Stop(); err != nil {
		t.Fatal(err)
	}
	r.pass(t) // without a process
	r.node.IP("link del up2")
	r.rack(t, 2) // its pinned link is that of an interface which is gone
	d = start()
	taken(d, on, on)
	r.pass(t)
	inside(t, r.node, func() error { return d.Apply(&spec.Spec{}) })
	if got := d.Uplinks(); len(got) != 0 {
		t.Errorf("uplinks %+v once nothing is carried", got)
	}
	testkit.Poll(t, 10*time.Second, func() error { // the kernel lets go of what was pinned when it has time
		if seen := r.node.IP("link show up1"); strings.Contains(seen, "xdp") {
			return fmt.Errorf("once nothing is carried: %s", seen)
		}
		return nil
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
