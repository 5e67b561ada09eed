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
// it could: false means that the target is at its group's limit, or tried by another.
func (t *Target) TryBegin() bool { return t.group.table.Load().tryBegin(t) }

// onTrial reports whether a target takes one at a time.
func (t *table) onTrial(m *Target) bool { return t.trials && m.phase() == outlier.Trial }

// tryBegin is TryBegin on this table. What a target on trial has from before does not
// count: it may go on for hours, and says nothing of how the target is now.
func (t *table) tryBegin(m *Target) bool {
	trial := t.onTrial(m)
	if trial && !m.passive.trying.CompareAndSwap(false, true) {
		return false
	}
	if m.beginWithin(t.limit) {
		return true
	}
	if trial {
		m.passive.trying.Store(false)
	}
	return false
}

// beginWithin is Begin where the load is below a limit; 0 means none.
func (t *Target) beginWithin(limit int64) bool {
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

// tried is that what a target was tried by is over, or is known to go well.
func (t *Target) tried() {
	if t.passive.trying.Load() {
		t.passive.trying.Store(false)
	}
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
		if !slices.Contains(tried, m) && t.tryBegin(m) {
			return m, false
		}
	}
	for {
		best := t.idlest(tried)
		if best == nil {
			return nil, len(tried) < len(t.used)
		}
		if t.tryBegin(best) {
			return best, false
		}
	}
}

// full reports whether a target is at its limit, or tried by another.
func (t *table) full(m *Target) bool {
	return t.limit > 0 && m.load.Load() >= t.limit || t.onTrial(m) && m.passive.trying.Load()
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
