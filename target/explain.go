package target

import (
	"fmt"

	"portico/spec/status"
	"portico/target/balance"
	"portico/target/outlier"
)

// Explain tells what would happen to something new, from the table that Pick
// uses and without leaving a trace: which target would be chosen, nil for none,
// and for each one why it is in or out. Resume is the ID of the target where the
// client was before, 0 for none; it is kept to if Resume would.
func (g *Group) Explain(q balance.Query, resume uint64) (chosen *Target, lines []status.Line) {
	t := g.table.Load()
	how := t.balance().Name
	fact := func(format string, args ...any) {
		lines = append(lines, status.Line{Text: fmt.Sprintf(format, args...)})
	}
	fact("target group %q: balance %s, %s", g.name, how, t.why())
	if resume != 0 {
		if chosen = g.Resume(resume); chosen != nil {
			how = "it was chosen before"
		} else {
			fact("the target chosen before is gone or unhealthy: pick again")
		}
	}
	if chosen == nil {
		if i := t.picker.Peek(q); i >= 0 {
			chosen = t.used[i]
		}
		if chosen != nil && t.full(chosen) {
			if chosen = t.idlest(nil); chosen == nil {
				fact("each is at its limit: it would wait behind %d others", g.queue.waiting.Load())
			}
		}
	}
	for _, m := range t.members {
		lines = append(lines, t.line(m, m == chosen, how))
	}
	return chosen, lines
}

// why says which targets are used.
func (t *table) why() string {
	switch t.mode {
	case ModeHealthy:
		return fmt.Sprintf("%d of %d targets are used", len(t.used), len(t.members))
	case ModeUnknown:
		return "none is healthy: those not known to be unhealthy are used"
	case ModeOpen:
		return "all are unhealthy: fail open, all are used"
	case ModeUnchecked:
		return "no health check: targets are trusted as they are listed"
	}
	if len(t.members) == 0 {
		return "it has no targets"
	}
	for _, m := range t.members {
		if m.takesNew() {
			return "all are unhealthy: none is used, as whenNoneHealthy is fail"
		}
	}
	return "all drain or have weight 0: none is used"
}

// line is what there is to say of one target. How is why it was chosen.
func (t *table) line(m *Target, chosen bool, how string) status.Line {
	s, f := m.spec.Load(), m.health.Load()
	text := fmt.Sprintf("%s: %s", s.Label(), f.verdict)
	if f.reason != "" {
		text += " (" + f.reason + ")"
	}
	text += fmt.Sprintf(", weight %d, %d in flight", s.Weight, m.load.Load())
	if m.phase() == outlier.Trial {
		text += ", on trial"
	}
	line := status.Line{Depth: 1}
	place := m.place.Load()
	switch {
	case chosen:
		line.Mark, text = "+", text+": "+how
	case s.Drain:
		line.Mark, text = "-", text+": draining, nothing new"
	case s.Weight == 0:
		line.Mark, text = "-", text+": weight 0, nothing new"
	case m.phase() == outlier.Out && f.verdict != status.Unhealthy:
		e := m.ejection()
		line.Mark, text = "-", text+fmt.Sprintf(": ejected for %v (%s)", e.Until.Sub(e.Since), e.Reason)
	case t.full(m):
		line.Mark, text = "-", text+fmt.Sprintf(": at its limit of %d", t.limitOf(m))
	case place == nil || place.picker != t.picker:
		line.Mark, text = "-", text+": not used while it is "+f.verdict.String()
	}
	line.Text = text
	return line
}
