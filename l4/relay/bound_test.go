package relay_test

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"portico/internal/netx"
	"portico/l4/relay"
	"portico/spec"
	"portico/spec/status"
)

// A flow without a byte either way is reset when its idle time is over, and not
// before; one byte in either direction starts it anew.
func TestIdle(t *testing.T) {
	const idle = time.Second // long beside the stalls of a busy machine
	vip, up := free(t, "127.0.1.10"), make(chan *net.TCPConn, 2)
	want := tcpSpec(vip, server(t, "127.0.2.1", func(c *net.TCPConn) {
		up <- c
		silent(c)
	}))
	want.Listeners[0].Timeouts.Idle = spec.Duration(idle)
	b := start(t, want)
	c := dial(t, vip)
	target := <-up
	for i := range 8 { // twice the idle time in all
		time.Sleep(idle / 4)
		if i%2 == 0 {
			say(t, c, "x")
		} else {
			say(t, target, "y")
			hear(t, c, "y")
		}
	}
	last := time.Now()
	wantReset(t, c)
	if took := time.Since(last); took < idle/2 || took > 10*idle {
		t.Errorf("reset after %v of silence, want after %v", took, idle)
	}
	b.ends(relay.Idle)
}

// A half-closed flow is bounded by the idle time too.
func TestIdleHalfClosed(t *testing.T) {
	vip := free(t, "127.0.1.10")
	want := tcpSpec(vip, server(t, "127.0.2.1", func(c *net.TCPConn) {
		silent(c)
		<-t.Context().Done() // and never ends its own direction
	}))
	want.Listeners[0].Timeouts.Idle = spec.Duration(100 * time.Millisecond)
	b := start(t, want)
	c := dial(t, vip)
	_ = c.CloseWrite()
	wantReset(t, c)
	eventually(t, "the flow ends", func() bool { return b.metric("portico_l4_flows_active") == 0 })
	if n := b.metric("portico_l4_flows_total", "client-closed"); n != 1 {
		t.Errorf("%v flows ended by their client, want 1: it was the first to end", n)
	}
}

// A listener takes as many flows as its limit says, resets those beyond, and
// takes new ones when others ended.
func TestLimit(t *testing.T) {
	vip := free(t, "127.0.1.10")
	want := tcpSpec(vip, server(t, "127.0.2.1", echo))
	want.Listeners[0].Limits.Connections = 2
	b := start(t, want)
	open := []*net.TCPConn{dial(t, vip), dial(t, vip)}
	for _, c := range open {
		say(t, c, "hello")
		hear(t, c, "hello")
	}
	refused(t, vip)
	refused(t, vip)
	if n := b.metric("portico_l4_flows_total", "limit"); n != 2 {
		t.Errorf("%v flows ended for the limit, want 2", n)
	}
	if n := b.metric("portico_l4_flows_active"); n != 2 {
		t.Errorf("%v flows are active, want 2", n)
	}
	_ = open[0].Close()
	eventually(t, "a flow ends", func() bool { return b.metric("portico_l4_flows_active") == 1 })
	c := dial(t, vip)
	say(t, c, "hello")
	hear(t, c, "hello")
	say(t, open[1], "still")
	hear(t, open[1], "still")
}

