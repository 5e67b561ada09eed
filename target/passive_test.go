package target_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"portico/spec"
	"portico/target"
)

// outliers ejects a target after three failures in a row.
func outliers(changes ...func(*spec.Outliers)) func(*spec.TargetGroup) {
	o := &spec.Outliers{
		Failures: 3, Interval: spec.Duration(10 * time.Second), EjectFor: spec.Duration(30 * time.Second),
		EjectMax: spec.Duration(5 * time.Minute), MaxEjected: 30, Trials: 2,
	}
	for _, change := range changes {
		change(o)
	}
	return func(g *spec.TargetGroup) { g.Outliers = o }
}

var (
	good = target.Outcome{Status: 200, Latency: time.Millisecond}
	bad  = target.Outcome{Status: 503}
	lost = target.Outcome{Failure: "reset"}
)

func report(m *target.Target, outcomes ...target.Outcome) {
	for _, o := range outcomes {
		m.Report(o)
	}
}

func expectPicked(t *testing.T, ts *target.Targets, want string) {
	t.Helper()
	if got := strings.Join(picked(ts.Group("web")), " "); got != want {
		t.Errorf("picked %q, want %q", got, want)
	}
}

// TestEjection proves the whole way of a target that fails: out at once, on trial
// one request at a time when its time is over, back when enough went well, and out
// for longer when it fails on trial.
func TestEjection(t *testing.T) {
	for name, check := range map[string]func(*spec.TargetGroup){"checked": func(*spec.TargetGroup) {}, "unchecked": unchecked} {
		t.Run(name, func(t *testing.T) {
			n := newNetwork()
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				ts := running(t, target.Options{Dial: n.dial, Log: slog.New(slog.NewTextHandler(&log, nil))})
				apply(t, ts, web(4, check, outliers()))
				pass(time.Second)
				one := find(t, ts, 1)
				report(one, bad, bad, good, bad, bad)
				pass(time.Millisecond)
				expectPicked(t, ts, "t1 t2 t3 t4") // not three in a row
				report(one, lost)
				pass(time.Second)
				expectPicked(t, ts, "t2 t3 t4")
				if ts.Group("web").Resume(one.ID()) != nil {
					t.Error("a session stays at an ejected target")
				}
				e := ts.Status()[0].Targets[0].Ejection
				if e == nil || e.Phase != "ejected" || e.Reason != "3 failures in a row: reset" || len(e.History) != 1 {
					t.Errorf("status: %+v", e)
				}
				pass(30 * time.Second)
				expectPicked(t, ts, "t1 t2 t3 t4")
				trial(t, ts, one)
				report(one, good, good)
				pass(time.Second)
				if first, second := one.TryBegin(), one.TryBegin(); !first || !second {
					t.Error("a target that is back takes one at a time")
				}
				report(one, bad, bad, bad)
				pass(time.Second)
				e = ts.Status()[0].Targets[0].Ejection
				if e.Until.Sub(e.Since) != time.Minute {
					t.Errorf("the second time it is out for %v", e.Until.Sub(e.Since))
				}
				pass(time.Minute)
				report(one, good, bad)
				pass(time.Second)
				e = ts.Status()[0].Targets[0].Ejection
				if e.Phase != "ejected" || e.Reason != "failed on trial: status 503" || e.Until.Sub(e.Since) != 90*time.Second {
					t.Errorf("after a bad trial: %+v", e)
				}
				for _, want := range []string{`msg="target is ejected" group=web target=t1`, `msg="target is on trial"`, `msg="target is back"`} {
					if !strings.Contains(log.String(), want) {
						t.Errorf("the log does not say %s:\n%s", want, &log)
					}
				}
			})
		})
	}
}

// trial proves that a target on trial takes one at a time.
func trial(t *testing.T, ts *target.Targets, m *target.Target) {
	t.Helper()
	if !m.TryBegin() {
		t.Fatal("a target on trial takes nothing")
	}
	if m.TryBegin() {
		t.Error("a target on trial takes two at a time")
	}
	for range 100 {
		if got, _ := ts.Group("web").Take(query(), nil); got == m {
			t.Error("a target on trial is taken while it has one")
		}
	}
	m.End()
}

// TestTrialBesideOld proves that a trial goes on beside what began before the ejection,
// and beside flows whose connection was what was tried: neither may ever end.
func TestTrialBesideOld(t *testing.T) {
	for name, change := range map[string]func(*spec.TargetGroup){
		"no limit": unchecked, "a limit": func(g *spec.TargetGroup) { g.Health, g.Limits.Connections = nil, 20 },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ts := running(t, target.Options{})
				apply(t, ts, web(3, change, outliers()))
				one := find(t, ts, 1)
				for range 5 {
					one.Begin() // such as a WebSocket
				}
				report(one, bad, bad, bad)
				pass(31 * time.Second)
				for range 2 {
					if !one.TryBegin() {
						t.Fatal("a target on trial takes nothing while it has what is older")
					}
					if one.TryBegin() {
						t.Error("a target on trial takes two at a time")
					}
					one.Report(target.Outcome{Latency: time.Millisecond, Goes: true})
				}
				pass(time.Second)
				if e := ts.Status()[0].Targets[0].Ejection; e.Phase != "in" {
					t.Errorf("after two good trials: %+v", e)
				}
			})
		})
	}
}

