package l7

import "portico/spec"

// shared is what the rules of one spec have in common, each kept once. Requests to
// thousands of rules then find it in the processor's cache, where a copy for each
// rule would have to come from memory.
type shared struct {
	timeouts map[spec.Timeouts]*spec.Timeouts
	single   map[single][]groupOf
}

// single is what the groups of a rule that names one group follow from.
type single struct {
	name     spec.TargetGroupName
	timeouts *spec.Timeouts
}

func newShared() shared {
	return shared{timeouts: map[spec.Timeouts]*spec.Timeouts{}, single: map[single][]groupOf{}}
}

// bounds returns the one copy of timeouts.
func (s shared) bounds(t spec.Timeouts) *spec.Timeouts {
	kept := s.timeouts[t]
	if kept == nil {
		kept = &t
		s.timeouts[t] = kept
	}
	return kept
}

// group returns what was kept for a rule that names one group alone, as most do.
func (s shared) group(refs []spec.GroupRef, timeouts *spec.Timeouts) ([]groupOf, bool) {
	if len(refs) != 1 {
		return nil, false
	}
	made, ok := s.single[single{refs[0].Name, timeouts}]
	return made, ok
}

// keep keeps what was compiled for a rule.
func (s shared) keep(refs []spec.GroupRef, timeouts *spec.Timeouts, groups []groupOf) {
	if len(refs) == 1 {
		s.single[single{refs[0].Name, timeouts}] = groups
	}
}

// routeCounts hands out the bound series of a listener's routes; those beyond
// routesMax share theirs.
type routeCounts struct {
	m        *metrics
	listener spec.ListenerName
	known    map[spec.RouteName]*routeCount
	other    *routeCount
}

// of returns the series of a route.
func (c *routeCounts) of(name spec.RouteName) *routeCount {
	switch count := c.known[name]; {
	case count != nil:
		return count
	case len(c.known) < routesMax:
		count = c.m.route(c.listener, name, len(c.known))
		c.known[name] = count
		return count
	case c.other == nil:
		c.other = c.m.route(c.listener, name, routesMax)
	}
	return c.other
}
