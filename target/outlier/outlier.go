// Package outlier decides from how targets answer which of them a group is better
// off without for a while. It is pure: no clock, socket or goroutine.
//
// What comes in: counts of what each target did, and the time. What goes out: a
// State for each target, in, out or on trial, and why.
//
// It never ejects more than its Guard allows. Start reading at State, then Judge.
package outlier

import (
	"fmt"
	"math"
	"slices"
	"time"

	"portico/spec"
)

// Phase is whether a target takes requests, as far as its answers have a say.
type Phase uint8

// The phases.
const (
	In    Phase = iota // it does
	Out                // it takes none until the ejection is over
	Trial              // it takes one at a time until enough went well
)

var phaseNames = [...]string{"in", "ejected", "on trial"}

// String is the phase in words.
func (p Phase) String() string { return phaseNames[p] }

// Kind is what a target was ejected for.
type Kind uint8

// The kinds.
const (
	Failures Kind = iota // in a row, or on trial
	Rate                 // it fails more than the others
	Latency              // it is slower than the others
	// KindsMax is how many there are.
	KindsMax
)

var kindNames = [...]string{"failures", "success-rate", "latency"}

// String is the kind's stable name.
func (k Kind) String() string { return kindNames[k] }

// Kinds lists every kind, for the labels of metrics.
func Kinds() []Kind { return []Kind{Failures, Rate, Latency} }

// historyMax is how many ejections a State remembers.
const historyMax = 8

// State is what the answers of one target came to. Its zero value is in.
type State struct {
	Phase  Phase
	Since  time.Time // of the phase
	Until  time.Time // of an ejection
	Reason string    // of the last ejection
	times  int       // ejections that are not forgotten yet
	past   []Ejection
}

// Ejection is one time that a target was ejected.
type Ejection struct {
	At     time.Time
	For    time.Duration
	Reason string
}

// Eject takes the target out, the longer the more often it was out lately.
func (s *State) Eject(p *spec.Outliers, reason string, now time.Time) {
	s.times++
	out := min(time.Duration(s.times)*p.EjectFor.D(), max(p.EjectMax.D(), p.EjectFor.D()))
	s.Phase, s.Since, s.Until, s.Reason = Out, now, now.Add(out), reason
	if len(s.past) == historyMax {
		s.past = slices.Delete(s.past, 0, 1)
	}
	s.past = append(s.past, Ejection{At: now, For: out, Reason: reason})
}

// Step lets time pass: an ejection that is over becomes a trial, and a target that
// stayed in for as long as its first ejection forgets one. It reports whether the
// phase changed.
func (s *State) Step(p *spec.Outliers, now time.Time) bool {
	switch {
	case s.Phase == Out && !now.Before(s.Until):
		s.Phase, s.Since = Trial, now
		return true
	case s.Phase == In && s.times > 0 && now.Sub(s.Since) >= p.EjectFor.D():
		s.times--
		s.Since = now
	}
	return false
}

// Return ends a trial that went well.
func (s *State) Return(now time.Time) { s.Phase, s.Since = In, now }

// History lists the last ejections, at most 8, oldest first.
func (s *State) History() []Ejection { return slices.Clone(s.past) }

// Guard is how many of n targets may be out or on trial at a time.
func Guard(p *spec.Outliers, n int) int {
	if n < 2 {
		return 0
	}
	return min(max(1, n*p.MaxEjected/100), n-1)
}

// Sample is what one target did in an interval.
type Sample struct {
	Requests int
	Failures int
	Latency  time.Duration // of all that went well, together
}

// rate is the share that went well.
func (s Sample) rate() float64 { return float64(s.Requests-s.Failures) / float64(s.Requests) }

// mean is the mean time until an answer began.
func (s Sample) mean() time.Duration { return s.Latency / time.Duration(max(s.Requests-s.Failures, 1)) }

// Finding says that the target of that index stands out, how, and by how much more
// than it may.
type Finding struct {
	Index  int
	Kind   Kind
	Reason string
	excess float64
}

// Judge finds the targets that stand out from their group, worst first.
func Judge(p *spec.Outliers, samples []Sample) []Finding {
	found := slices.Concat(byRate(p.SuccessRate, samples), byLatency(p.Latency, samples))
	slices.SortStableFunc(found, func(a, b Finding) int {
		switch {
		case a.excess > b.excess:
			return -1
		case a.excess < b.excess:
			return 1
		}
		return 0
	})
	return found
}

// byRate finds those whose success rate is too far below the mean.
func byRate(p *spec.SuccessRate, samples []Sample) (found []Finding) {
	if p == nil {
		return nil
	}
	var judged []int
	sum := 0.0
	for i, s := range samples {
		if s.Requests >= max(p.Requests, 1) {
			judged = append(judged, i)
			sum += s.rate()
		}
	}
	if len(judged) < max(p.Targets, 2) {
		return nil
	}
	mean, squares := sum/float64(len(judged)), 0.0
	for _, i := range judged {
		d := samples[i].rate() - mean
		squares += d * d
	}
	least := mean - p.Deviations*math.Sqrt(squares/float64(len(judged)))
	for _, i := range judged {
		if rate := samples[i].rate(); rate < least {
			found = append(found, Finding{Index: i, Kind: Rate, excess: least - rate, Reason: fmt.Sprintf(
				"%.1f %% of %d requests went well, the group's mean is %.1f %%", rate*100, samples[i].Requests, mean*100)})
		}
	}
	return found
}

// byLatency finds those that take too many times the median.
func byLatency(p *spec.LatencyOutlier, samples []Sample) (found []Finding) {
	if p == nil {
		return nil
	}
	var judged []int
	var means []time.Duration
	for i, s := range samples {
		if s.Requests-s.Failures >= max(p.Requests, 1) {
			judged = append(judged, i)
			means = append(means, s.mean())
		}
	}
	if len(judged) < max(p.Targets, 2) {
		return nil
	}
	slices.Sort(means)
	median := means[(len(means)-1)/2]
	most := max(float64(median)*p.Factor, float64(p.Least))
	for _, i := range judged {
		if mean := samples[i].mean(); float64(mean) > most {
			found = append(found, Finding{Index: i, Kind: Latency, excess: float64(mean)/most - 1, Reason: fmt.Sprintf(
				"answers begin after %v, in the group after %v", mean.Round(time.Microsecond), median.Round(time.Microsecond))})
		}
	}
	return found
}
