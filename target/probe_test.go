package target_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"portico/spec"
	"portico/spec/status"
	"portico/target"
)

// TestCadence proves when probes are made: the first one promptly, the rest an
// interval apart, give or take 10 %, and also when a probe takes its time.
func TestCadence(t *testing.T) {
	tests := []struct {
		name      string
		how       string
		low, high time.Duration
	}{
		{"accept", "", 900 * time.Millisecond, 1100 * time.Millisecond},
		{"refuse", "refuse", 900 * time.Millisecond, 1100 * time.Millisecond},
		{"hang within the interval", "hang", 900 * time.Millisecond, 1100 * time.Millisecond},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := newNetwork()
			n.set(tt.how, 1, 2, 3, 4, 5)
			synctest.Test(t, func(t *testing.T) {
				ts := running(t, target.Options{Dial: n.dial})
				begun := time.Now()
				apply(t, ts, web(5))
				pass(60 * time.Second)
				gaps := map[time.Duration]bool{}
				for host := 1; host <= 5; host++ {
					at := n.probed(host)
					if len(at) < 54 || len(at) > 67 {
						t.Fatalf("%d probes in a minute", len(at))
					}
					if first := at[0].Sub(begun); first > 200*time.Millisecond {
						t.Errorf("the first probe after %v", first)
					}
					for i := 1; i < len(at); i++ {
						gap := at[i].Sub(at[i-1])
						gaps[gap] = true
						if gap < tt.low || gap > tt.high {
							t.Errorf("probes %v apart, want %v to %v", gap, tt.low, tt.high)
						}
					}
				}
				if len(gaps) < 100 {
					t.Errorf("only %d different gaps: there is no jitter", len(gaps))
				}
			})
		})
	}
}

// TestSlowProbe proves that a probe that takes longer than the interval is
// neither cut short nor joined by another.
func TestSlowProbe(t *testing.T) {
	n := newNetwork()
	n.set("hang", 1)
	synctest.Test(t, func(t *testing.T) {
		ts := running(t, target.Options{Dial: n.dial})
		apply(t, ts, web(1, func(g *spec.TargetGroup) { g.Health.Timeout = spec.Duration(3 * time.Second) }))
		pass(31 * time.Second)
		at := n.probed(1)
		if len(at) != 11 || n.most != 1 {
			t.Errorf("%d probes in 31 s, %d at a time, want 11 and 1", len(at), n.most)
		}
		wantVerdict(t, find(t, ts, 1), status.Unhealthy, "timeout after 3s waiting for a connection")
	})
}

// TestVerdict proves how a target becomes unhealthy and healthy again, what it
// says meanwhile, and that one line is logged for each change.
func TestVerdict(t *testing.T) {
	var log bytes.Buffer
	n := newNetwork()
	var changes atomic.Int64
	o := target.Options{
		Dial: n.dial, Log: slog.New(slog.NewTextHandler(&log, nil)),
		OnChange: func(g *target.Group) {
			if g.Name() == "web" {
				changes.Add(1)
			}
		},
	}
	synctest.Test(t, func(t *testing.T) {
		ts := running(t, o)
		apply(t, ts, web(1))
		m := find(t, ts, 1)
		wantVerdict(t, m, status.Unknown, "not probed yet")
		pass(500 * time.Millisecond)
		wantVerdict(t, m, status.Healthy, "check passed")

		n.set("refuse", 1)
		await(t, func() bool { return len(n.probed(1)) == 2 })
		wantVerdict(t, m, status.Healthy, "1 of 3 probes failed: connect refused")
		await(t, func() bool { return len(n.probed(1)) == 4 })
		wantVerdict(t, m, status.Unhealthy, "connect refused")

		n.set("", 1)
		await(t, func() bool { return len(n.probed(1)) == 5 })
		wantVerdict(t, m, status.Unhealthy, "1 of 2 probes passed, before: connect refused")
		await(t, func() bool { return len(n.probed(1)) == 6 })
		wantVerdict(t, m, status.Healthy, "check passed")
		if since := ts.Status()[0].Targets[0].Since; time.Since(since) > 100*time.Millisecond {
			t.Errorf("healthy since %v, and it is %v", since, time.Now())
		}
		var history []string
		for _, h := range m.History() {
			history = append(history, h.Verdict.String()+" "+h.Reason)
		}
		if want := []string{"healthy check passed", "unhealthy connect refused", "healthy check passed"}; !slices.Equal(history, want) {
			t.Errorf("history %q, want %q", history, want)
		}
	})
	if got := changes.Load(); got != 4 { // the spec and three verdicts
		t.Errorf("OnChange was called %d times, want 4", got)
	}
	got := regexp.MustCompile(`time=\S+ |after=\S+`).ReplaceAllString(log.String(), "")
	want := `level=INFO msg="target is healthy" group=web target=t1 address=10.0.0.1:80 
level=WARN msg="target is unhealthy" group=web target=t1 address=10.0.0.1:80 reason="connect refused" 
level=INFO msg="target is healthy" group=web target=t1 address=10.0.0.1:80 
`
	if got != want {
		t.Errorf("log:\n%s\nwant:\n%s", got, want)
	}
}