// TestRate proves that new flows of a listener beyond its rate are reset and counted,
// over every loop, that those it has go on, and that another spec with the same rate
// gives nothing back.
func TestRate(t *testing.T) {
	const burst, tries = 30, 60
	vip := free(t, "127.0.1.10")
	want := tcpSpec(vip, server(t, "127.0.2.1", echo))
	want.Listeners[0].Limits.ConnectionRate = &spec.ConnectionRate{PerSecond: 1, Burst: burst}
	began := time.Now()
	b := start(t, want)
	var open []*net.TCPConn
	came := func() {
		t.Helper()
		for range tries {
			if c := tried(t, vip); c != nil {
				open = append(open, c)
			}
		}
		if most := burst + int(time.Since(began)/time.Second) + 1; len(open) < burst || len(open) > most {
			t.Errorf("%d flows came, want %d to %d", len(open), burst, most)
		}
	}
	came()
	again := func(limits spec.Limits) {
		next := *want
		next.Drain, next.Listeners = 2*want.Drain, append([]spec.Listener(nil), want.Listeners...)
		next.Listeners[0].Limits = limits
		b.apply(&next)
	}
	again(spec.Limits{ConnectionRate: &spec.ConnectionRate{PerSecond: 1, Burst: burst}})
	came()
	if n := b.metric("portico_l4_flows_total", "rate"); int(n) != 2*tries-len(open) {
		t.Errorf("%v flows ended for the rate, want %d", n, 2*tries-len(open))
	}
	for _, l := range b.relay.Status() {
		if int(l.Failed) != 2*tries-len(open) {
			t.Errorf("%d flows failed, want %d", l.Failed, 2*tries-len(open))
		}
	}
	for _, c := range open {
		say(t, c, "still")
		hear(t, c, "still")
	}
	again(spec.Limits{})
	for range tries {
		if tried(t, vip) == nil {
			t.Error("a flow is refused though there is no rate any more")
		}
	}
}

// tried opens a flow that is known to be taken, or returns nil where it is reset.
func tried(t *testing.T, vip netip.AddrPort) *net.TCPConn {
	t.Helper()
	c, err := netx.Dialer{}.Dial(t.Context(), vip)
	if err == nil {
		t.Cleanup(func() { _ = c.Close() })
		_ = c.SetDeadline(time.Now().Add(hang))
		if _, err = c.Write([]byte("x")); err == nil {
			_, err = c.Read(make([]byte, 1))
		}
	}
	switch {
	case err == nil:
		return c.(*net.TCPConn)
	case !netx.IsReset(err):
		t.Errorf("the flow ends with %v, want a reset", err)
	}
	return nil
}

// TestTargetLimit proves that no target gets more flows than its group says, that
// another takes what one has no room for, and that the rest are refused.
func TestTargetLimit(t *testing.T) {
	vip := free(t, "127.0.1.10")
	want := tcpSpec(vip, server(t, "127.0.2.1", echo), server(t, "127.0.2.2", echo))
	want.TargetGroups[0].Limits = spec.GroupLimits{Connections: 2}
	b := start(t, want)
	var open []*net.TCPConn
	for range 4 {
		c := dial(t, vip)
		say(t, c, "hello")
		hear(t, c, "hello")
		open = append(open, c)
	}
	for _, m := range b.targets.Status()[0].Targets {
		if m.Active != 2 {
			t.Errorf("%s has %d flows, want 2", m.Label, m.Active)
		}
	}
	refused(t, vip)
	if n := b.metric("portico_l4_flows_total", "limit"); n != 1 {
		t.Errorf("%v flows ended for the limit, want 1", n)
	}
	_ = open[0].Close()
	eventually(t, "a flow ends", func() bool { return b.metric("portico_l4_flows_active") == 3 })
	c := dial(t, vip)
	say(t, c, "hello")
	hear(t, c, "hello")
}

// A relay that stops takes nothing new, lets flows finish, and resets those that
// outlive the bound.
func TestDrain(t *testing.T) {
	vip := free(t, "127.0.1.10")
	want := tcpSpec(vip, server(t, "127.0.2.1", echo))
	want.Drain = spec.Duration(2 * time.Second) // in which one of them has to finish
	b := start(t, want)
	finishes, stays := dial(t, vip), dial(t, vip)
	for _, c := range []net.Conn{finishes, stays} {
		say(t, c, "hello")
		hear(t, c, "hello")
	}
	b.stop()
	eventually(t, "nothing new is taken", func() bool {
		c, err := netx.Dialer{}.Dial(t.Context(), vip)
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	})
	say(t, finishes, "bye")
	hear(t, finishes, "bye")
	_ = finishes.CloseWrite()
	wantEnd(t, finishes)
	say(t, stays, "still")
	hear(t, stays, "still")
	wantReset(t, stays)
	<-b.stopped
	if done, cut := b.metric("portico_l4_flows_total", "client-closed"), b.metric("portico_l4_flows_total", "drained"); done < 1 || cut != 1 {
		t.Errorf("%v flows finished and %v were cut, want some and 1", done, cut)
	}
	if err := b.relay.Apply(want); err == nil {
		t.Error("Apply after the drain succeeds, want an error")
	}
}

