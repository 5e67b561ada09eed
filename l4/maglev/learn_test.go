package maglev_test

import (
	"fmt"
	"testing"
	"time"

	"portico/l4/maglev"
	"portico/spec"
)

// learner writes a state as now/before, the end of its window, and from whom it is.
func learner(s maglev.State) string {
	text := letters(s.Now.Members) + "/" + letters(s.Before.Members)
	if !s.Until.IsZero() {
		text += " " + s.Until.Sub(zero).String()
	}
	if s.From != "" {
		text += " from " + string(s.From)
	}
	return text
}

// state makes one: Until is in seconds, 0 for none.
func state(now, before string, until int, from spec.NodeName) maglev.State {
	s := maglev.State{From: from}
	s.Now.Members, s.Before.Members = named(now), named(before)
	if until != 0 {
		s.Until = zero.Add(time.Duration(until) * time.Second)
	}
	return s
}

// other makes another node's, which was seen at that second.
func other(node spec.NodeName, seen int, s maglev.State) maglev.Other {
	return maglev.Other{Node: node, State: s, Seen: zero.Add(time.Duration(seen) * time.Second)}
}

// TestLearn is at second 100, with a bound of 30.
func TestLearn(t *testing.T) {
	tests := []struct {
		name   string
		own    maglev.State
		others []maglev.Other
		want   string
		same   bool // no table is built
	}{
		{"there is nobody", state("abc", "", 0, ""), nil, "abc/", true},
		{"nobody knows more", state("abc", "", 0, ""), []maglev.Other{other("b", 100, state("abc", "", 0, ""))}, "abc/", true},
		{"a window is open at another", state("bc", "", 0, ""), []maglev.Other{other("b", 100, state("bc", "abc", 120, ""))}, "bc/abc 2m0s", false},
		{"and here as well", state("bc", "bcd", 110, ""), []maglev.Other{other("b", 100, state("bc", "abc", 120, ""))}, "bc/bcd 1m50s", true},
		{"it is over", state("bc", "", 0, ""), []maglev.Other{other("b", 100, state("bc", "abc", 100, ""))}, "bc/", true},
		{"its end is further than flows live", state("bc", "", 0, ""), []maglev.Other{other("b", 100, state("bc", "abc", 500, ""))}, "bc/abc 2m10s", false},
		{"another sends flows to others", state("abc", "", 0, ""), []maglev.Other{other("b", 99, state("bc", "abc", 120, ""))}, "abc/bc 2m9s from b", false},
		{"and its clock is ahead", state("abc", "", 0, ""), []maglev.Other{other("b", 500, state("bc", "", 0, ""))}, "abc/bc 2m10s from b", false},
		{"it died, and its flows live", state("abc", "", 0, ""), []maglev.Other{other("b", 71, state("bc", "", 0, ""))}, "abc/bc 1m41s from b", false},
		{"its flows ended", state("abc", "", 0, ""), []maglev.Other{other("b", 70, state("bc", "", 0, ""))}, "abc/", true},
		{"it was seen again just now", state("abc", "bc", 120, "b"), []maglev.Other{other("b", 100, state("bc", "", 0, ""))}, "abc/bc 2m0s from b", true},
		{"it was seen again after a while", state("abc", "bc", 115, "b"), []maglev.Other{other("b", 100, state("bc", "", 0, ""))}, "abc/bc 2m10s from b", false},
		{"it sends them elsewhere now", state("abc", "bc", 130, "b"), []maglev.Other{other("b", 100, state("cd", "", 0, ""))}, "abc/cd 2m10s from b", false},
		{"it agrees again", state("abc", "bc", 130, "b"), []maglev.Other{other("b", 100, state("abc", "bc", 129, ""))}, "abc/bc 2m9s", false},
		{"what it learned itself", state("abc", "", 0, ""), []maglev.Other{other("b", 100, state("abc", "bc", 120, "c"))}, "abc/", true},
		{"a window comes before others", state("abc", "", 0, ""), []maglev.Other{
			other("b", 100, state("bc", "", 0, "")), other("c", 100, state("abc", "cd", 101, "")), other("d", 100, state("cd", "", 0, "")),
		}, "abc/cd 1m41s", false},
		{"who was seen last comes before others", state("abc", "", 0, ""), []maglev.Other{
			other("b", 98, state("bc", "", 0, "")), other("c", 99, state("cd", "", 0, "")), other("d", 97, state("d", "", 0, "")),
		}, "abc/cd 2m9s from c", false},
		{"another was seen a little later", state("abc", "bc", 125, "b"), []maglev.Other{
			other("b", 99, state("bc", "", 0, "")), other("c", 100, state("cd", "", 0, "")),
		}, "abc/bc 2m5s from b", true},
		{"and once it is time", state("abc", "bc", 110, "b"), []maglev.Other{
			other("b", 99, state("bc", "", 0, "")), other("c", 100, state("cd", "", 0, "")),
		}, "abc/bc 2m9s from b", false},
		{"another was seen much later", state("abc", "bc", 110, "b"), []maglev.Other{
			other("b", 80, state("bc", "", 0, "")), other("c", 100, state("cd", "", 0, "")),
		}, "abc/cd 2m10s from c", false},
		{"a window comes before what is known", state("abc", "bc", 125, "b"), []maglev.Other{
			other("b", 100, state("bc", "", 0, "")), other("c", 100, state("abc", "cd", 101, "")),
		}, "abc/cd 1m41s", false},
		{"another has nobody", state("abc", "", 0, ""), []maglev.Other{other("b", 100, state("", "", 0, ""))}, "abc/", true},
		{"nobody is here", state("", "", 0, ""), []maglev.Other{other("b", 100, state("abc", "", 0, ""))}, "/", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			changed := tt.own.Learn(tt.others, zero.Add(100*time.Second), bound)
			if got := learner(tt.own); got != tt.want || changed == tt.same {
				t.Errorf("Learn = %v, state %s; want %v, %s", changed, got, !tt.same, tt.want)
			}
			if err := tt.own.Check(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestLearnedWaitsForNothing proves that a change is made at once in a window that was
// learned from one who sends flows elsewhere, and waits in one that others have too.
func TestLearnedWaitsForNothing(t *testing.T) {
	at := zero.Add(100 * time.Second)
	for _, tt := range []struct {
		other maglev.State
		want  string
	}{
		{state("bc", "", 0, ""), "ab/abc 2m10s"},
		{state("abc", "bc", 120, ""), "abc/bc 2m0s"},
	} {
		s := state("abc", "", 0, "")
		s.Learn([]maglev.Other{other("b", 100, tt.other)}, at, bound)
		s.Step(maglev.Input{Now: at, Want: named("ab"), Bound: bound})
		if got := learner(s); got != tt.want {
			t.Errorf("state %s, want %s", got, tt.want)
		}
	}
}

// TestResume proves whose state a node starts with, at a bound of 30 seconds.
func TestResume(t *testing.T) {
	never := maglev.Other{}
	for _, tt := range []struct {
		name   string
		own    maglev.Other
		others []maglev.Other
		want   string
	}{
		{"the first of all", never, nil, "/"},
		{"new among others", never, []maglev.Other{other("b", 90, state("ab", "", 0, "")), other("c", 100, state("bc", "abc", 120, ""))}, "bc/abc 2m0s from c"},
		{"what another learned is not known better here", never, []maglev.Other{other("b", 100, state("ab", "bc", 120, "c"))}, "ab/"},
		{"started again at once", other("a", 99, state("ab", "", 0, "")), []maglev.Other{other("b", 100, state("bc", "", 0, ""))}, "ab/"},
		{"away for long", other("a", 60, state("ab", "", 0, "")), []maglev.Other{other("b", 100, state("bc", "", 0, ""))}, "bc/"},
		{"all away for long", other("a", 20, state("ab", "", 0, "")), []maglev.Other{other("b", 30, state("bc", "", 0, ""))}, "ab/"},
		{"others have nothing", other("a", 20, state("ab", "", 0, "")), []maglev.Other{other("b", 100, state("", "", 0, ""))}, "ab/"},
	} {
		if got := learner(maglev.Resume(tt.own, tt.others, bound).State); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// TestFlowsOfAnotherNode proves that every flow that a node placed finds its target when
// a router brings it to another, which learned: neither of them made a change that could
// not wait, and the other one's verdicts came later.
func TestFlowsOfAnotherNode(t *testing.T) {
	for _, tt := range []struct {
		sets []string // what is wanted, each for 40 seconds
		lag  int      // by how many seconds the other is behind
	}{
		{[]string{"abcd", "bcd"}, 0},
		{[]string{"abcd", "bcd"}, 1},
		{[]string{"abc", "abcd"}, 8},
		{[]string{"abcd", "abc", "bcde"}, 3},
		{[]string{"abcd", "ab", "abcd"}, 25},
	} {
		t.Run(fmt.Sprint(tt.sets, tt.lag), func(t *testing.T) {
			var first, second maglev.State
			var tables [2]*maglev.Table
			for at := range 40 * len(tt.sets) {
				now, built := zero.Add(time.Duration(at)*time.Second), false
				move := func(i int, s, from *maglev.State, lag int) {
					want := named(tt.sets[max(0, at-lag)/40])
					out := s.Step(maglev.Input{Now: now, Want: want, Bound: bound})
					if s.Learn([]maglev.Other{{Node: "other", State: *from, Seen: now}}, now, bound) || out.Changed {
						tables[i], built = s.Table(), true
					}
				}
				move(0, &first, &second, 0)
				move(1, &second, &first, tt.lag)
				if built {
					if lost := lost(tables[0], tables[1]) + lost(tables[1], tables[0]); lost > 0 {
						t.Fatalf("second %d: the owners of %d slots are not found", at, lost)
					}
				}
			}
		})
	}
}

// lost counts the slots of a table whose owner is neither first nor second in the other.
func lost(by, in *maglev.Table) (n int) {
	for i, s := range by.Slots {
		owner := by.Name(s.Primary())
		first, second := in.Name(in.Slots[i].Primary()), in.Name(in.Slots[i].Secondary())
		if *owner != *first && (second == nil || *owner != *second) {
			n++
		}
	}
	return n
}
