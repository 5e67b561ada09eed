package xdp_test

import (
	"fmt"
	"net"
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

// TestUplinks proves, over both families, that a node on two routers takes packets of VIPs from both, and
// sends each on by the one that its routes say; that an interface that is removed is
// told of in status while the other goes on; that it is taken from again once it is
// made anew; and that the next process adopts what is pinned of both.
func TestUplinks(t *testing.T) {
	root(t)
	for _, c := range []carriage{
		{name: "nat over IPv4", forward: spec.ForwardNAT, inner: 4, outer: 4},
		{name: "nat over IPv6", forward: spec.ForwardNAT, inner: 6, outer: 6},
		{name: "gue over IPv6", forward: spec.ForwardGUE, inner: 6, outer: 6},
		{name: "gue, IPv4 over IPv6", forward: spec.ForwardGUE, inner: 4, outer: 6},
		{name: "ip6ip6", forward: spec.ForwardIP6IP6, inner: 6, outer: 6},
		{name: "dsr over IPv6", forward: spec.ForwardDSR, inner: 6, outer: 6},
		{name: "nat over IPv6, one driver without XDP", forward: spec.ForwardNAT, inner: 6, outer: 6, mixed: true},
	} {
		t.Run(c.name, c.comeAndGo)
	}
}

func (c carriage) comeAndGo(t *testing.T) {
	t.Parallel() // most of it is waiting for the kernel
	folder := pins(t)
	r, want := newRacks(t, c, folder), c.spec()
	groups := live.New(live.Options{})
	if err := groups.Apply(want.TargetGroups); err != nil {
		t.Fatal(err)
	}
	start := func() *xdp.Datapath {
		d := xdp.New(xdp.Options{Self: "edge", Groups: groups, Tables: one(c.target()), Pins: folder})
		inside(t, r.edge, func() error { return d.Apply(want) })
		return d
	}
	taken := func(d *xdp.Datapath, one, two status.Uplink) {
		t.Helper()
		one.Interface, two.Interface = "up1", "up2"
		if got := d.Uplinks(); !slices.Equal(got, []status.Uplink{one, two}) {
			t.Fatalf("uplinks %+v, want %+v and %+v", got, one, two)
		}
	}
	// Where one driver cannot run the program, the kernel runs it for each.
	on, away := status.Uplink{Attached: true, Generic: c.mixed}, status.Uplink{Reason: "no interface of this name is there"}

	if c.mixed { // the first driver runs the program until the second comes
		r.unplug()
	}
	d := start()
	if c.mixed {
		taken(d, status.Uplink{Attached: true}, away)
		r.rack(t, 2)
		inside(t, r.edge, d.Keep)
	}
	taken(d, on, on)
	r.explain(t, d)
	r.pass(t)
	r.unplug()
	inside(t, r.edge, d.Keep)
	taken(d, on, away)
	r.rack(t, 2)
	inside(t, r.edge, d.Keep)
	taken(d, on, on)
	r.pass(t)

	if err := d.Stop(); err != nil {
		t.Fatal(err)
	}
	r.pass(t) // without a process
	r.unplug()
	r.rack(t, 2) // its pinned link is that of an interface which is gone
	d = start()
	taken(d, on, on)
	r.pass(t)
	inside(t, r.edge, func() error { return d.Apply(&spec.Spec{}) })
	if got := d.Uplinks(); len(got) != 0 {
		t.Errorf("uplinks %+v once nothing is carried", got)
	}
	testkit.Poll(t, 10*time.Second, func() error { // the kernel lets go of what was pinned when it has time
		if seen := r.edge.IP("link show up1"); strings.Contains(seen, "xdp") {
			return fmt.Errorf("once nothing is carried: %s", seen)
		}
		return nil
	})
}

// TestUplinksSpread proves that flows to one target leave by all ways that are equal.
func TestUplinksSpread(t *testing.T) {
	root(t)
	for _, version := range []int{4, 6} {
		t.Run(fmt.Sprintf("IPv%d", version), func(t *testing.T) {
			t.Parallel()
			c := carriage{forward: spec.ForwardNAT, inner: version, outer: version}
			folder := pins(t)
			r := newRacks(t, c, folder)
			r.widen(t)
			d := xdp.New(xdp.Options{Self: "edge", Groups: one(c.target()), Tables: one(c.target()), Pins: folder})
			inside(t, r.edge, func() error { return d.Apply(c.spec()) })
			const flows, most = 40, 36 // by one way; a hash that has 3 or fewer go the other does not happen
			before1, before2 := sent(t, r.router1, "to4"), sent(t, r.router2, "to3")
			for range flows {
				var conn net.Conn
				var err error
				r.clients[0].Run(func() { conn, err = net.DialTimeout("tcp", c.vip().String(), patience) })
				if err != nil {
					t.Fatal(err)
				}
				_ = conn.Close()
				<-r.from
			}
			by1, by2 := sent(t, r.router1, "to4")-before1, sent(t, r.router2, "to3")-before2
			if most := (by1 + by2) * most / flows; by1 > most || by2 > most {
				t.Errorf("of %d flows %d packets reached the target by one router and %d by the other", flows, by1, by2)
			}
			inside(t, r.edge, func() error { return d.Apply(&spec.Spec{}) })
		})
	}
}

// TestAddressAway proves that a node without uplinks, whose interface is the one with
// its address, goes on taking packets while the address is away: an IPv6 address goes
// with every interface that is set down. Only without the interface there is none.
func TestAddressAway(t *testing.T) {
	root(t)
	for _, version := range []int{4, 6} {
		t.Run(fmt.Sprintf("IPv%d", version), func(t *testing.T) {
			c := carriage{forward: spec.ForwardNAT, inner: version, outer: version}
			want, n := c.spec(), netns.New(t)
			want.Sites[0].Nodes[0].Uplinks = nil
			router, edge := n.Add("r"), n.Add("n")
			link := func() {
				t.Helper()
				n.Veth(router, "to", nil, edge, "eth0", []string{host(version, "50", 1).String() + map[int]string{4: "/24", 6: "/64"}[version]})
			}
			d := xdp.New(xdp.Options{Self: "edge", Groups: one(c.target()), Tables: one(c.target()), Pins: pins(t)})
			taken := func(when string, want status.Uplink) {
				t.Helper()
				inside(t, edge, d.Keep)
				if want.Interface = "eth0"; !slices.Equal(d.Uplinks(), []status.Uplink{want}) {
					t.Errorf("%s: uplinks %+v, want %+v", when, d.Uplinks(), want)
				}
			}
			link()
			inside(t, edge, func() error { return d.Apply(want) })
			taken("at first", status.Uplink{Attached: true})
			edge.IP("addr flush dev eth0")
			edge.IP("link set eth0 down")
			gone := "no interface has the node's address " + want.Sites[0].Nodes[0].Address.String()
			taken("without the address", status.Uplink{Attached: true, Reason: gone})
			if seen := edge.IP("link show eth0"); !strings.Contains(seen, "xdp") {
				t.Errorf("the program is off: %s", seen)
			}
			edge.IP("link del eth0")
			taken("without the interface", status.Uplink{Reason: "no interface of this name is there"})
			link()
			taken("with another interface", status.Uplink{Attached: true})
			mistyped := c.spec()
			mistyped.Sites[0].Nodes[0].Uplinks, mistyped.Sites[0].Nodes[0].Address = nil, host(version, "50", 99)
			inside(t, edge, func() error { return d.Apply(mistyped) })
			taken("with an address that nobody has", status.Uplink{Attached: true, Reason: "no interface has the node's address " + host(version, "50", 99).String()})
			inside(t, edge, func() error { return d.Apply(&spec.Spec{}) })
		})
	}
}
