package target

import (
	"context"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"portico/internal/clock"
	"portico/spec"
	"portico/spec/status"
	"portico/target/balance"
	"portico/target/health"
	"portico/target/outlier"
)

// Group is the live view of one target group.
type Group struct {
	name    spec.TargetGroupName
	targets *Targets

	passed, failed atomic.Uint64 // probes
	queue          queue
	budget         budget
	nudged         chan struct{}
	ejections      [outlier.KindsMax]atomic.Uint64 // by outlier.Kind

	table atomic.Pointer[table]
	stale atomic.Bool // a verdict changed after table was built, and someone rebuilds it

	mu    sync.Mutex // guards the writing of table, the states of the members, and what follows
	judge *judge     // nil while nobody judges
	probe health.Probe
	built time.Time     // when a verdict last led to a new table
	rest  time.Duration // until the next such table
}

// A table rests before verdicts replace it again: for ten times as long as it
// took to build, so that building takes at most a tenth of one core.
const (
	restFactor = 10
	restMin    = time.Millisecond
	restMax    = 250 * time.Millisecond
)

func newGroup(t *Targets, name spec.TargetGroupName) *Group {
	return &Group{name: name, targets: t, nudged: make(chan struct{}, 1)}
}

// Name of the group.
func (g *Group) Name() spec.TargetGroupName { return g.name }

// Spec is what the group was last applied with.
func (g *Group) Spec() *spec.TargetGroup { return g.table.Load().spec }

// Mode says which targets are used: one of ModeHealthy and the others.
func (g *Group) Mode() string { return g.table.Load().mode }

// Pick chooses a target for something new, or nil when there is none. Those
// tried already are passed over; when all were tried, it returns nil.
func (g *Group) Pick(q balance.Query, tried []*Target) *Target {
	return g.table.Load().pick(q, tried)
}

// Resume returns the target with this ID if what began there may go on there:
// it is still listed and not unhealthy (draining and weight 0 are fine). While
// the group fails open, an unhealthy one is no worse than any other, and moving
// would lose the session for nothing.
func (g *Group) Resume(id uint64) *Target {
	t := g.table.Load()
	m := t.byID[id]
	if m == nil || !t.keeps(m) {
		return nil
	}
	return m
}

// Targets lists the group's targets as the spec does. The caller does not
// change the list.
func (g *Group) Targets() []*Target { return g.table.Load().members }

// Status reports the group and its targets.
func (g *Group) Status() status.Group {
	t := g.table.Load()
	s := status.Group{
		Name: g.name, Balance: t.balance().Name, Mode: t.mode,
		Queue: g.queue.status(&t.spec.Limits), Targets: make([]status.Target, len(t.members)),
	}
	for i, m := range t.members {
		s.Targets[i] = m.status()
	}
	return s
}

// apply takes a new spec of the group and reports whether there is anything
// new in it. The caller holds targets.mu.
func (g *Group) apply(want *spec.TargetGroup) (changed bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	before := g.table.Load()
	if before != nil && reflect.DeepEqual(before.spec, want) {
		return false
	}
	had := &spec.TargetGroup{}
	known := map[uint64]*Target{}
	if before != nil {
		had, known = before.spec, before.byID
	}
	g.setProbe(want)
	if want.Outliers == nil {
		g.forgive()
	}
	if !judged(want) {
		g.haltJudge()
	}
	members := make([]*Target, len(want.Targets))
	kept := make(map[*Target]bool, len(members))
	for i := range want.Targets {
		m := known[balance.Key(want.Targets[i].Address.AddrPort)]
		if m == nil {
			m = g.newTarget(&want.Targets[i])
			m.retime(want, &spec.TargetGroup{})
			if before != nil && want.Health == nil {
				m.warmUp(want, clock.Now()) // with a check it does when it is healthy
			}
		} else {
			m.retime(want, had)
		}
		m.spec.Store(&want.Targets[i])
		members[i], kept[m] = m, true
	}
	for _, m := range known {
		if !kept[m] {
			m.halt()
		}
	}
	g.replace(build(want, members, clock.Now()))
	g.startLocked()
	return true
}

func (g *Group) newTarget(s *spec.Target) *Target {
	addr := plain(s.Address.AddrPort)
	return &Target{group: g, id: balance.Key(addr), addr: addr, pace: balance.NewPace(clock.Now())}
}

