package target

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"portico/internal/clock"
	"portico/spec"
	"portico/spec/status"
	"portico/target/outlier"
)

// Outcome is how a target did with one request, or with the connection of a flow.
type Outcome struct {
	// Failure says what went wrong by a fault of the target's, in a few words.
	Failure string
	// Status of its answer; 500 and above are failures.
	Status int
	// Latency is the time until its answer began.
	Latency time.Duration
	// Goes says that a flow was begun well and goes on: its end will not be told.
	Goes bool
}

// failed says what went wrong, if anything did.
func (o *Outcome) failed() (why string, failed bool) {
	switch {
	case o.Failure != "":
		return o.Failure, true
	case o.Status >= 500:
		return fmt.Sprintf("status %d", o.Status), true
	}
	return "", false
}

// passive is what is counted of a target's outcomes, for package outlier.
type passive struct {
	inRow    atomic.Int64 // failures since the last success
	why      atomic.Pointer[string]
	passed   atomic.Int64 // on trial
	trying   atomic.Bool  // something was begun on trial that is not over
	requests atomic.Int64 // in this interval, as are those below
	failures atomic.Int64
	micros   atomic.Int64

	phase atomic.Uint32 // an outlier.Phase: that of the state, for those who do not lock
}

// Judged reports whether the target's group judges by outcomes.
func (t *Target) Judged() bool { return t.group.table.Load().spec.Outliers != nil }

// Report tells how a target did. It costs an atomic load where the group does not
// ask for outliers.
func (t *Target) Report(o Outcome) {
	p := t.group.table.Load().spec.Outliers
	if p == nil {
		return
	}
	c := &t.passive
	c.requests.Add(1)
	trial := outlier.Phase(c.phase.Load()) == outlier.Trial
	why, failed := o.failed()
	if !failed {
		c.micros.Add(o.Latency.Microseconds())
		if c.inRow.Load() != 0 {
			c.inRow.Store(0)
		}
		if trial && c.passed.Add(1) >= int64(p.Trials) {
			t.group.nudge()
		}
		if trial && o.Goes {
			t.tried()
			t.group.look(t)
		}
		return
	}
	c.failures.Add(1)
	kept := why        // which takes memory for a failure alone
	c.why.Store(&kept) // before the count, as a judge may be looking at that
	n := c.inRow.Add(1)
	if trial || p.Failures > 0 && n >= int64(p.Failures) {
		t.group.nudge()
	}
}

// idleJudge is how long a judge sleeps that is waited for by nobody.
const idleJudge = time.Hour

// judge is the goroutine that decides from outcomes. Ending its context ends it.
type judge struct{ cancel context.CancelFunc }

// nudge has the judge look now; it never blocks.
func (g *Group) nudge() {
	select {
	case g.nudged <- struct{}{}:
	default: // it looks soon anyway
	}
}

// startJudge begins to judge the group where its spec asks for it. The group is
// locked.
func (g *Group) startJudge(ctx context.Context, s *spec.TargetGroup) {
	if !judged(s) || g.judge != nil || ctx == nil || ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	g.judge = &judge{cancel: cancel}
	g.targets.probers.Go(func() {
		defer cancel()
		g.judgeUntil(ctx)
	})
}

// judged reports whether a group needs a judge.
func judged(s *spec.TargetGroup) bool { return s.Outliers != nil || s.SlowStart != nil }

// haltJudge ends the judging. The group is locked.
func (g *Group) haltJudge() {
	if g.judge != nil {
		g.judge.cancel()
		g.judge = nil
	}
}

// forgive lets everyone in again. The group is locked.
func (g *Group) forgive() {
	if g.table.Load() == nil {
		return
	}
	for _, m := range g.table.Load().members {
		m.out = outlier.State{}
		m.passive.phase.Store(uint32(outlier.In))
	}
}

// judgeUntil judges whenever it is nudged and whenever time alone changes
// something, until ctx ends.
func (g *Group) judgeUntil(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	interval := clock.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-g.nudged:
		}
		now := clock.Now()
		g.mu.Lock()
		if ctx.Err() != nil {
			g.mu.Unlock()
			return
		}
		var changes []change
		if p := g.table.Load().spec.Outliers; p != nil {
			whole := !now.Before(interval)
			changes = g.judgeNow(p, whole, now)
			if whole {
				interval = now.Add(p.Interval.D())
			}
		} else {
			interval = now.Add(idleJudge)
		}
		next, grown := g.nextRamp(g.nextStep(interval), now)
		g.mu.Unlock()
		for _, c := range changes {
			g.tell(c)
		}
		if grown || len(changes) > 0 {
			g.refresh(ctx)
		}
		timer.Reset(next.Sub(clock.Now()))
	}
}