// await lets fake time pass until something is so.
func await(t *testing.T, so func() bool) {
	t.Helper()
	for range 1000 {
		if synctest.Wait(); so() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("it did not come")
}

// TestApplyKeeps proves what survives a new spec: verdict, history, load and
// counters of every target that stays, and the probing of those that need no other.
func TestApplyKeeps(t *testing.T) {
	hourly := func(g *spec.TargetGroup) { g.Health.Interval = spec.Duration(time.Hour) }
	tests := []struct {
		name    string
		after   spec.TargetGroup
		verdict status.Verdict
		probes  int // of t1 within 500 ms of the new spec
	}{
		{"the same", web(2), status.Unhealthy, 0},
		{"a target comes", web(3), status.Unhealthy, 0},
		{"a target goes", web(1), status.Unhealthy, 0},
		{"weight and drain", web(2, weight(1, 5), drain(2)), status.Unhealthy, 0},
		{"balance", web(2, balanced("maglev")), status.Unhealthy, 0},
		{"rise and fall", web(2, func(g *spec.TargetGroup) { g.Health.Rise = 9 }), status.Unhealthy, 0},
		{"interval", web(2, hourly), status.Unhealthy, 1},
		{"another question", web(2, func(g *spec.TargetGroup) { g.Health.Check.Name = "ready" }), status.Unhealthy, 1},
		{"no check", web(2, unchecked), status.Unknown, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := newNetwork()
			n.set("refuse", 1)
			synctest.Test(t, func(t *testing.T) {
				ts := running(t, target.Options{Dial: n.dial})
				apply(t, ts, web(2))
				await(t, func() bool { return len(n.probed(1)) == 1 })
				m := find(t, ts, 1)
				m.Begin()
				since := ts.Status()[0].Targets[0].Since
				apply(t, ts, tt.after)
				pass(500 * time.Millisecond)
				if find(t, ts, 1) != m {
					t.Error("it is another target now")
				}
				if v, _ := m.Verdict(); v != tt.verdict {
					t.Errorf("it is %v now, want %v", v, tt.verdict)
				}
				s := ts.Status()[0].Targets[0]
				if s.Active != 1 || s.Total != 1 || tt.verdict == status.Unhealthy && !s.Since.Equal(since) {
					t.Errorf("status: %d active of %d since %v, want 1 of 1 since %v", s.Active, s.Total, s.Since, since)
				}
				if got := len(n.probed(1)) - 1; got != tt.probes {
					t.Errorf("%d probes within 500 ms, want %d", got, tt.probes)
				}
			})
		})
	}
}

// TestApplyStops proves that what is removed is not probed any more, that a late
// answer changes nothing, and that what comes back is unknown.
func TestApplyStops(t *testing.T) {
	n := newNetwork()
	n.set("hang", 1)
	synctest.Test(t, func(t *testing.T) {
		ts := running(t, target.Options{Dial: n.dial})
		other := web(1)
		other.Name = "other"
		apply(t, ts, web(2), other)
		await(t, func() bool { return len(n.probed(1)) == 2 }) // both are under way
		gone := find(t, ts, 1)
		apply(t, ts, web(2, func(g *spec.TargetGroup) { g.Targets = g.Targets[1:] }))
		before := len(n.probed(2))
		pass(time.Minute)
		if got := len(n.probed(1)); got != 2 {
			t.Errorf("%d more probes of what was removed", got-2)
		}
		if got := len(n.probed(2)) - before; got < 54 {
			t.Errorf("%d probes in a minute of what stayed", got)
		}
		wantVerdict(t, gone, status.Unknown, "not probed yet")
		if ts.Group("other") != nil {
			t.Error("the group that was removed is still there")
		}
		apply(t, ts, web(2, unchecked))
		before = len(n.probed(2))
		pass(time.Minute)
		if got := len(n.probed(2)); got != before {
			t.Errorf("%d probes without a check", got-before)
		}
		apply(t, ts, web(2))
		wantVerdict(t, find(t, ts, 2), status.Unknown, "not probed yet")
		pass(time.Second)
		wantVerdict(t, find(t, ts, 2), status.Healthy, "check passed")
	})
}

