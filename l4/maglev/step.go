package maglev

import (
	"fmt"
	"slices"
	"time"

	"portico/spec"
	"portico/target/balance"
)

// State is where the membership of one table is: who takes flows, who did before,
// and until when flows of that time may still be about. The zero State has no
// members. It is what a node keeps on disk.
type State struct {
	Now    Generation `json:"now"`
	Before Generation `json:"before,omitzero"`
	// Until is the end of the window in which no change is made that can wait; zero
	// when there is none.
	Until time.Time `json:"until,omitzero"`
	// From is the node that places flows by Before now, as this one learned, and no
	// change waits for that; "" where Before is a generation before Now.
	From spec.NodeName `json:"from,omitempty"`
}

// Table builds the table of the state.
func (s *State) Table() *Table {
	t := Build(s.Now, s.Before)
	t.Until, t.From = s.Until, s.From
	return t
}

// Check refuses a state that Step could not have come to, such as one from a file
// that was changed.
func (s *State) Check() error {
	for _, g := range []Generation{s.Now, s.Before} {
		if len(g.Members) > MembersMax {
			return fmt.Errorf("generation %d: %d members, of at most %d", g.Number, len(g.Members), MembersMax)
		}
		for i, m := range g.Members {
			if m.Weight <= 0 || m.Share <= 0 {
				return fmt.Errorf("generation %d: member %s of group %q: weight %d, share %d; both must be above 0", g.Number, m.Address, m.Group, m.Weight, m.Share)
			}
			if i > 0 && g.Members[i-1].compare(m.Name) >= 0 {
				return fmt.Errorf("generation %d: member %s of group %q is out of order or there twice", g.Number, m.Address, m.Group)
			}
		}
	}
	return nil
}

// Input is what one step depends on.
type Input struct {
	Now time.Time
	// Want are those who should take flows, at most MembersMax.
	Want []Member
	// Dead are members that must take no more flows at once: they are unhealthy, or
	// the spec does not list them any more. Those that drain or have weight 0 are
	// merely not wanted.
	Dead []Name
	// Bound is how long flows of an older generation may live.
	Bound time.Duration
	// Ended says that no flow depends on the table any more: those of older
	// generations ended, or are kept by other means.
	Ended bool
}

// Outcome is what a step came to.
type Outcome struct {
	// Changed says that the table must be built anew.
	Changed bool
	// Waits says that a change waits for the end of the window.
	Waits bool
	// AtRisk counts the slots whose flows may break, because a change could not wait.
	AtRisk int
}

// Step lets the membership go where it should, as far as it may. It is called
// after every change of what is wanted, and at Until.
//
// Each table knows two generations, so flows survive one change: until those from
// before it ended, changes that can wait do, and then are made as one. What died
// leaves at once, alone; of the two generations before it, the one is kept whose
// flows would lose more.
func (s *State) Step(in Input) Outcome {
	var out Outcome
	if latest := in.Now.Add(in.Bound); s.Until.After(latest) {
		s.Until = latest // the bound is shorter now, or the clock was set back
	}
	if !s.Until.IsZero() && (in.Ended || !in.Now.Before(s.Until)) {
		// What the past owners might get would be no flows of theirs any more.
		s.forget()
		out.Changed = true
	}
	want := sorted(in.Want)
	if slices.Equal(want, s.Now.Members) {
		return out
	}
	if s.From != "" {
		s.forget()
	}
	next := want
	if !s.Until.IsZero() {
		next = s.forced(want, in.Dead)
		out.Waits = !slices.Equal(next, want)
	}
	if slices.Equal(next, s.Now.Members) {
		return out
	}
	out.Changed = true
	out.AtRisk = s.move(next)
	if s.Until = in.Now.Add(in.Bound); in.Bound <= 0 || in.Ended || len(s.Before.Members) == 0 {
		s.forget()
	}
	return out
}

// forget ends the window.
func (s *State) forget() { s.Before, s.Until, s.From = Generation{}, time.Time{}, "" }

// forced are the members without the dead. A group that has none left takes those
// who are wanted in it, or leaves where nothing is.
func (s *State) forced(want []Member, dead []Name) []Member {
	gone := make(map[Name]bool, len(dead))
	for _, n := range dead {
		gone[n] = true
	}
	had, left := map[spec.TargetGroupName]bool{}, map[spec.TargetGroupName]bool{}
	var next []Member
	for _, m := range s.Now.Members {
		had[m.Group] = true
		if !gone[m.Name] && !m.nobody() {
			next = append(next, m)
			left[m.Group] = true
		}
	}
	for _, m := range want {
		if had[m.Group] && !left[m.Group] {
			next = append(next, m)
		}
	}
	if len(next) == 0 {
		return want
	}
	return sorted(next)
}

// move makes next the generation, and counts the slots with flows that then have
// neither their owner nor a second chance. Outside of a window there are none.
func (s *State) move(next []Member) (atRisk int) {
	now := Generation{Number: s.Now.Number + 1, Members: next}
	before := s.Now
	if !s.Until.IsZero() {
		is, was, past := now.owners(), s.Now.owners(), s.Before.owners()
		ofNow, ofBefore := lost(is, was, past), lost(is, past, was)
		if atRisk = ofNow; ofBefore < ofNow {
			before, atRisk = s.Before, ofBefore
		}
	}
	s.Now, s.Before = now, before
	return atRisk
}

// lost counts the slots whose owner of a time that is not kept is neither the
// owner now nor the one that is kept.
func lost(is, kept, other []Name) int {
	n := 0
	for i, owner := range other {
		if owner != (Name{}) && owner != is[i] && owner != kept[i] {
			n++
		}
	}
	return n
}

// owners lists the owner of every slot; nobody's has no address.
func (g Generation) owners() []Name {
	members := sorted(g.Members)
	owners := make([]Name, Slots)
	for slot, i := range balance.MaglevTable(candidates(members)) {
		if m := members[i]; !m.nobody() {
			owners[slot] = m.Name
		}
	}
	return owners
}