// A drain that has nothing to wait for does not wait, and may be asked for
// before the relay is told to stop.
func TestDrainAtOnce(t *testing.T) {
	vip := free(t, "127.0.1.10")
	b := start(t, tcpSpec(vip, server(t, "127.0.2.1", echo)))
	began := time.Now()
	if err := b.relay.Drain(context.Background()); err != nil {
		t.Fatal(err)
	}
	b.stop()
	<-b.stopped
	if took := time.Since(began); took > hang/4 {
		t.Errorf("draining nothing took %v", took)
	}
}

// A new spec changes where new flows go; open ones stay, those of listeners and
// targets that left for the drain bound only.
func TestApplyKeepsFlows(t *testing.T) {
	vip, other := free(t, "127.0.1.10"), free(t, "127.0.1.10")
	one, two := server(t, "127.0.2.1", named("1")), server(t, "127.0.2.2", named("2"))
	b := start(t, tcpSpec(vip, one))
	c := dial(t, vip)
	hear(t, c, "1")

	// Another listener comes and the old one is balanced over a new target too.
	grown := tcpSpec(vip, one, two)
	grown.Listeners = append(grown.Listeners, spec.Listener{Name: "other", VIP: "public", Port: other.Port(), Protocol: spec.ProtocolTCP, TargetGroups: []spec.GroupRef{{Name: "db", Weight: 1}}})
	grown.Drain = spec.Duration(100 * time.Millisecond)
	b.apply(grown)
	say(t, c, "hello")
	hear(t, c, "hello")
	_ = dial(t, other).Close()

	// Its target leaves and comes back before the bound passes: the flow stays.
	gone := tcpSpec(vip, two)
	gone.Drain = spec.Duration(time.Hour)
	b.apply(gone)
	d := dial(t, vip)
	hear(t, d, "2")
	b.apply(grown)
	time.Sleep(300 * time.Millisecond)
	say(t, c, "hello")
	hear(t, c, "hello")

	// It leaves for good: the flow stays until the bound, the other longer.
	gone.Drain = spec.Duration(100 * time.Millisecond)
	b.apply(gone)
	say(t, c, "hello")
	hear(t, c, "hello")
	wantReset(t, c)
	say(t, d, "hello")
	hear(t, d, "hello")

	// The listener leaves: nothing new is taken, and the flow is cut after the bound.
	none := tcpSpec(vip, two)
	none.Listeners, none.Drain = nil, gone.Drain
	b.apply(none)
	say(t, d, "hello")
	hear(t, d, "hello")
	if c, err := (netx.Dialer{}).Dial(t.Context(), vip); err == nil {
		_ = c.Close()
		t.Error("a listener that left takes a flow, want it to refuse")
	}
	wantReset(t, d)
	eventually(t, "the metrics of a listener that left are dropped", func() bool {
		b.apply(none)
		return b.metric("portico_l4_flows_total") == 0
	})
}

// A spec of which one address cannot be had is not applied, not in part either.
func TestApplyFails(t *testing.T) {
	vip, fresh := free(t, "127.0.1.10"), free(t, "127.0.1.10")
	taken := server(t, "127.0.1.10", echo)
	b := start(t, tcpSpec(vip, server(t, "127.0.2.1", named("old"))))
	next := tcpSpec(vip, server(t, "127.0.2.2", named("new")))
	next.Listeners[0].Port = fresh.Port()
	next.Listeners = append(next.Listeners, spec.Listener{Name: "taken", VIP: "public", Port: taken.Port(), Protocol: spec.ProtocolTCP, TargetGroups: []spec.GroupRef{{Name: "db", Weight: 1}}})
	err := b.relay.Apply(next)
	if want := `listener "taken": listen ` + taken.String() + ": address already in use"; err == nil || err.Error() != want {
		t.Errorf("Apply = %v, want %s", err, want)
	}
	hear(t, dial(t, vip), "old")
	if c, err := (netx.Dialer{}).Dial(t.Context(), fresh); err == nil {
		_ = c.Close()
		t.Error("a listener of a spec that was not applied takes flows")
	}
}

