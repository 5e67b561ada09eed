package relay_test

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"portico/internal/netx"
	"portico/l4/relay"
	"portico/spec"
)

// A flow whose first target refuses goes to the next one, and the client sees
// nothing of it.
func TestConnectRetries(t *testing.T) {
	vip, good := free(t, "127.0.1.10"), server(t, "127.0.2.1", echo)
	want := tcpSpec(vip, free(t, "127.0.2.2"), good, free(t, "127.0.2.3"))
	dials := &dialer{}
	b := start(t, want, dials.by)
	const flows = 20
	for range flows {
		c := dial(t, vip)
		say(t, c, "hello")
		hear(t, c, "hello")
		_ = c.Close()
	}
	if n := dials.dials.Load(); n <= flows || n > 3*flows {
		t.Errorf("%d flows dialed %d times, want some retries, and 3 tries at most", flows, n)
	}
	eventually(t, "the flows end", func() bool { return b.metric("portico_l4_flows_total", "client-closed") == flows })
	if failures := b.metric("portico_l4_connect_failures_total"); failures != float64(dials.dials.Load()-flows) {
		t.Errorf("%v failed tries counted, want %d", failures, dials.dials.Load()-flows)
	}
	for _, s := range b.targets.Group("db").Status().Targets {
		if s.Active != 0 {
			t.Errorf("target %s has %d flows after all ended", s.Label, s.Active)
		}
	}
}

// A flow that no target can be found for is reset, and the reason counted.
func TestNoTarget(t *testing.T) {
	vip := free(t, "127.0.1.10")
	tests := []struct {
		name   string
		want   *spec.Spec
		change func(*spec.Spec)
		reason relay.Reason
		dials  int64
	}{
		{"all refuse", tcpSpec(vip, free(t, "127.0.2.1"), free(t, "127.0.2.2")), nil, relay.ConnectFailed, 2},
		{"more refuse than are tried", tcpSpec(vip, free(t, "127.0.2.1"), free(t, "127.0.2.2"), free(t, "127.0.2.3"), free(t, "127.0.2.4"), free(t, "127.0.2.5")), nil, relay.ConnectFailed, 3},
		{"all drain", tcpSpec(vip, free(t, "127.0.2.1")), func(s *spec.Spec) { s.TargetGroups[0].Targets[0].Drain = true }, relay.NoTarget, 0},
		{"group of weight 0", tcpSpec(vip, free(t, "127.0.2.1")), func(s *spec.Spec) { s.Listeners[0].TargetGroups[0].Weight = 0 }, relay.NoTarget, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.change != nil {
				tt.change(tt.want)
			}
			dials := &dialer{}
			b := start(t, tt.want, dials.by)
			refused(t, vip)
			b.ends(tt.reason)
			if n := dials.dials.Load(); n != tt.dials {
				t.Errorf("dialed %d times, want %d", n, tt.dials)
			}
			if s := b.relay.Status()[0]; s.Failed != 1 || s.Active != 0 {
				t.Errorf("Status = %+v, want one failed flow and none active", s)
			}
		})
	}
}

// Where it is this process that has no file left, no other target is tried: it
// would not help, and the target is not to blame.
func TestNoFilesToDial(t *testing.T) {
	vip := free(t, "127.0.1.10")
	dials := &dialer{connect: func(to netip.AddrPort) (netip.AddrPort, error) {
		return to, fmt.Errorf("dial: %w", os.NewSyscallError("socket", syscall.EMFILE))
	}}
	b := start(t, tcpSpec(vip, free(t, "127.0.2.1"), free(t, "127.0.2.2")), dials.by)
	refused(t, vip)
	b.ends(relay.Limit)
	if n := dials.dials.Load(); n != 1 {
		t.Errorf("dialed %d times, want once", n)
	}
}

// A target that answers nothing costs a flow the connect timeout, and then the
// next one is tried.
func TestConnectTimeout(t *testing.T) {
	vip, good := free(t, "127.0.1.10"), server(t, "127.0.2.1", echo)
	dead, _ := deaf(t, "127.0.2.2")
	want := tcpSpec(vip, dead, good)
	want.TargetGroups[0].Timeouts.Connect = spec.Duration(50 * time.Millisecond)
	start(t, want)
	for range 8 { // some of them begin with the dead one
		c := dial(t, vip)
		say(t, c, "hello")
		hear(t, c, "hello")
	}
}

