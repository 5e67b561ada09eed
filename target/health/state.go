package health

import (
	"time"

	"portico/spec/status"
)

// historyMax is how many changes of verdict a State remembers.
const historyMax = 16

// State decides from the results of a check, one after the other, whether a
// target is healthy. It is pure; the caller says what time it is, and guards it.
//
// The first result decides alone, so that a node that starts knows its targets
// after one round. From then on it takes Rise passes in a row to become healthy,
// and Fall failures in a row to become unhealthy.
type State struct {
	rise, fall int
	verdict    status.Verdict
	reason     string
	since      time.Time
	against    int // results in a row that speak against the verdict
	doubt      string
	history    [historyMax]Transition
	changes    int // over the whole life; the last historyMax are in history
}

// Transition is one change of verdict.
type Transition struct {
	At      time.Time      `json:"at"`
	Verdict status.Verdict `json:"verdict"`
	Reason  string         `json:"reason,omitempty"`
}

// NewState returns an unknown state. Reason says why it is unknown; a rise or
// fall below 1 means 1.
func NewState(rise, fall int, reason string, now time.Time) State {
	s := State{reason: reason, since: now}
	s.Retime(rise, fall)
	return s
}

// Retime changes rise and fall and keeps everything else.
func (s *State) Retime(rise, fall int) { s.rise, s.fall = max(rise, 1), max(fall, 1) }

// Step takes one result and the reason for it, and reports whether the verdict
// changed.
func (s *State) Step(pass bool, reason string, now time.Time) (changed bool) {
	says := status.Unhealthy
	if pass {
		says = status.Healthy
	}
	if says == s.verdict {
		// The reason is kept fresh: refused an hour ago may be a timeout now.
		s.against, s.doubt, s.reason = 0, "", reason
		return false
	}
	s.against++
	s.doubt = reason
	if s.against < s.needed() {
		return false
	}
	s.against, s.doubt = 0, ""
	s.verdict, s.reason, s.since = says, reason, now
	s.history[s.changes%historyMax] = Transition{At: now, Verdict: says, Reason: reason}
	s.changes++
	return true
}

// needed is how many results in a row it takes to overturn the verdict.
func (s *State) needed() int {
	switch s.verdict {
	case status.Healthy:
		return s.fall
	case status.Unhealthy:
		return s.rise
	default:
		return 1
	}
}

// Verdict is what the results say so far.
func (s *State) Verdict() status.Verdict { return s.verdict }

// Reason says why the verdict is what it is: the last result that agrees with it.
func (s *State) Reason() string { return s.reason }

// Since is when the verdict last changed.
func (s *State) Since() time.Time { return s.since }

// Doubt tells of the results since then that speak against the verdict: how many
// in a row, how many it takes, and the last one's reason. Zero means none.
func (s *State) Doubt() (against, needed int, reason string) {
	return s.against, s.needed(), s.doubt
}

// History lists the last changes of verdict, at most 16, oldest first.
func (s *State) History() []Transition {
	kept := min(s.changes, historyMax)
	list := make([]Transition, 0, kept)
	for i := s.changes - kept; i < s.changes; i++ {
		list = append(list, s.history[i%historyMax])
	}
	return list
}
