package target_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"portico/spec"
	"portico/spec/status"
	"portico/target"
	"portico/target/balance"
)

func query() balance.Query { return balance.Query{Key: rand.Uint64(), Draw: rand.Uint64()} }

// picked lists the labels that many picks give, sorted.
func picked(g *target.Group) []string {
	var labels []string
	for range 300 {
		if m := g.Pick(query(), nil); m != nil && !slices.Contains(labels, m.Label()) {
			labels = append(labels, m.Label())
		}
	}
	slices.Sort(labels)
	return labels
}

// TestModes proves which targets take what is new: the meanings of unknown, drain,
// weight 0 and fail-open that are the same in every tier.
func TestModes(t *testing.T) {
	dead := func(hosts ...int) map[string][]int { return map[string][]int{"refuse": hosts} }
	slow := func(hosts ...int) map[string][]int { return map[string][]int{"hang": hosts} }
	patient := func(g *spec.TargetGroup) { g.Health.Timeout = spec.Duration(time.Minute) }
	tests := []struct {
		name  string
		how   map[string][]int
		group spec.TargetGroup
		mode  string
		used  []string
	}{
		{"all healthy", nil, web(3), target.ModeHealthy, []string{"t1", "t2", "t3"}},
		{"one unhealthy", dead(2), web(3), target.ModeHealthy, []string{"t1", "t3"}},
		{"one unknown is not used beside healthy ones", slow(2), web(3, patient), target.ModeHealthy, []string{"t1", "t3"}},
		{"all unknown", slow(1, 2), web(2, patient), target.ModeUnknown, []string{"t1", "t2"}},
		{"unknown before unhealthy", map[string][]int{"hang": {1}, "refuse": {2}}, web(2, patient), target.ModeUnknown, []string{"t1"}},
		{"unknown, and fail", slow(1, 2), web(2, patient, failClosed), target.ModeUnknown, []string{"t1", "t2"}},
		{"all unhealthy: fail open", dead(1, 2), web(2), target.ModeOpen, []string{"t1", "t2"}},
		{"all unhealthy: fail", dead(1, 2), web(2, failClosed), target.ModeNone, nil},
		{"fail open uses no drained ones", dead(1, 2, 3), web(3, drain(1), weight(2, 0)), target.ModeOpen, []string{"t3"}},
		{"few healthy, and a panic threshold", dead(1, 2, 3), web(5, panicBelow(50)), target.ModePanic, []string{"t1", "t2", "t3", "t4", "t5"}},
		{"enough healthy for the panic threshold", dead(1, 2), web(4, panicBelow(50)), target.ModeHealthy, []string{"t3", "t4"}},
		{"panic uses no drained ones", dead(1, 2), web(4, panicBelow(50), drain(3)), target.ModePanic, []string{"t1", "t2", "t4"}},
		{"none healthy, and a panic threshold", dead(1, 2), web(2, panicBelow(50), failClosed), target.ModeNone, nil},
		{"drain", nil, web(3, drain(2)), target.ModeHealthy, []string{"t1", "t3"}},
		{"weight 0", nil, web(3, weight(2, 0)), target.ModeHealthy, []string{"t1", "t3"}},
		{"all drain", nil, web(2, drain(1), drain(2)), target.ModeNone, nil},
		{"all drain or weigh nothing", nil, web(2, drain(1), weight(2, 0)), target.ModeNone, nil},
		{"the healthy one drains, the other is unhealthy", dead(2), web(2, drain(1)), target.ModeOpen, []string{"t2"}},
		{"no check", dead(1, 2), web(2, unchecked), target.ModeUnchecked, []string{"t1", "t2"}},
		{"no check, drain", nil, web(2, unchecked, drain(1)), target.ModeUnchecked, []string{"t2"}},
		{"no targets", nil, web(0), target.ModeNone, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := newNetwork()
			for how, hosts := range tt.how {
				n.set(how, hosts...)
			}
			synctest.Test(t, func(t *testing.T) {
				ts := running(t, target.Options{Dial: n.dial})
				apply(t, ts, tt.group)
				pass(time.Second)
				g := ts.Group("web")
				if g.Mode() != tt.mode {
					t.Errorf("mode %s, want %s", g.Mode(), tt.mode)
				}
				if got := picked(g); !slices.Equal(got, tt.used) {
					t.Errorf("picked %v, want %v", got, tt.used)
				}
				s := g.Status()
				var used []string
				for _, m := range s.Targets {
					if m.Used {
						used = append(used, m.Label)
					}
				}
				if s.Mode != tt.mode || !slices.Equal(used, tt.used) {
					t.Errorf("status: mode %s, used %v, want %s, %v", s.Mode, used, tt.mode, tt.used)
				}
			})
		})
	}
}