// A client that leaves while its target is dialed ends the dialing.
func TestClientLeavesWhileDialing(t *testing.T) {
	vip := free(t, "127.0.1.10")
	one, _ := deaf(t, "127.0.2.2")
	other, _ := deaf(t, "127.0.2.3")
	want := tcpSpec(vip, one, other)
	want.TargetGroups[0].Timeouts.Connect = spec.Off
	dials := &dialer{}
	b := start(t, want, dials.by)
	c := dial(t, vip)
	eventually(t, "the target is dialed", func() bool { return dials.dials.Load() == 1 })
	netx.Reset(c)
	b.ends(relay.ClientReset)
	if n := dials.dials.Load(); n != 1 {
		t.Errorf("dialed %d times, want once", n)
	}
	if n := b.metric("portico_l4_connect_failures_total"); n != 0 {
		t.Errorf("%v failures of a target that was not waited for", n)
	}
}

// A balance that learns is told how long connecting took, and of targets that
// refuse: flows then go to the others, but for those that draw these two. They are one
// of 15 pairs, so that 8 of 120 flows do, give or take 2.7; with nothing learned, 40.
func TestLeastTime(t *testing.T) {
	vip, good := free(t, "127.0.1.10"), server(t, "127.0.2.1", echo)
	slow, dead := netip.MustParseAddrPort("127.0.2.2:1"), netip.MustParseAddrPort("127.0.2.3:1")
	all := []netip.AddrPort{slow, dead, good}
	for _, ip := range []string{"127.0.2.4", "127.0.2.5", "127.0.2.6"} {
		all = append(all, server(t, ip, echo))
	}
	want := tcpSpec(vip, all...)
	want.TargetGroups[0].Balance = &spec.Choice{Name: "least-time"}
	var mu sync.Mutex
	tries := map[netip.AddrPort]int{}
	dials := &dialer{connect: func(to netip.AddrPort) (netip.AddrPort, error) {
		mu.Lock()
		tries[to]++
		mu.Unlock()
		switch to {
		case slow:
			time.Sleep(100 * time.Millisecond) // as a far target takes
			return good, nil
		case dead:
			return to, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
		}
		return to, nil
	}}
	start(t, want, dials.by)
	flow := func() (known, bad int) {
		c := dial(t, vip)
		say(t, c, "hello")
		hear(t, c, "hello")
		_ = c.Close() // else the fast target would be a busy one
		mu.Lock()
		defer mu.Unlock()
		return len(tries), tries[slow] + tries[dead]
	}
	eventually(t, "each was tried", func() bool { known, _ := flow(); return known == len(all) })
	_, before := flow()
	after := 0
	for range 120 {
		_, after = flow()
	}
	if after-before > 24 {
		t.Errorf("of 120 flows %d were tried on the slow target or the dead one", after-before)
	}
}

// That this process has no file left is no fault of the target it would have had.
func TestNoFileIsNoOutlier(t *testing.T) {
	vip := free(t, "127.0.1.10")
	want := tcpSpec(vip, server(t, "127.0.2.1", echo), server(t, "127.0.2.2", echo))
	want.TargetGroups[0].Outliers = &spec.Outliers{
		Failures: 1, Interval: spec.Duration(10 * time.Millisecond), EjectFor: spec.Duration(time.Hour),
		EjectMax: spec.Duration(time.Hour), MaxEjected: 50, Trials: 1,
	}
	why := atomic.Pointer[error]{}
	d := &dialer{connect: func(to netip.AddrPort) (netip.AddrPort, error) { return to, *why.Load() }}
	b := start(t, want, d.by)
	b.judge()
	ejected := func() (n int) {
		for _, at := range b.targets.Status()[0].Targets {
			if at.Ejection != nil {
				n++
			}
		}
		return n
	}
	var full, nobody error = syscall.EMFILE, syscall.ECONNREFUSED
	why.Store(&full)
	for range 20 {
		refused(t, vip)
	}
	if n := ejected(); n != 0 {
		t.Errorf("%d targets are ejected, as this process had no file left", n)
	}
	why.Store(&nobody)
	eventually(t, "a target that cannot be reached is ejected", func() bool {
		refused(t, vip)
		return ejected() == 1
	})
}