func (g *Group) setProbe(want *spec.TargetGroup) {
	h := want.Health
	if h == nil {
		g.probe = nil
		return
	}
	secure, err := TLS(want.TLS)
	if err != nil {
		panic("target: tls: " + err.Error() + "; Targets.Check refuses it")
	}
	check, ok := health.Lookup(h.Check.Name)
	if !ok {
		panic("target: health check " + h.Check.Name + "; Targets.Check refuses it")
	}
	g.probe = check.New(h.Check.Params, health.Options{TLS: secure})
}

// retime takes a changed health check: the verdict stays, except where there was
// or is no check at all. A prober that asks another question is halted, for
// start to begin again.
func (t *Target) retime(want, had *spec.TargetGroup) {
	now := clock.Now
	switch h := want.Health; {
	case h == nil:
		t.halt()
		if t.health.Load() == nil || had.Health != nil {
			t.state = health.NewState(1, 1, "no health check", now())
		}
	case had.Health == nil:
		t.state = health.NewState(h.Rise, h.Fall, "not probed yet", now())
	default:
		t.state.Retime(h.Rise, h.Fall)
		if !sameQuestion(want, had) {
			t.halt()
		}
	}
	t.publish()
}

// sameQuestion says whether a running prober may go on as it is.
func sameQuestion(a, b *spec.TargetGroup) bool {
	x, y := a.Health, b.Health
	return x.Interval == y.Interval && x.Timeout == y.Timeout && reflect.DeepEqual(x.Check, y.Check) && reflect.DeepEqual(a.TLS, b.TLS)
}

// replace puts a table in place. The group is locked.
func (g *Group) replace(t *table) {
	before := g.table.Load()
	t.install(before)
	g.table.Store(t)
	if before != nil {
		g.reconsider(before.members)
	}
}

// refresh rebuilds the table after a verdict changed. Of many that change
// together the first does it for all, after the rest since the last time: the
// targets of a large group that come up or die at once cost a bounded share of
// one core, and in a small group nothing waits.
func (g *Group) refresh(ctx context.Context) {
	if g.stale.Swap(true) {
		return // someone is at it
	}
	g.mu.Lock()
	rest := g.rest - clock.Now().Sub(g.built)
	g.mu.Unlock()
	if rest > 0 {
		timer := time.NewTimer(rest)
		select {
		case <-timer.C:
		case <-ctx.Done(): // this target is gone, the others are not
			timer.Stop()
		}
	}
	g.mu.Lock()
	g.stale.Store(false)
	begun := clock.Now()
	t := g.table.Load()
	g.replace(build(t.spec, t.members, begun))
	g.built = clock.Now()
	g.rest = min(max(restMin, restFactor*g.built.Sub(begun)), restMax)
	g.mu.Unlock()
	g.targets.o.OnChange(g)
}

// start starts a prober for each member that needs one.
func (g *Group) start() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.startLocked()
}

func (g *Group) startLocked() {
	ctx, t := g.targets.running, g.table.Load()
	g.startJudge(ctx, t.spec)
	if ctx == nil || ctx.Err() != nil || g.probe == nil {
		return
	}
	for _, m := range t.members {
		if m.prober == nil {
			m.startProber(ctx, t.spec.Health, g.probe)
		}
	}
}

// stop ends all probing of a group that was removed.
func (g *Group) stop() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, m := range g.table.Load().members {
		m.halt()
	}
	g.haltJudge()
}

// step takes the result of one probe, unless the prober was halted meanwhile.
func (g *Group) step(ctx context.Context, m *Target, p *prober, err error, timeout time.Duration) {
	reason := "check passed"
	if err == nil {
		g.passed.Add(1)
	} else {
		g.failed.Add(1)
		reason = health.Reason(err, timeout)
	}
	now := clock.Now()
	g.mu.Lock()
	if m.prober != p {
		g.mu.Unlock()
		return
	}
	since := m.state.Since()
	changed := m.state.Step(err == nil, reason, now)
	if changed && err == nil {
		m.warmUp(g.table.Load().spec, now)
	}
	m.publish()
	verdict := m.state.Verdict()
	g.mu.Unlock()
	if changed {
		g.announce(m, verdict, reason, now.Sub(since))
		g.refresh(ctx)
	}
}

// announce logs a change of verdict: what it is now, why, and how long it was
// something else.
func (g *Group) announce(m *Target, v status.Verdict, reason string, after time.Duration) {
	log := g.targets.o.Log
	if v == status.Healthy {
		log.Info("target is healthy", "group", g.name, "target", m.Label(), "address", m.addr, "after", after)
		return
	}
	log.Warn("target is unhealthy", "group", g.name, "target", m.Label(), "address", m.addr, "reason", reason, "after", after)
}
