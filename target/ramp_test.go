package target_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"portico/spec"
	"portico/target"
	"portico/target/balance"
)

func panicBelow(percent int) func(*spec.TargetGroup) {
	return func(g *spec.TargetGroup) { g.PanicThreshold = percent }
}

func slowStart(g *spec.TargetGroup) {
	g.SlowStart = &spec.SlowStart{For: spec.Duration(100 * time.Second), From: 10}
}

// TestRamp proves how a weight grows.
func TestRamp(t *testing.T) {
	s := &spec.SlowStart{For: spec.Duration(100 * time.Second), From: 10}
	since := time.Unix(1_700_000_000, 0)
	tests := []struct {
		after   time.Duration
		percent int
		next    time.Duration // from since; 0 is never
	}{
		{-time.Second, 10, 10 * time.Second},
		{0, 10, 10 * time.Second},
		{10*time.Second - 1, 10, 10 * time.Second},
		{10 * time.Second, 19, 20 * time.Second},
		{55 * time.Second, 55, 60 * time.Second},
		{99 * time.Second, 91, 100 * time.Second},
		{100 * time.Second, 100, 0},
		{time.Hour, 100, 0},
	}
	for _, tt := range tests {
		percent, next := target.Ramp(s, since, since.Add(tt.after))
		want := time.Time{}
		if tt.next > 0 {
			want = since.Add(tt.next)
		}
		if percent != tt.percent || !next.Equal(want) {
			t.Errorf("after %v: Ramp = %d, %v, want %d, %v", tt.after, percent, next, tt.percent, want)
		}
	}
	if percent, next := target.Ramp(nil, since, since); percent != 100 || !next.IsZero() {
		t.Errorf("without slow start: %d, %v", percent, next)
	}
}

// share is the percentage of many picks that a target gets.
func share(g *target.Group, label string) int {
	const picks = 20000
	n := 0
	for range picks {
		m, _ := g.Take(query(), nil)
		if m.Label() == label {
			n++
		}
		m.End()
	}
	return (n*100 + picks/2) / picks
}

// TestSlowStart proves for every algorithm that shares by weight that a target
// which becomes healthy gets a tenth of its share first, and then more and more.
func TestSlowStart(t *testing.T) {
	for _, name := range []string{"round-robin", "random", "random-two", "least-conn", "maglev", "rendezvous"} {
		if _, ok := balance.Lookup(name); !ok {
			t.Fatalf("no algorithm %s", name)
		}
		t.Run(name, func(t *testing.T) {
			n := newNetwork()
			n.set("refuse", 1)
			synctest.Test(t, func(t *testing.T) {
				ts := running(t, target.Options{Dial: n.dial})
				apply(t, ts, web(2, balanced(name), slowStart, weight(2, 3)))
				pass(5 * time.Minute)
				g := ts.Group("web")
				n.set("accept", 1)
				for g.Status().Targets[0].Percent != 10 {
					pass(100 * time.Millisecond)
				}
				near := func(want int) {
					t.Helper()
					if got := share(g, "t1"); got < want-3 || got > want+3 {
						t.Errorf("t1 gets %d %% of the picks, want %d %%", got, want)
					}
				}
				near(3) // 1*10 of 1*10 + 3*100
				pass(50 * time.Second)
				near(15) // 1*55 of 1*55 + 3*100
				pass(51 * time.Second)
				near(25)
				if p := g.Status().Targets[0].Percent; p != 0 {
					t.Errorf("warm at last, the status says %d %%", p)
				}
			})
		})
	}
}

// TestSlowStartOf proves what warms up besides targets that become healthy: new
// ones, and those that come back from an ejection; and that explain says so.
func TestSlowStartOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ts := running(t, target.Options{})
		apply(t, ts, web(2, unchecked, slowStart, outliers()))
		g := ts.Group("web")
		pass(time.Second)
		if p := g.Status().Targets[0].Percent; p != 0 {
			t.Errorf("a target of a new group begins at %d %%", p)
		}
		apply(t, ts, web(3, unchecked, slowStart, outliers()))
		_, lines := g.Explain(query(), 0)
		if text := render(lines); strings.Count(text, "weight 1, 0 in flight, at 10 % of its weight") != 1 {
			t.Errorf("one is new; explained:\n%s", text)
		}
		pass(time.Second)
		report(find(t, ts, 1), bad, bad, bad)
		pass(31 * time.Second)
		report(find(t, ts, 1), good, good)
		pass(time.Second)
		if p := g.Status().Targets[0].Percent; p != 10 {
			t.Errorf("back from an ejection it is at %d %%, want 10 %%", p)
		}
		apply(t, ts, web(3, unchecked))
		if p := g.Status().Targets[0].Percent; p != 0 {
			t.Errorf("without slow start it is at %d %%", p)
		}
	})
}
