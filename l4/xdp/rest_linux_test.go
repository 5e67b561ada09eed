package xdp_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"portico/internal/testkit/netns"
	"portico/l4/maglev"
	"portico/l4/xdp"
	"portico/spec"
	"portico/spec/status"
)

// asked are tables that know how often they were looked at.
type asked struct {
	one
	times atomic.Int64
}

func (a *asked) Table(of spec.ListenerName) *maglev.Table {
	a.times.Add(1)
	return a.one.Table(of)
}

// TestWake proves that a datapath which rests, since the kernel carries nothing, is
// awake again with each spec that gives it something: it looks at tables and neighbors
// every while, and at its uplinks, and carries what is new.
func TestWake(t *testing.T) {
	root(t)
	n, folder := netns.New(t), pins(t)
	router, edge := n.Add("r"), n.Add("n")
	c := carriage{forward: spec.ForwardNAT, inner: 4, outer: 4}
	want := c.spec()
	edge.Address("lo", "198.18.50.1/32")
	n.Veth(router, "to1", nil, edge, "up1", nil)
	synctest.Test(t, func(t *testing.T) {
		tables := &asked{one: one(c.target())}
		d := xdp.New(xdp.Options{Self: "edge", Groups: tables, Tables: tables, Pins: folder})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go edge.Run(func() { done <- d.Run(ctx) })
		for range 2 {
			time.Sleep(time.Minute) // it rests
			if looks := tables.times.Load(); looks > 0 {
				t.Errorf("tables were looked at %d times while nothing was carried", looks)
			}
			inside(t, edge, func() error { return d.Apply(want) })
			synctest.Wait()
			at := tables.times.Load()
			time.Sleep(31 * time.Second)
			if looks := tables.times.Load() - at; looks != 3 {
				t.Errorf("tables were looked at %d times in 31 s, want each 10 s", looks)
			}
			n.Veth(router, "to2", nil, edge, "up2", nil)
			time.Sleep(3 * time.Second)
			on := status.Uplink{Attached: true}
			if one, two := named("up1", on), named("up2", on); !slices.Equal(d.Uplinks(), []status.Uplink{one, two}) {
				t.Errorf("3 s after an uplink came: %+v", d.Uplinks())
			}
			inside(t, edge, func() error { return d.Apply(&spec.Spec{}) })
			edge.IP("link del up2")
			time.Sleep(time.Minute)
			tables.times.Store(0)
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func named(name string, u status.Uplink) status.Uplink {
	u.Interface = name
	return u
}
