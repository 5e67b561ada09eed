package maglev

import (
	"slices"
	"time"

	"portico/spec"
)

// Other is where another node's table of the same listener is.
type Other struct {
	Node  spec.NodeName
	State State
	// Seen is when that node was last known to run.
	Seen time.Time
}

// Learn gives flows a second chance that other nodes placed: a router may bring them
// here at any time. It is called after Step, with the same Now and Bound, and reports
// whether the table must be built anew.
//
// Nodes place flows by their own verdicts, of which none is better than another's. So a
// node never takes over who others send flows to, only who may hold flows of theirs. A
// window that is open at one that sends flows to the same members becomes one here.
// The members of one that sends them to others get what they do not know, for as long
// as that node runs and its flows live; no change waits for that. A window of the
// node's own comes before both.
func (s *State) Learn(others []Other, now time.Time, bound time.Duration) (changed bool) {
	if s.From == "" && !s.Until.IsZero() || len(s.Now.Members) == 0 {
		return false
	}
	var next, same State // the best of all, and what is known already, as it is now
	for _, o := range others {
		learned := State{s.Now, o.State.Before, o.State.Until, ""}
		switch {
		case !slices.Equal(o.State.Now.Members, s.Now.Members):
			learned = State{s.Now, o.State.Now, o.Seen.Add(bound), o.Node}
		case o.State.From != "":
			continue // the node has it from others
		}
		learned.Until = earlier(learned.Until, now.Add(bound))
		if len(learned.Before.Members) == 0 || !learned.Until.After(now) {
			continue
		}
		if learned.better(&next) {
			next = learned
		}
		if learned.From == s.From && slices.Equal(learned.Before.Members, s.Before.Members) {
			same = learned
		}
	}
	if same.From != "" && next.From != "" && next.Until.Sub(same.Until) < bound/2 {
		next = same // not each time that one is seen after another
	}
	switch {
	case next.Until.IsZero():
		return false
	case next.From == s.From && slices.Equal(next.Before.Members, s.Before.Members) && next.Until.Sub(s.Until) < bound/2:
		return false // not each time that the other node is seen: that would be a table a second
	}
	*s = next
	return true
}

// better reports whether s is rather to be learned: a window, or else what lasts longer.
func (s *State) better(than *State) bool {
	if (s.From == "") != (than.From == "") && !than.Until.IsZero() {
		return s.From == ""
	}
	return s.Until.After(than.Until)
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// Resume is who to start with the state of: the node itself, unless it was away for longer
// than flows live and another node was not, which then knows better who may hold flows.
// What is another's holds back no change here: its verdicts are not this node's.
func Resume(own Other, others []Other, bound time.Duration) Other {
	best := own
	for _, o := range others {
		if len(o.State.Now.Members) > 0 && o.Seen.After(best.Seen) && o.Seen.Sub(own.Seen) > bound {
			best = o
		}
	}
	switch {
	case best.State.From != "":
		best.State.forget()
	case best.Node != own.Node && !best.State.Until.IsZero():
		best.State.From = best.Node
	}
	return best
}
