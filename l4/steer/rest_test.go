package steer_test

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"portico/l4"
	"portico/l4/maglev"
	"portico/l4/steer"
	"portico/spec"
	"portico/target"
)

// TestRest proves that looking at what others keep asks for nothing else, and that what
// cannot be kept is logged once, not each time that it is tried.
func TestRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keep := newMemory()
		b := start(t, keep, false)
		b.apply("abcd")
		defer b.run()()
		time.Sleep(5 * time.Second)
		before, _ := b.counts()
		time.Sleep(time.Minute)
		if after, _ := b.counts(); after != before {
			t.Errorf("asked %d times in a minute at rest where flows are, want never", after-before)
		}
		keep.set(errors.New("no space left on device"))
		b.apply("Abcd")
		time.Sleep(10 * time.Second)
		if _, n := b.counts(); n != 2 {
			t.Errorf("%d errors are logged, want 2: that it is not seen, and not kept", n)
		}
		keep.set(nil)
		time.Sleep(2 * time.Second)
		again := start(t, keep, false)
		again.apply("Abcd")
		again.want("kept once there was space", "bcd/abc")
	})
}

// counted counts how often somebody looks at groups.
type counted struct {
	l4.Groups
	n atomic.Int64
}

func (c *counted) Group(name spec.TargetGroupName) *target.Group {
	c.n.Add(1)
	return c.Groups.Group(name)
}

// TestTooManyRest proves that a listener with more targets than a table has room for is
// not looked at over and over once a window from before would have ended.
func TestTooManyRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		groups := target.New(target.Options{})
		seen := &counted{Groups: groups}
		s := steer.New(steer.Options{Self: self, Groups: seen, Sockets: func() bool { return false }})
		apply := func(want *spec.Spec) {
			t.Helper()
			if err := groups.Apply(want.TargetGroups); err != nil {
				t.Fatal(err)
			}
			s.Apply(want)
		}
		apply(frontend("ab"))
		apply(frontend("Ab"))
		many := frontend("Ab")
		many.TargetGroups = append(many.TargetGroups, spec.TargetGroup{Name: "more", Balance: &spec.Choice{Name: "maglev"}})
		many.Listeners[0].TargetGroups = append(many.Listeners[0].TargetGroups, spec.GroupRef{Name: "more", Weight: 1})
		g := &many.TargetGroups[2]
		for i := range maglev.MembersMax {
			to := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 2, byte(i >> 8), byte(i)}), 5432)
			g.Targets = append(g.Targets, spec.Target{Address: spec.AddrPort{AddrPort: to}, Weight: 1})
		}
		apply(many)
		if s.Table("db") != nil {
			t.Error("there is a table, want none of so many")
		}
		ctx, stop := context.WithCancel(t.Context())
		var done sync.WaitGroup
		done.Go(func() { _ = s.Run(ctx) })
		time.Sleep(drain + time.Second)
		before := seen.n.Load()
		time.Sleep(10 * time.Second)
		if n := seen.n.Load() - before; n > 0 {
			t.Errorf("looked at %d times in 10 s, want never", n)
		}
		stop()
		done.Wait()
	})
}

// TestSpecToKernel proves that a node whose spec puts flows into the kernel is seen by
// others from then on, and keeps what it has without a verdict that is new.
func TestSpecToKernel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keep := newMemory()
		b := start(t, keep, true)
		b.apply("abcd")
		defer b.run()()
		time.Sleep(5 * time.Second)
		if at := keep.Seen(self); !at.IsZero() {
			t.Errorf("seen at %v with flows in sockets, want never", at)
		}
		b.mu.Lock()
		b.sockets = false
		b.mu.Unlock()
		b.steer.Apply(frontend("abcd"))
		time.Sleep(time.Minute)
		if ago := time.Since(keep.Seen(self)); ago > 2*time.Second {
			t.Errorf("seen %v ago, want just now", ago)
		}
	})
}

// TestListenerAgain proves that a listener which leaves the spec of a node that runs for
// long, and comes back soon, goes on where it was and not where another node is.
func TestListenerAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, b, other := pair(t)
		defer b.run()()
		defer other.run()()
		time.Sleep(2 * drain)
		other.apply("Abcd")
		b.steer.Apply(&spec.Spec{})
		time.Sleep(2 * time.Second)
		b.apply("abcd")
		b.want("the listener is back", "abcd/bcd")
	})
}

// TestAwayTwice proves that a node which began with the state of another begins with it
// again, and not with its own from long ago.
func TestAwayTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keep, b, other := pair(t)
		stop, stopOther := b.run(), other.run()
		defer func() { stopOther() }()
		time.Sleep(2 * time.Second)
		stop()
		other.apply("abcde")
		time.Sleep(2 * drain)
		other.apply("Abcde")
		time.Sleep(2 * time.Second)
		for range 2 {
			again := start(t, keep, false)
			again.apply("Abcde")
			again.want("after a start", "bcde/abcde")
			stop := again.run()
			time.Sleep(2 * time.Second)
			stop()
		}
	})
}
