package target

import (
	"slices"

	"portico/target/balance"
	"portico/target/outlier"
)

// Take chooses a target for something new, as Pick does, and counts it begun
// there: every target it returns needs one End. Where there are some but each is
// at the group's limit it returns nil and full.
func (g *Group) Take(q balance.Query, tried []*Target) (taken *Target, full bool) {
	t := g.table.Load()
	if t.limit == 0 && !t.trials {
		if taken = t.pick(q, tried); taken != nil {
			taken.Begin()
		}
		return taken, false
	}
	if g.queue.forAny.Load() > 0 {
		return nil, true // they were first
	}
	return t.take(q, tried)
}

// TryBegin counts something sent to the target, as Begin does, and reports whether
// it could: false means that the target is at its group's limit.
func (t *Target) TryBegin() bool { return t.tryBegin(t.group.table.Load().limitOf(t)) }

// limitOf is how much a target may have in flight; 0 means no limit.
func (t *table) limitOf(m *Target) int64 {
	if t.trials && m.phase() == outlier.Trial {
		return 1
	}
	return t.limit
}

func (t *Target) tryBegin(limit int64) bool {
	if limit == 0 {
		t.Begin()
		return true
	}
	for {
		n := t.load.Load()
		if n >= limit {
			return false
		}
		if t.load.CompareAndSwap(n, n+1) {
			break
		}
	}
	t.total.Add(1)
	t.tell()
	return true
}

// take is Group.Take on a table with a limit: what the algorithm says, what it
// says when asked again, and then any that has room, the idlest first.
func (t *table) take(q balance.Query, tried []*Target) (taken *Target, full bool) {
	if len(t.used) == 0 {
		return nil, false
	}
	for attempt := range attemptsMax {
		ask := q
		if attempt > 0 {
			ask = q.Again(attempt)
		}
		m := t.used[t.picker.Pick(ask)]
		if !slices.Contains(tried, m) && m.tryBegin(t.limitOf(m)) {
			return m, false
		}
	}
	for {
		best := t.idlest(tried)
		if best == nil {
			return nil, len(tried) < len(t.used)
		}
		if best.tryBegin(t.limitOf(best)) {
			return best, false
		}
	}
}

// full reports whether a target is at its limit.
func (t *table) full(m *Target) bool {
	limit := t.limitOf(m)
	return limit > 0 && m.load.Load() >= limit
}

// idlest is the target with room that has the least load for its weight, or nil.
func (t *table) idlest(tried []*Target) (best *Target) {
	for _, m := range t.used {
		if !t.full(m) && (best == nil || m.idlerThan(best)) && !slices.Contains(tried, m) {
			best = m
		}
	}
	return best
}