// TestTried proves for every algorithm that each target is offered before one is
// offered again, and none when all were tried.
func TestTried(t *testing.T) {
	for _, a := range balance.All() {
		t.Run(a.Name, func(t *testing.T) {
			ts := target.New(target.Options{})
			const n = 20
			apply(t, ts, web(n, unchecked, balanced(a.Name), weight(1, 60000)))
			g := ts.Group("web")
			q := query()
			var tried []*target.Target
			for len(tried) < n {
				m := g.Pick(q, tried)
				if m == nil || slices.Contains(tried, m) {
					t.Fatalf("after %d tried: picked %v", len(tried), m)
				}
				tried = append(tried, m)
			}
			if m := g.Pick(q, tried); m != nil {
				t.Errorf("all were tried, and %s is picked", m.Label())
			}
		})
	}
}

// TestTriedAgreement proves that where a hash chooses, two nodes also agree on
// where to go next, and that what one target leaves behind goes to many others.
func TestTriedAgreement(t *testing.T) {
	here, there := target.New(target.Options{}), target.New(target.Options{})
	group := web(10, unchecked, balanced("maglev"))
	apply(t, here, group)
	group.Targets = slices.Clone(group.Targets)
	slices.Reverse(group.Targets)
	apply(t, there, group)
	second := map[string]bool{}
	for range 500 {
		q := query()
		a1, b1 := here.Group("web").Pick(q, nil), there.Group("web").Pick(q, nil)
		a2 := here.Group("web").Pick(q, []*target.Target{a1})
		b2 := there.Group("web").Pick(q, []*target.Target{b1})
		if a1.ID() != b1.ID() || a2.ID() != b2.ID() {
			t.Fatalf("here %s, then %s; there %s, then %s", a1.Label(), a2.Label(), b1.Label(), b2.Label())
		}
		if a1.Label() == "t1" {
			second[a2.Label()] = true
		}
	}
	if len(second) < 5 {
		t.Errorf("what t1 does not take goes only to %v", second)
	}
}

// TestResume proves where what began may go on.
func TestResume(t *testing.T) {
	n := newNetwork()
	n.set("refuse", 2)
	synctest.Test(t, func(t *testing.T) {
		ts := running(t, target.Options{Dial: n.dial})
		apply(t, ts, web(5, drain(3), weight(4, 0)))
		g := ts.Group("web")
		id := func(host int) uint64 { return find(t, ts, host).ID() }
		if g.Resume(id(1)) == nil {
			t.Error("an unknown target is not resumed")
		}
		pass(time.Second)
		tests := []struct {
			name string
			host int
			want bool
		}{{"healthy", 1, true}, {"unhealthy", 2, false}, {"draining", 3, true}, {"weight 0", 4, true}, {"listed", 5, true}}
		for _, tt := range tests {
			if got := g.Resume(id(tt.host)); (got != nil) != tt.want || got != nil && got.Address() != addr(tt.host) {
				t.Errorf("%s: Resume = %v, want one: %v", tt.name, got, tt.want)
			}
		}
		gone := id(5)
		apply(t, ts, web(4))
		if g.Resume(gone) != nil || g.Resume(0) != nil {
			t.Error("a target that is not listed is resumed")
		}
	})
}

// TestResumeFailOpen proves that sessions stay while every target is unhealthy
// and all are used, and move once another is healthy again.
func TestResumeFailOpen(t *testing.T) {
	n := newNetwork()
	n.set("refuse", 1, 2)
	synctest.Test(t, func(t *testing.T) {
		ts := running(t, target.Options{Dial: n.dial})
		apply(t, ts, web(2))
		pass(time.Second)
		g, first := ts.Group("web"), find(t, ts, 1).ID()
		if g.Mode() != target.ModeOpen || g.Resume(first) == nil {
			t.Errorf("in mode %s Resume = %v, want the session kept while the group fails open", g.Mode(), g.Resume(first))
		}
		n.set("accept", 2)
		pass(time.Minute)
		if g.Mode() != target.ModeHealthy || g.Resume(first) != nil {
			t.Errorf("in mode %s Resume = %v, want the session moved to the healthy target", g.Mode(), g.Resume(first))
		}
	})
}