// nextStep is when time alone changes something again. The group is locked.
func (g *Group) nextStep(interval time.Time) time.Time {
	for _, m := range g.table.Load().members {
		if m.out.Phase == outlier.Out && m.out.Until.Before(interval) {
			interval = m.out.Until
		}
	}
	return interval
}

// change is what a judge decided about one target.
type change struct {
	target *Target
	phase  outlier.Phase
	reason string
	until  time.Time
}

// judgeNow steps every target, and with an interval's end compares them. The group
// is locked.
func (g *Group) judgeNow(p *spec.Outliers, whole bool, now time.Time) (changes []change) {
	t := g.table.Load()
	set := func(m *Target, changed bool) {
		if changed {
			m.passive.phase.Store(uint32(m.out.Phase))
			changes = append(changes, change{m, m.out.Phase, m.out.Reason, m.out.Until})
		}
	}
	for _, m := range t.members {
		set(m, m.judge(p, now))
	}
	room := outlier.Guard(p, len(t.members))
	for _, m := range t.members {
		if m.out.Phase != outlier.In {
			room--
		}
	}
	eject := func(m *Target, kind outlier.Kind, reason string) {
		if m.out.Phase == outlier.In && room > 0 {
			room--
			m.eject(p, kind, reason, now)
			set(m, true)
		}
	}
	for _, m := range t.members {
		if n := m.passive.inRow.Load(); p.Failures > 0 && n >= int64(p.Failures) {
			eject(m, outlier.Failures, fmt.Sprintf("%d failures in a row: %s", n, m.passive.last()))
		}
	}
	if whole {
		for _, f := range outlier.Judge(p, samples(t.members)) {
			eject(t.members[f.Index], f.Kind, f.Reason)
		}
	}
	return changes
}

// samples takes what was counted since it was last asked.
func samples(members []*Target) []outlier.Sample {
	list := make([]outlier.Sample, len(members))
	for i, m := range members {
		c := &m.passive
		list[i] = outlier.Sample{
			Requests: int(c.requests.Swap(0)), Failures: int(c.failures.Swap(0)),
			Latency: time.Duration(c.micros.Swap(0)) * time.Microsecond,
		}
		// A request is counted in steps; one that is between them is no failure more
		// than there are requests.
		list[i].Failures = min(list[i].Failures, list[i].Requests)
	}
	return list
}

// judge steps one target and reports whether its phase changed.
func (t *Target) judge(p *spec.Outliers, now time.Time) bool {
	c := &t.passive
	if t.out.Phase != outlier.Trial {
		if !t.out.Step(p, now) {
			return false
		}
		c.passed.Store(0) // a trial begins
		c.trying.Store(false)
		c.inRow.Store(0)
		return true
	}
	switch {
	case c.inRow.Load() > 0:
		t.eject(p, outlier.Failures, "failed on trial: "+c.last(), now)
	case c.passed.Load() >= int64(p.Trials):
		t.out.Return(now)
		t.warmUp(t.group.table.Load().spec, now)
	default:
		return false
	}
	return true
}

func (t *Target) eject(p *spec.Outliers, kind outlier.Kind, reason string, now time.Time) {
	t.passive.inRow.Store(0)
	t.out.Eject(p, reason, now)
	t.group.ejections[kind].Add(1)
}

// last is the last failure that counted.
func (c *passive) last() string {
	if why := c.why.Load(); why != nil {
		return *why
	}
	return "unknown"
}

// tell logs what a judge decided.
func (g *Group) tell(c change) {
	log := g.targets.o.Log.With("group", g.name, "target", c.target.Label(), "address", c.target.addr)
	switch c.phase {
	case outlier.Out:
		log.Warn("target is ejected", "reason", c.reason, "until", c.until)
	case outlier.Trial:
		log.Info("target is on trial", "reason", c.reason)
	case outlier.In:
		log.Info("target is back", "reason", c.reason)
	}
}

// phase is the target's, as far as its answers have a say.
func (t *Target) phase() outlier.Phase { return outlier.Phase(t.passive.phase.Load()) }

// ejection tells of the ejections of the target; nil where there never was one.
func (t *Target) ejection() *status.Ejection {
	t.group.mu.Lock()
	defer t.group.mu.Unlock()
	past := t.out.History()
	if len(past) == 0 {
		return nil
	}
	e := &status.Ejection{Phase: t.out.Phase.String(), Since: t.out.Since, Until: t.out.Until, Reason: t.out.Reason}
	for _, p := range past {
		e.History = append(e.History, status.Ejected{At: p.At, For: p.For.String(), Reason: p.Reason})
	}
	return e
}
