package target

import (
	"fmt"

	"portico/spec"
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
	fact := func(format string, args ...any) {
		lines = append(lines, status.Line{Text: fmt.Sprintf(format, args...)})
	}
	fact("target group %q: balance %s, %s", g.name, t.balance().Name, t.why())
	how := ""
	if resume != 0 {
		if chosen = g.Resume(resume); chosen != nil {
			how = "it was chosen before"
		} else {
			fact("the target chosen before is gone or unhealthy: pick again")
		}
	}
	var scores map[*Target]*balance.Score
	if chosen == nil {
		scores = t.scores(q)
		if chosen = t.peek(q, scores); chosen == nil && len(t.used) > 0 {
			fact("each is at its limit: it would wait behind %d others", g.queue.waiting.Load())
		}
	}
	return chosen, append(lines, t.each(scores, chosen, how)...)
}

// ExplainPlaced is Explain for something that is placed by other means than the
// group's balance: on chosen, nil for none, for a reason.
func (g *Group) ExplainPlaced(chosen *Target, reason string) []status.Line {
	t := g.table.Load()
	head := status.Line{Text: fmt.Sprintf("target group %q: balance %s, %s", g.name, t.balance().Name, t.why())}
	return append([]status.Line{head}, t.each(nil, chosen, reason)...)
}

// each has a line for every target.
func (t *table) each(scores map[*Target]*balance.Score, chosen *Target, how string) (lines []status.Line) {
	left := 0
	for _, m := range t.members {
		if len(lines) < linesMax || m == chosen {
			lines = append(lines, t.line(m, scores[m], m == chosen, how))
		} else {
			left++
		}
	}
	if left > 0 {
		lines = append(lines, status.Line{Depth: 1, Text: fmt.Sprintf("and %d more targets", left)})
	}
	return lines
}

// linesMax bounds what Explain says of targets that are not chosen: what a person
// would still read.
const linesMax = 200

// scores is what the algorithm says of the targets that it may choose.
func (t *table) scores(q balance.Query) map[*Target]*balance.Score {
	all := t.picker.Explain(q)
	scores := make(map[*Target]*balance.Score, len(all))
	for i := range all {
		scores[t.used[i]] = &all[i]
	}
	return scores
}

// peek is what take would choose: what the algorithm says, what it says when asked
// again, and then the idlest.
func (t *table) peek(q balance.Query, scores map[*Target]*balance.Score) *Target {
	i := t.picker.Peek(q)
	if i < 0 || !t.full(t.used[i]) {
		return t.usedAt(i)
	}
	if m := t.following(scores); m != nil {
		return m
	}
	for attempt := 1; attempt < attemptsMax; attempt++ {
		if m := t.used[t.picker.Peek(q.Again(attempt))]; !t.full(m) {
			return m
		}
	}
	return t.idlest(nil)
}

// following is the first with room in the order of an algorithm that has one, so
// that it says the next when asked again. Nil means that it hashes or draws.
func (t *table) following(scores map[*Target]*balance.Score) (next *Target) {
	if a, _ := balance.Lookup(t.balance().Name); a.Hashes {
		return nil
	}
	for _, m := range t.used {
		switch s := scores[m]; {
		case s.Out():
			return nil
		case !t.full(m) && (next == nil || s.Rank < scores[next].Rank):
			next = m
		}
	}
	return next
}

func (t *table) usedAt(i int) *Target {
	if i < 0 {
		return nil
	}
	return t.used[i]
}

// why says which targets are used.
func (t *table) why() string {
	switch t.mode {
	case ModeHealthy:
		return fmt.Sprintf("%d of %d targets are used", len(t.used), len(t.members))
	case ModePanic:
		return fmt.Sprintf("less than %d %% are healthy: all are used", t.spec.PanicThreshold)
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
		if m.TakesNew() {
			return "all are unhealthy: none is used, as whenNoneHealthy is fail"
		}
	}
	return "all drain or have weight 0: none is used"
}

// line is what there is to say of one target. Score is nil where the algorithm was
// not asked or cannot choose it, and how is why it was chosen if not by its score.
func (t *table) line(m *Target, score *balance.Score, chosen bool, how string) status.Line {
	s, f := m.spec.Load(), m.health.Load()
	c := &status.Candidate{
		Group: t.spec.Name, Label: s.Label(), Address: s.Address, Site: s.Site, Verdict: f.verdict, Reason: f.reason,
		Weight: s.Weight, Active: m.load.Load(), Chosen: chosen,
	}
	if score != nil && !score.Out() {
		c.Rank = &score.Rank
	}
	line := status.Line{Depth: 1, Candidate: c}
	switch {
	case chosen && how != "":
		line.Mark, c.Why = "+", how
	case chosen:
		line.Mark, c.Why = "+", score.Text
	case s.Drain:
		line.Mark, c.Why = "-", "draining, nothing new"
	case s.Weight == 0:
		line.Mark, c.Why = "-", "weight 0, nothing new"
	case m.phase() == outlier.Out && f.verdict != status.Unhealthy && !t.uses(m):
		e := m.ejection()
		line.Mark, c.Why = "-", fmt.Sprintf("ejected for %v (%s)", e.Until.Sub(e.Since), e.Reason)
	case t.full(m) && t.onTrial(m):
		line.Mark, c.Why = "-", "takes one at a time"
	case t.full(m):
		line.Mark, c.Why = "-", fmt.Sprintf("at its limit of %d", t.limit)
	case score == nil && !t.uses(m):
		line.Mark, c.Why = "-", "not used while it is "+f.verdict.String()
	case score == nil:
	case score.Out():
		line.Mark, c.Why = "-", score.Text
	default:
		c.Why = score.Text
	}
	line.Text = fmt.Sprintf("%s: %s", c.Label, f.verdict)
	if f.reason != "" {
		line.Text += " (" + f.reason + ")"
	}
	line.Text += fmt.Sprintf(", weight %d, %d in flight", c.Weight, c.Active)
	if percent := m.ramped(); percent > 0 {
		line.Text += fmt.Sprintf(", at %d %% of its weight", percent)
	}
	if m.phase() == outlier.Trial {
		line.Text += ", on trial"
	}
	if c.Why != "" {
		line.Text += ": " + c.Why
	}
	return line
}

// uses reports whether a target is one of those that take what is new.
func (t *table) uses(m *Target) bool {
	p := m.place.Load()
	return p != nil && p.picker == t.picker
}

// elsewhereMax bounds what is said of targets that a node does not use.
const elsewhereMax = 20

// Elsewhere tells of the targets of a group that only nodes of other sites use,
// and that are therefore in no Group of this one.
func Elsewhere(g *spec.TargetGroup, here spec.SiteName) []status.Line {
	var lines []status.Line
	for _, t := range g.Targets {
		if t.Site == "" || t.Site == here || len(lines) == elsewhereMax {
			continue
		}
		why := fmt.Sprintf("of site %q, this node is of site %q", t.Site, here)
		lines = append(lines, status.Line{Mark: "-", Depth: 1, Text: t.Label() + ": " + why, Candidate: &status.Candidate{
			Group: g.Name, Label: t.Label(), Address: t.Address, Site: t.Site, Weight: t.Weight, Why: why,
		}})
	}
	return lines
}