// TestID proves that a target is called the same on every node, however its
// address is written.
func TestID(t *testing.T) {
	ts := target.New(target.Options{})
	apply(t, ts, web(1, unchecked))
	if got, want := find(t, ts, 1).ID(), balance.Key(addr(1)); got != want {
		t.Errorf("ID() = %x, want %x", got, want)
	}
}

// TestLoad proves that begin and end reach the algorithm, also one that was put
// in place while they were under way.
func TestLoad(t *testing.T) {
	ts := target.New(target.Options{})
	apply(t, ts, web(3, unchecked, balanced("least-conn")))
	g := ts.Group("web")
	busy := find(t, ts, 1)
	for range 5 {
		busy.Begin()
	}
	counts := func() map[string]int {
		got := map[string]int{}
		for range 100 {
			m := g.Pick(query(), nil)
			m.Begin()
			got[m.Label()]++
			m.End()
		}
		return got
	}
	if got := counts(); got["t1"] != 0 {
		t.Errorf("with 5 in flight t1 is picked %d times", got["t1"])
	}
	apply(t, ts, web(3, unchecked, balanced("least-conn"), weight(2, 2)))
	if got := counts(); got["t1"] != 0 {
		t.Errorf("with 5 in flight t1 is picked %d times by a new table", got["t1"])
	}
	for range 5 {
		busy.End()
	}
	if got := counts(); got["t1"] == 0 {
		t.Error("idle again, t1 is not picked")
	}
	if s := g.Status().Targets[0]; s.Active != 0 || s.Total < 5 {
		t.Errorf("status: %d active of %d, want 0 of at least 5", s.Active, s.Total)
	}
}

// TestPickAllocations proves that picking leaves no garbage, also past targets
// that were tried.
func TestPickAllocations(t *testing.T) {
	for _, a := range balance.All() {
		ts := target.New(target.Options{})
		apply(t, ts, web(20, unchecked, balanced(a.Name)))
		g, q := ts.Group("web"), query()
		tried := slices.Clone(g.Targets()[:15])
		if n := testing.AllocsPerRun(500, func() {
			q = q.Again(1)
			m := g.Pick(q, tried)
			m.Begin()
			m.End()
			g.Resume(m.ID())
		}); n != 0 {
			t.Errorf("%s: %v allocations", a.Name, n)
		}
	}
}

// TestConcurrency proves with the race detector that specs and verdicts may change
// while requests are picked, begun and ended; and that nothing is lost by it.
func TestConcurrency(t *testing.T) {
	for _, a := range balance.All() {
		t.Run(a.Name, func(t *testing.T) {
			ts := target.New(target.Options{})
			apply(t, ts, web(4, unchecked, balanced(a.Name)))
			stop := make(chan struct{})
			var all sync.WaitGroup
			for range 4 {
				all.Go(func() {
					for {
						select {
						case <-stop:
							return
						default:
						}
						m := ts.Group("web").Pick(query(), nil)
						if m == nil {
							t.Error("nothing is picked")
							return
						}
						m.Begin()
						ts.Group("web").Resume(m.ID())
						_, _ = m.Verdict()
						m.End()
					}
				})
			}
			for i := range 60 {
				apply(t, ts, web(2+i%4, unchecked, balanced(a.Name), weight(1, 1+i%3)))
				ts.Status()
				ts.Group("web").Explain(query(), 0)
			}
			close(stop)
			all.Wait()
			apply(t, ts, web(4, unchecked, balanced(a.Name)))
			for _, m := range ts.Status()[0].Targets {
				if m.Active != 0 {
					t.Errorf("%s has %d in flight after all ended", m.Label, m.Active)
				}
			}
			for range 100 {
				if m := ts.Group("web").Pick(query(), nil); m.Active() != 0 {
					t.Errorf("%s has %d in flight", m.Label(), m.Active())
				}
			}
		})
	}
}

