package xdp_test

import (
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"portico/internal/testkit/netns"
	"portico/l4/maglev"
	"portico/l4/xdp"
	"portico/spec"
	"portico/spec/status"
	live "portico/target"
)

// slow are tables that are late once they are told to be, and groups that are empty.
type slow struct {
	now         atomic.Bool
	asked, wait chan struct{}
}

func (s *slow) Table(spec.ListenerName) *maglev.Table {
	if s.now.CompareAndSwap(true, false) {
		close(s.asked)
		<-s.wait
	}
	return nil
}

func (*slow) Group(spec.TargetGroupName) *live.Group { return nil }

// TestStatusDoesNotWait proves that a spec that takes long to apply keeps nobody
// waiting who asks what the node does, and why.
func TestStatusDoesNotWait(t *testing.T) {
	root(t)
	folder, space := pins(t), netns.New(t).Add("n")
	space.IP("link set lo up")
	tables := &slow{asked: make(chan struct{}), wait: make(chan struct{})}
	d := xdp.New(xdp.Options{Self: "edge", Groups: tables, Tables: tables, Pins: folder})
	apply := func(want *spec.Spec) (err error) {
		space.Run(func() { err = d.Apply(want) })
		return err
	}
	vip := netip.MustParseAddr("198.18.0.10")
	want := &spec.Spec{
		Sites: []spec.Site{{
			Name: "east", L4: spec.SiteL4{Datapath: spec.DatapathXDP, Flows: 1024, NewFlows: 1000},
			Nodes: []spec.Node{{Name: "edge", Address: netip.MustParseAddr("127.0.0.1"), Roles: []spec.Role{spec.RoleL4}}},
		}},
		VIPs:         []spec.VIP{{Name: "public", Addresses: map[spec.SiteName][]netip.Addr{"east": {vip}}}},
		Listeners:    []spec.Listener{{Name: "db", VIP: "public", Port: 5432, Protocol: spec.ProtocolTCP, TargetGroups: []spec.GroupRef{{Name: "db", Weight: 1}}}},
		TargetGroups: []spec.TargetGroup{{Name: "db", Balance: &spec.Choice{Name: "maglev"}}},
	}
	if err := apply(want); err != nil {
		t.Fatal(err)
	}
	tables.now.Store(true)
	applied := make(chan error, 1)
	go func() { applied <- apply(want) }()
	<-tables.asked // it is under way, and stays so
	seen := make(chan string, 1)
	go func() {
		l := d.Status()
		if len(l) != 1 || l[0].Name != "db" || l[0].Kernel == nil {
			seen <- "Status does not tell of the listener that is carried"
			return
		}
		if _, ok := d.Explain(status.Question{From: netip.MustParseAddr("192.0.2.1"), Flow: 40000, VIP: netip.AddrPortFrom(vip, 5432)}); !ok {
			seen <- "Explain says that the kernel does not carry the flow"
			return
		}
		seen <- ""
	}()
	select {
	case wrong := <-seen:
		if wrong != "" {
			t.Error(wrong)
		}
	case <-time.After(10 * time.Second):
		t.Error("Status or Explain waits for Apply")
	}
	close(tables.wait)
	if err := <-applied; err != nil {
		t.Error(err)
	}
	if err := apply(&spec.Spec{Sites: []spec.Site{{Name: "east", Nodes: want.Sites[0].Nodes}}}); err != nil {
		t.Error(err)
	}
	if l := d.Status(); len(l) != 0 {
		t.Errorf("Status tells of %+v once nothing is carried", l)
	}
}

// TestCountersDoNotWait proves the same of the counters alone, and that they end with
// the maps.
func TestCountersDoNotWait(t *testing.T) {
	k := open(t, plan(spec.ForwardGUE, table("10.1.1.1:80")))
	forwarded(t, k, tcp4(tcpACK))
	release := k.Busy()
	read := make(chan error, 1)
	go func() { _, err := k.Counters(); read <- err }()
	select {
	case err := <-read:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("Counters wait for Apply")
	}
	release()
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	if c, err := k.Counters(); err == nil {
		t.Errorf("after Close: %+v, want an error", c)
	}
}