// A flow whose target drains or becomes unhealthy is left alone: only what is
// new goes elsewhere.
func TestUnhealthyKeepsFlows(t *testing.T) {
	vip, sick := free(t, "127.0.1.10"), server(t, "127.0.2.1", named("1"))
	want := tcpSpec(vip, sick)
	b := start(t, want)
	c := dial(t, vip)
	hear(t, c, "1")
	next := tcpSpec(vip, sick, server(t, "127.0.2.2", named("2")))
	next.TargetGroups[0].Targets[0].Drain = true
	b.apply(next)
	for range 5 {
		hear(t, dial(t, vip), "2")
	}
	say(t, c, "hello")
	hear(t, c, "hello")
}

// A target of weight 0 gets nothing new, and keeps the flows it has without a bound.
func TestWeightZeroKeepsFlows(t *testing.T) {
	vip, one, two := free(t, "127.0.1.10"), server(t, "127.0.2.1", named("1")), server(t, "127.0.2.2", named("2"))
	want := tcpSpec(vip, one)
	want.Drain = spec.Duration(50 * time.Millisecond)
	b := start(t, want)
	c := dial(t, vip)
	hear(t, c, "1")
	next := tcpSpec(vip, one, two)
	next.TargetGroups[0].Targets[0].Weight, next.Drain = 0, want.Drain
	b.apply(next)
	for range 5 {
		hear(t, dial(t, vip), "2")
	}
	time.Sleep(3 * want.Drain.D()) // a bound would have passed
	say(t, c, "hello")
	hear(t, c, "hello")
}

// Explain tells where a flow goes from the tables that flows are sent by.
func TestExplain(t *testing.T) {
	vip := free(t, "127.0.1.10")
	targets := []netip.AddrPort{server(t, "127.0.2.1", named("1")), server(t, "127.0.2.2", named("2")), server(t, "127.0.2.3", named("3"))}
	b := start(t, tcpSpec(vip, targets...))
	for range 5 {
		c := dial(t, vip)
		from := c.LocalAddr().(*net.TCPAddr).AddrPort()
		a, ok := b.relay.Explain(question(from, vip))
		if !ok || len(a.Next) != 1 || a.Tier != spec.RoleL4 || a.Node != self {
			t.Fatalf("Explain = %+v, %v, want one target", a, ok)
		}
		at := 0
		for i, target := range targets {
			if target == a.Next[0] {
				at = i
			}
		}
		hear(t, c, string(rune('1'+at)))
		var text strings.Builder
		for _, l := range a.Lines {
			text.WriteString(l.Mark + l.Text + "\n")
		}
		for _, want := range []string{`listener "db" on ` + vip.String(), "key ", `+target group "db", weight 1 of 1: the flow's key falls to it`, "balance maglev", "+" + targets[at].String()} {
			if !strings.Contains(text.String(), want) {
				t.Errorf("Explain says\n%swant %q in it", text.String(), want)
			}
		}
	}
	if a, ok := b.relay.Explain(question(vip, free(t, "127.0.1.10"))); ok {
		t.Errorf("Explain of an address without a listener = %+v, want none", a)
	}
	none := tcpSpec(vip)
	none.TargetGroups[0].Targets = targetsOf(targets[0])
	none.TargetGroups[0].Targets[0].Weight = 0
	b.apply(none)
	if a, ok := b.relay.Explain(question(targets[0], vip)); !ok || len(a.Next) != 0 || !strings.HasPrefix(a.Result, "the flow is reset: ") {
		t.Errorf("Explain without a target = %+v, %v, want that the flow is reset", a, ok)
	}
}

func question(from, vip netip.AddrPort) status.Question {
	return status.Question{From: from.Addr(), Flow: from.Port(), VIP: vip}
}