// TestConcurrentVerdicts proves the same while real probes overturn verdicts all
// the time: something is always picked, and in the end no load is forgotten by
// the picker that is then in place.
func TestConcurrentVerdicts(t *testing.T) {
	n := newNetwork()
	var changes atomic.Int64
	ts := target.New(target.Options{Dial: n.dial, OnChange: func(*target.Group) { changes.Add(1) }})
	apply(t, ts, web(4, balanced("least-conn"), func(g *spec.TargetGroup) {
		g.Health.Timing = spec.Timing{Interval: spec.Duration(time.Millisecond), Timeout: spec.Duration(time.Second), Rise: 1, Fall: 1}
	}))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var probing, picking sync.WaitGroup
	probing.Go(func() { _ = ts.Run(ctx) })
	for worker := range 4 {
		picking.Go(func() {
			for i := 0; changes.Load() < 100 && ctx.Err() == nil; i++ {
				n.set([]string{"", "refuse"}[i%2], 1+worker)
				m := ts.Group("web").Pick(query(), nil)
				if m == nil {
					t.Error("nothing is picked")
					return
				}
				m.Begin()
				ts.Group("web").Explain(query(), m.ID())
				m.End()
			}
			n.set("", 1+worker)
		})
	}
	picking.Wait()
	for ctx.Err() == nil && len(picked(ts.Group("web"))) < 4 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	probing.Wait()
	if got := changes.Load(); got < 100 {
		t.Errorf("only %d changes in time", got)
	}
	counts := map[string]int{}
	for range 400 {
		counts[ts.Group("web").Pick(query(), nil).Label()]++
	}
	for label, got := range counts {
		if want := 400 / len(counts); got < want || got > want+1 {
			t.Errorf("with nothing in flight %s of %d is picked %d times of 400, want %d", label, len(counts), got, want)
		}
	}
}

// TestGroupNone proves that a group nobody applied is nil and that an unknown
// verdict without a check says so.
func TestGroupNone(t *testing.T) {
	ts := target.New(target.Options{})
	if g := ts.Group("web"); g != nil {
		t.Errorf("Group of nothing = %v", g)
	}
	if got := ts.Status(); len(got) != 0 {
		t.Errorf("Status of nothing = %v", got)
	}
	apply(t, ts, web(1, unchecked))
	wantVerdict(t, find(t, ts, 1), status.Unknown, "no health check")
	g := ts.Group("web")
	if g.Name() != "web" || len(g.Spec().Targets) != 1 || g.Status().Balance != "round-robin" {
		t.Errorf("group %q with %d targets, balance %s", g.Name(), len(g.Spec().Targets), g.Status().Balance)
	}
}

// BenchmarkPick is what a request pays: pick, begin and end among 100 targets.
func BenchmarkPick(b *testing.B) {
	for _, a := range balance.All() {
		b.Run(a.Name, func(b *testing.B) {
			ts := target.New(target.Options{})
			if err := ts.Apply([]spec.TargetGroup{web(100, unchecked, balanced(a.Name))}); err != nil {
				b.Fatal(err)
			}
			g := ts.Group("web")
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				q := query()
				for pb.Next() {
					q = q.Again(1)
					m := g.Pick(q, nil)
					m.Begin()
					m.End()
				}
			})
		})
	}
}

// TestPaceStays proves that what was learned of a target outlives the tables it
// was learned with: a changed weight, a changed verdict, a changed list.
func TestPaceStays(t *testing.T) {
	n := newNetwork()
	synctest.Test(t, func(t *testing.T) {
		ts := running(t, target.Options{Dial: n.dial})
		apply(t, ts, web(4, balanced("least-time")))
		pass(1500 * time.Millisecond) // each was probed
		g := ts.Group("web")
		observe := func() {
			for i := 1; i <= 4; i++ {
				o := balance.Outcome{Now: time.Now(), Took: time.Millisecond}
				if i == 2 {
					o.Took = time.Minute
				}
				find(t, ts, i).Observe(o)
			}
		}
		avoided := func(when string) {
			t.Helper()
			for range 200 {
				q := query()
				if q.Now = time.Now(); g.Pick(q, nil) == find(t, ts, 2) {
					t.Fatalf("%s, the slow target is picked", when)
				}
			}
		}
		observe()
		avoided("at first")
		apply(t, ts, web(4, balanced("least-time"), weight(1, 7)))
		avoided("after a weight changed")
		n.set("refuse", 4)
		pass(4 * time.Second)
		if v, _ := find(t, ts, 4).Verdict(); v != status.Unhealthy {
			t.Fatalf("t4 is %v", v)
		}
		avoided("after a verdict changed")
		apply(t, ts, web(5, balanced("least-time")))
		pass(1500 * time.Millisecond)
		find(t, ts, 5).Observe(balance.Outcome{Now: time.Now(), Took: time.Millisecond})
		avoided("after a target was added")
		if find(t, ts, 4).Learns() {
			t.Error("a target that takes nothing new learns")
		}
		apply(t, ts, web(5, balanced("least-conn")))
		if find(t, ts, 1).Learns() {
			t.Error("a target learns where the balance does not ask")
		}
		find(t, ts, 1).Observe(balance.Outcome{}) // and being told does no harm
	})
}
