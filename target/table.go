package target

import (
	"slices"
	"time"

	"portico/spec"
	"portico/spec/status"
	"portico/target/balance"
	"portico/target/outlier"
)

// The modes of a group: which of its targets are used for what is new.
const (
	// ModeHealthy uses those that are healthy.
	ModeHealthy = "healthy"
	// ModePanic uses all: too few are healthy for the load.
	ModePanic = "panic"
	// ModeUnknown uses those whose check has not answered yet: none is healthy.
	ModeUnknown = "unknown"
	// ModeOpen uses all: every one is unhealthy, and the group fails open.
	ModeOpen = "fail-open"
	// ModeUnchecked uses all: the group has no health check.
	ModeUnchecked = "unchecked"
	// ModeNone uses none: every one is unhealthy and the group fails, or the
	// spec lets none take anything new.
	ModeNone = "none"
)

// modes lists them all, for metrics.
var modes = [...]string{ModeHealthy, ModePanic, ModeUnknown, ModeOpen, ModeUnchecked, ModeNone}

// table is all that picking reads. It is never changed, only replaced.
type table struct {
	spec    *spec.TargetGroup
	members []*Target          // as the spec lists them
	byID    map[uint64]*Target // the same
	mode    string
	limit   int64     // of what a target may have in flight; 0 means none
	trials  bool      // some of used take one at a time
	used    []*Target // those that take what is new
	unasked []*Target // those that may, and whose check had not answered
	weights []int     // of used, as they are while some warm up
	picker  balance.Picker
}

// build makes the table of what is now so. Members are those of the spec.
func build(s *spec.TargetGroup, members []*Target, now time.Time) *table {
	t := &table{spec: s, members: members, byID: make(map[uint64]*Target, len(members)), limit: int64(s.Limits.PerTarget())}
	for _, m := range members {
		t.byID[m.id] = m
	}
	t.mode, t.used, t.unasked = choose(s, members)
	t.trials = slices.ContainsFunc(t.used, func(m *Target) bool { return m.phase() == outlier.Trial })
	candidates := make([]balance.Candidate, len(t.used))
	t.weights = weights(s, t.used, now)
	for i, m := range t.used {
		candidates[i] = balance.Candidate{Key: m.id, Weight: t.weights[i], Load: &m.load, Limit: t.limit, Pace: m.pace}
	}
	choice := t.balance()
	algorithm, ok := balance.Lookup(choice.Name)
	if !ok {
		panic("target: balance " + choice.Name + "; Targets.Check refuses it")
	}
	if choice.Params == nil && algorithm.Params != nil {
		choice.Params = algorithm.Params()
	}
	t.picker = algorithm.New(choice.Params, candidates)
	return t
}

// balance is the choice of the spec, or the default.
func (t *table) balance() spec.Choice {
	if t.spec.Balance != nil {
		return *t.spec.Balance
	}
	return spec.Choice{Name: balance.Default}
}

// choose says which of the members take what is new, and under which mode.
//
//   - the healthy ones, or all when those are too few;
//   - none is healthy: the unknown ones;
//   - all are unhealthy: all, unless the group fails when none is healthy.
//
// Those that drain or have weight 0 never do, those that are ejected only where
// no other is left. Unknown are all that are, used or not.
func choose(s *spec.TargetGroup, members []*Target) (mode string, used, unknown []*Target) {
	var healthy, all []*Target
	for _, m := range members {
		if !m.TakesNew() {
			continue
		}
		all = append(all, m)
		switch m.health.Load().verdict {
		case status.Healthy:
			healthy = append(healthy, m)
		case status.Unknown:
			unknown = append(unknown, m)
		case status.Unhealthy:
		}
	}
	switch {
	case len(all) == 0:
		return ModeNone, nil, nil
	case s.Health == nil:
		return ModeUnchecked, present(all), unknown
	case len(healthy) > 0 && len(healthy)*100 < len(all)*s.PanicThreshold:
		return ModePanic, all, unknown
	case len(healthy) > 0:
		return ModeHealthy, present(healthy), unknown
	case len(unknown) > 0:
		return ModeUnknown, unknown, unknown
	case s.WhenNoneHealthy == spec.FailClosed:
		return ModeNone, nil, nil
	}
	return ModeOpen, all, nil
}

// present leaves out those that are ejected, unless that leaves none.
func present(members []*Target) []*Target {
	var in []*Target
	for _, m := range members {
		if m.phase() != outlier.Out {
			in = append(in, m)
		}
	}
	if len(in) == 0 {
		return members
	}
	return in
}

// keeps reports whether what began on a member may go on there.
func (t *table) keeps(m *Target) bool {
	if t.mode == ModeOpen || t.mode == ModePanic {
		return true
	}
	return m.health.Load().verdict != status.Unhealthy && (m.phase() != outlier.Out || slices.Contains(t.used, m))
}

// install tells the members of this table and of the one before where they are
// now. The group is locked.
func (t *table) install(before *table) {
	learner, _ := t.picker.(balance.Observer)
	for i, m := range t.used {
		m.place.Store(&place{picker: t.picker, learner: learner, index: i})
		// A Begin or End since build told the old picker. Whoever looks up the
		// place from here on tells the new one, and what was counted before is
		// seen now.
		t.picker.Loaded(i)
	}
	if before == nil {
		return
	}
	for _, m := range before.used {
		if p := m.place.Load(); p.picker == before.picker {
			m.place.Store(nil)
		}
	}
}

// pick is Group.Pick on this table.
func (t *table) pick(q balance.Query, tried []*Target) *Target {
	i := t.picker.Pick(q)
	if i < 0 {
		return nil
	}
	if !slices.Contains(tried, t.used[i]) {
		return t.used[i]
	}
	return t.another(q, tried, t.picker.Pick)
}

// attemptsMax is how often the algorithm is asked again before the rest are
// looked through one by one.
const attemptsMax = 8

// another finds one that was not tried: what the algorithm says for a query of
// its own, or else the one with the least load for its weight. Nil means that
// all were tried.
func (t *table) another(q balance.Query, tried []*Target, pick func(balance.Query) int) *Target {
	for attempt := 1; attempt <= attemptsMax; attempt++ {
		if m := t.used[pick(q.Again(attempt))]; !slices.Contains(tried, m) {
			return m
		}
	}
	var best *Target
	start := int(q.Again(attemptsMax).Draw % uint64(len(t.used)))
	for i := range t.used {
		m := t.used[(start+i)%len(t.used)]
		if (best == nil || m.idlerThan(best)) && !slices.Contains(tried, m) {
			best = m
		}
	}
	return best
}

func (t *Target) idlerThan(other *Target) bool {
	return t.load.Load()*int64(other.spec.Load().Weight) < other.load.Load()*int64(t.spec.Load().Weight)
}
