package target

import (
	"time"

	"portico/spec"
	"portico/target/balance"
)

// rampSteps is in how many steps a weight grows. Each builds a table, and none is
// built for a request.
const rampSteps = 10

// Ramp is the percentage of its weight that a target has which began to warm up at
// since, and when that changes; 100 and a zero time when it is whole. Pure.
func Ramp(s *spec.SlowStart, since, now time.Time) (percent int, next time.Time) {
	if s == nil || since.IsZero() {
		return 100, time.Time{}
	}
	step := s.For.D() / rampSteps
	done := int(max(now.Sub(since), 0) / max(step, 1))
	if done >= rampSteps {
		return 100, time.Time{}
	}
	return s.From + (100-s.From)*done/rampSteps, since.Add(time.Duration(done+1) * step)
}

// weights are those of the members, of which some are still warming up: all are
// scaled so that a part of the least is a whole number.
func weights(s *spec.TargetGroup, members []*Target, now time.Time) []int {
	list := make([]int, len(members))
	heaviest, warming := 1, false
	for i, m := range members {
		list[i] = m.spec.Load().Weight
		heaviest = max(heaviest, list[i])
		percent, _ := Ramp(s.SlowStart, m.warm, now)
		m.percent.Store(int32(percent))
		warming = warming || percent < 100
	}
	if !warming {
		return list
	}
	scale := max(1, min(100, balance.WeightMax/heaviest))
	for i, m := range members {
		list[i] = max(1, list[i]*scale*int(m.percent.Load())/100)
	}
	return list
}

// warmUp has a target begin to take its share little by little, where its group
// asks for that. The group is locked.
func (t *Target) warmUp(s *spec.TargetGroup, now time.Time) {
	if s.SlowStart != nil {
		t.warm = now
		t.group.nudge()
	}
}

// ramped is the percentage of its weight that the target has while it warms up, or 0.
func (t *Target) ramped() int { return int(t.percent.Load()) % 100 }

// nextRamp is when the weight of any member grows, if that is before at, and
// whether that of one should have grown by now. The group is locked.
func (g *Group) nextRamp(at, now time.Time) (next time.Time, grown bool) {
	t := g.table.Load()
	for _, m := range t.used {
		percent, _ := Ramp(t.spec.SlowStart, m.warm, now)
		grown = grown || percent != int(m.percent.Load())
	}
	for _, m := range t.members { // who was just found healthy is not used yet
		if _, step := Ramp(t.spec.SlowStart, m.warm, now); !step.IsZero() && step.Before(at) {
			at = step
		}
	}
	return at, grown
}