// TestRun proves that groups applied before Run are probed when it starts, none
// after it ended, and that it waits for what is under way.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		ts := target.New(target.Options{Dial: n.dial})
		apply(t, ts, web(3))
		pass(time.Minute)
		if got := len(n.probed(1)); got != 0 {
			t.Errorf("%d probes before Run", got)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := ts.Run(ctx); err != nil {
			t.Errorf("Run = %v", err)
		}
		made := len(n.probed(1))
		if made < 9 || made > 12 {
			t.Errorf("%d probes in ten seconds", made)
		}
		apply(t, ts, web(4))
		pass(time.Minute)
		if got := len(n.probed(1)) + len(n.probed(4)); got != made {
			t.Errorf("%d probes after Run", got-made)
		}
		wantVerdict(t, find(t, ts, 1), status.Healthy, "check passed")
	})
}

// TestManyHang proves that the probes under way are bounded, that those that wait
// for a slot are made in the end, and that verdicts of many that change together
// share their tables.
func TestManyHang(t *testing.T) {
	n := newNetwork()
	const targets = 1200
	for host := 1; host <= targets; host++ {
		n.set("hang", host)
	}
	synctest.Test(t, func(t *testing.T) {
		var tables atomic.Int64
		ts := running(t, target.Options{Dial: n.dial, OnChange: func(*target.Group) { tables.Add(1) }})
		apply(t, ts, web(targets))
		pass(10 * time.Second)
		if got := tables.Load(); got > targets/3 {
			t.Errorf("%d tables for %d verdicts", got, targets)
		}
		if n.most > 1024 {
			t.Errorf("%d probes at a time, want at most 1024", n.most)
		}
		for _, m := range ts.Status()[0].Targets {
			if m.Verdict != status.Unhealthy {
				t.Fatalf("%s is %v", m.Label, m.Verdict)
			}
		}
		if mode := ts.Group("web").Mode(); mode != target.ModeOpen {
			t.Errorf("mode %s, want %s", mode, target.ModeOpen)
		}
	})
}

// TestCheck proves what is refused, all of it at once, and that nothing changes then.
func TestCheck(t *testing.T) {
	ts := target.New(target.Options{})
	apply(t, ts, web(1, unchecked))
	bad := web(4, balanced("least-con"), weight(1, -1), weight(2, 65536), func(g *spec.TargetGroup) {
		g.Health.Check.Name = "ping"
		g.Health.Interval, g.Health.Timeout = 0, spec.Off
		g.Targets[3] = g.Targets[2]
		g.Targets = append(g.Targets, spec.Target{Name: "nowhere"})
	})
	many := web(4097, unchecked)
	params := web(0, func(g *spec.TargetGroup) {
		g.Name = "params"
		g.Balance = &spec.Choice{Name: "least-conn", Params: 1}
		g.Health.Check.Params = "x"
	})
	want := []string{
		`targetGroups[0].balance: unknown algorithm "least-con"`,
		`targetGroups[0].health.check: unknown check "ping"`,
		`targetGroups[0].health.interval: 0s is no time between probes`,
		`targetGroups[0].health.timeout: off is no time for a probe`,
		`targetGroups[0].targets[0].weight: -1 is out of range; use 0 to 65535`,
		`targetGroups[0].targets[1].weight: 65536 is out of range; use 0 to 65535`,
		`targetGroups[0].targets[3].address: "10.0.0.3:80" is listed twice in this group; it is targets[2] already; use weight to give it more`,
		`targetGroups[0].targets[4].address: "invalid AddrPort" is not an address with a port`,
		`targetGroups[1].name: target group "web" is defined twice`,
		`targetGroups[1].targets: 4097 targets; a group may have 4096`,
		`targetGroups[2].balance: "least-conn" takes no parameters`,
		`targetGroups[2].health.check: parameters of "tcp" are a string, want a *health.TCP`,
	}
	err := ts.Apply([]spec.TargetGroup{bad, many, params})
	if err == nil {
		t.Fatal("Apply took it")
	}
	if got := strings.Split(err.Error(), "\n"); !slices.Equal(got, want) {
		t.Errorf("problems:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if s := ts.Status(); len(s) != 1 || len(s[0].Targets) != 1 {
		t.Errorf("after a refused spec there are %d groups", len(s))
	}
	if ps := ts.Check([]spec.TargetGroup{web(4096)}); len(ps) != 0 {
		t.Errorf("as many targets as may be: %v", ps)
	}
}

// TestOrder proves that groups are reported as they were applied, and that only
// those in which something changed are announced.
func TestOrder(t *testing.T) {
	var changed []string
	ts := target.New(target.Options{OnChange: func(g *target.Group) { changed = append(changed, string(g.Name())) }})
	named := func(name string, n int) spec.TargetGroup {
		g := web(n, unchecked)
		g.Name = spec.TargetGroupName(name)
		return g
	}
	apply(t, ts, named("b", 1), named("a", 1))
	apply(t, ts, named("a", 1), named("b", 2), named("c", 1))
	var order []string
	for _, g := range ts.Status() {
		order = append(order, string(g.Name))
	}
	if got, want := fmt.Sprint(order, changed), "[a b c] [b a b c]"; got != want {
		t.Errorf("order and changes %s, want %s", got, want)
	}
}