// TestEjectionGuard proves that no more are ejected than the share allows, and the
// last target never.
func TestEjectionGuard(t *testing.T) {
	tests := []struct {
		name  string
		group spec.TargetGroup
		want  int // that are left
	}{
		{"one", web(1, unchecked, outliers()), 1},
		{"two", web(2, unchecked, outliers()), 1},
		{"ten", web(10, unchecked, outliers()), 7},
		{"ten, most", web(10, unchecked, outliers(func(o *spec.Outliers) { o.MaxEjected = 90 })), 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ts := running(t, target.Options{})
				apply(t, ts, tt.group)
				for _, m := range ts.Group("web").Targets() {
					report(m, bad, bad, bad)
				}
				pass(time.Second)
				if got := len(picked(ts.Group("web"))); got != tt.want {
					t.Errorf("%d targets are left, want %d", got, tt.want)
				}
			})
		})
	}
}

// TestEjectionBesideHealth proves that an ejected target is used when the others
// become unhealthy: half a target is better than none.
func TestEjectionBesideHealth(t *testing.T) {
	n := newNetwork()
	synctest.Test(t, func(t *testing.T) {
		ts := running(t, target.Options{Dial: n.dial})
		apply(t, ts, web(2, outliers(func(o *spec.Outliers) { o.EjectFor = spec.Duration(time.Hour) })))
		pass(time.Second)
		report(find(t, ts, 1), bad, bad, bad)
		pass(time.Second)
		expectPicked(t, ts, "t2")
		n.set("refuse", 2)
		pass(10 * time.Second)
		expectPicked(t, ts, "t1")
		if ts.Group("web").Resume(find(t, ts, 1).ID()) == nil {
			t.Error("a session may not stay at the only target that is used")
		}
	})
}

// TestEjectionByComparison proves that targets that fail more, or are slower, than
// the others are ejected at the end of an interval, and counted by kind.
func TestEjectionByComparison(t *testing.T) {
	n := newNetwork()
	synctest.Test(t, func(t *testing.T) {
		ts := running(t, target.Options{Dial: n.dial})
		apply(t, ts, web(8, outliers(func(o *spec.Outliers) {
			o.Failures = 0
			o.SuccessRate = &spec.SuccessRate{Deviations: 1.9, Requests: 20, Targets: 3}
			o.Latency = &spec.LatencyOutlier{Factor: 3, Requests: 20, Targets: 3}
		})))
		pass(time.Second)
		for i, m := range ts.Group("web").Targets() {
			for j := range 50 {
				o := good
				if i == 1 && j%2 == 0 {
					o = bad
				}
				if i == 3 {
					o.Latency = 20 * time.Millisecond
				}
				m.Report(o)
			}
		}
		pass(9 * time.Second)
		expectPicked(t, ts, "t1 t3 t5 t6 t7 t8")
		for i, want := range map[int]string{1: "50.0 % of 50 requests went well", 3: "answers begin after 20ms"} {
			if e := ts.Status()[0].Targets[i].Ejection; e == nil || !strings.HasPrefix(e.Reason, want) {
				t.Errorf("t%d: %+v, want %s", i+1, e, want)
			}
		}
		pass(10 * time.Second)
		expectPicked(t, ts, "t1 t3 t5 t6 t7 t8")
	})
}

// TestEjectionApply proves that ejections outlive a spec that changes something
// else, and end with one that asks for none.
func TestEjectionApply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ts := running(t, target.Options{})
		apply(t, ts, web(3, unchecked, outliers()))
		report(find(t, ts, 1), bad, bad, bad)
		pass(time.Second)
		apply(t, ts, web(3, unchecked, outliers(), weight(2, 5)))
		expectPicked(t, ts, "t2 t3")
		apply(t, ts, web(3, unchecked))
		expectPicked(t, ts, "t1 t2 t3")
		report(find(t, ts, 1), bad, bad, bad, bad, bad)
		pass(time.Minute)
		expectPicked(t, ts, "t1 t2 t3")
		apply(t, ts, web(3, unchecked, outliers()))
		report(find(t, ts, 2), bad, bad, bad)
		pass(time.Second)
		expectPicked(t, ts, "t1 t3")
	})
}

// TestEjectionExplained proves that explain says why a target is out.
func TestEjectionExplained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ts := running(t, target.Options{})
		apply(t, ts, web(3, unchecked, outliers()))
		report(find(t, ts, 1), bad, bad, bad)
		pass(time.Second)
		_, lines := ts.Group("web").Explain(query(), 0)
		want := "-   t1: unknown (no health check), weight 1, 0 in flight: ejected for 30s (3 failures in a row: status 503)\n"
		if got := render(lines); !strings.Contains(got, want) {
			t.Errorf("explained:\n%swant\n%s", got, want)
		}
	})
}

// BenchmarkReport is what a request costs that went well.
func BenchmarkReport(b *testing.B) {
	for name, change := range map[string]func(*spec.TargetGroup){"off": unchecked, "on": outliers()} {
		b.Run(name, func(b *testing.B) {
			ts := target.New(target.Options{})
			if err := ts.Apply([]spec.TargetGroup{web(3, unchecked, change)}); err != nil {
				b.Fatal(err)
			}
			m := ts.Group("web").Targets()[0]
			b.ReportAllocs()
			for b.Loop() {
				m.Report(good)
			}
		})
	}
}
