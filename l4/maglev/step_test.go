package maglev_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"portico/l4/maglev"
)

const bound = 30 * time.Second

// zero is when the histories of these tests begin.
var zero = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// names picks members by letter: a is the first.
func named(letters string) []maglev.Member {
	all := members("web", 1, 26)
	var list []maglev.Member
	for _, l := range letters {
		list = append(list, all[l-'a'])
	}
	return list
}

func letters(list []maglev.Member) string {
	var b strings.Builder
	for _, m := range list {
		b.WriteByte('a' + m.Address.Addr().As4()[3])
	}
	return b.String()
}

// What can wait does, as one change; what died does not, and is said to put flows
// at risk inside a window.
func TestStep(t *testing.T) {
	type step struct {
		at         time.Duration
		want, dead string
		ended      bool
		state      string // now/before, and when the window ends
		outcome    string // c for changed, w for waits, r for at risk
	}
	tests := []struct {
		name  string
		steps []step
	}{
		{"the first generation opens no window", []step{
			{0, "abc", "", false, "abc/ 0s", "c"},
			{1 * time.Second, "abcd", "", false, "abcd/abc 31s", "c"},
		}},
		{"nothing new", []step{
			{0, "abc", "", false, "abc/ 0s", "c"},
			{1 * time.Second, "abc", "", false, "abc/ 0s", ""},
		}},
		{"changes wait, and are made as one", []step{
			{0, "abc", "", false, "abc/ 0s", "c"},
			{1 * time.Second, "abcd", "", false, "abcd/abc 31s", "c"},
			{2 * time.Second, "abcde", "", false, "abcd/abc 31s", "w"},
			{3 * time.Second, "bcde", "", false, "abcd/abc 31s", "w"},
			{31 * time.Second, "bcde", "", false, "bcde/abcd 1m1s", "c"},
			{61 * time.Second, "bcde", "", false, "bcde/ 0s", "c"},
			{62 * time.Second, "bcde", "", false, "bcde/ 0s", ""},
		}},
		{"a change that is taken back moves nothing", []step{
			{0, "abc", "", false, "abc/ 0s", "c"},
			{1 * time.Second, "abcd", "", false, "abcd/abc 31s", "c"},
			{2 * time.Second, "abc", "", false, "abcd/abc 31s", "w"},
			{3 * time.Second, "abcd", "", false, "abcd/abc 31s", ""},
		}},
		{"what died leaves alone, and the older flows keep their chance", []step{
			{0, "abc", "", false, "abc/ 0s", "c"},
			{1 * time.Second, "abcd", "", false, "abcd/abc 31s", "c"},
			{2 * time.Second, "bcde", "a", false, "bcd/abc 32s", "cwr"},
			{32 * time.Second, "bcde", "a", false, "bcde/bcd 1m2s", "c"},
		}},
		{"outside of a window nothing is at risk", []step{
			{0, "abc", "", false, "abc/ 0s", "c"},
			{1 * time.Second, "bc", "a", false, "bc/abc 31s", "c"},
		}},
		{"the last of a group is replaced by who is wanted", []step{
			{0, "a", "", false, "a/ 0s", "c"},
			{1 * time.Second, "b", "", false, "b/a 31s", "c"},
			{2 * time.Second, "cd", "b", false, "cd/b 32s", "cr"},
		}},
		{"where all flows ended nothing waits", []step{
			{0, "abc", "", false, "abc/ 0s", "c"},
			{1 * time.Second, "abcd", "", false, "abcd/abc 31s", "c"},
			{2 * time.Second, "abcde", "", true, "abcde/ 0s", "c"},
			{3 * time.Second, "abc", "", true, "abc/ 0s", "c"},
		}},
		{"who is unhealthy and comes back waits", []step{
			{0, "abc", "", false, "abc/ 0s", "c"},
			{1 * time.Second, "bc", "a", false, "bc/abc 31s", "c"},
			{2 * time.Second, "abc", "", false, "bc/abc 31s", "w"},
			{31 * time.Second, "abc", "", false, "abc/bc 1m1s", "c"},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var s maglev.State
			number := uint64(0)
			for i, step := range tt.steps {
				in := maglev.Input{Now: zero.Add(step.at), Want: named(step.want), Bound: bound, Ended: step.ended}
				slices.Reverse(in.Want)
				for _, m := range named(step.dead) {
					in.Dead = append(in.Dead, m.Name)
				}
				had := letters(s.Now.Members)
				out := s.Step(in)
				until := time.Duration(0)
				if !s.Until.IsZero() {
					until = s.Until.Sub(zero)
				}
				if got := letters(s.Now.Members) + "/" + letters(s.Before.Members) + " " + until.String(); got != step.state {
					t.Errorf("step %d: state %s, want %s", i, got, step.state)
				}
				if got := outcome(out); got != step.outcome {
					t.Errorf("step %d: outcome %q, want %q", i, got, step.outcome)
				}
				if had != letters(s.Now.Members) {
					number++
				}
				if s.Now.Number != number {
					t.Errorf("step %d: generation %d, want %d", i, s.Now.Number, number)
				}
			}
		})
	}
}

func outcome(o maglev.Outcome) string {
	var b strings.Builder
	for _, f := range []struct {
		set    bool
		letter byte
	}{{o.Changed, 'c'}, {o.Waits, 'w'}, {o.AtRisk > 0, 'r'}} {
		if f.set {
			b.WriteByte(f.letter)
		}
	}
	return b.String()
}

// In a window, the slots that are at risk are those where a flow of either time
// would find its target neither first nor second, and no more than there must be.
func TestAtRisk(t *testing.T) {
	var s maglev.State
	s.Step(maglev.Input{Now: zero, Want: named("abcdefgh"), Bound: bound})
	first := s.Table()
	s.Step(maglev.Input{Now: zero, Want: named("abcdefghi"), Bound: bound})
	second := s.Table()
	died := named("a")[0].Name
	out := s.Step(maglev.Input{Now: zero, Want: named("bcdefghi"), Dead: []maglev.Name{died}, Bound: bound})
	third := s.Table()
	risk := 0
	for i, slot := range third.Slots {
		reached := []maglev.Name{owner(third, slot.Primary()), owner(third, slot.Secondary())}
		older, newer := owner(first, first.Slots[i].Primary()), owner(second, second.Slots[i].Primary())
		if !slices.Contains(reached, older) || !slices.Contains(reached, newer) {
			risk++
		}
	}
	if out.AtRisk != risk {
		t.Errorf("AtRisk = %d, but flows of %d slots reach neither", out.AtRisk, risk)
	}
	// Had the second generation been kept, every slot that i took would be at risk.
	if most := second.Moved() / 2; risk > most {
		t.Errorf("%d slots at risk, want at most %d", risk, most)
	}
}

// A group that left the listener takes its share with it; one that is without
// targets keeps it, for nobody, until it has some again.
func TestStepOfGroups(t *testing.T) {
	web, api := members("web", 1, 2), members("api", 1, 2)
	nobody := maglev.Member{Name: maglev.Name{Group: "api"}, Weight: 1, Share: 1}
	var s maglev.State
	step := func(want []maglev.Member, dead ...maglev.Member) {
		in := maglev.Input{Now: zero, Want: want, Bound: bound}
		for _, m := range dead {
			in.Dead = append(in.Dead, m.Name)
		}
		s.Step(in)
	}
	check := func(what string, want ...maglev.Member) {
		t.Helper()
		got := slices.Clone(s.Now.Members)
		for _, m := range want {
			got = slices.DeleteFunc(got, func(g maglev.Member) bool { return g == m })
		}
		if len(got) > 0 || len(s.Now.Members) != len(want) {
			t.Errorf("%s: members %v, want %v", what, s.Now.Members, want)
		}
	}
	step(slices.Concat(web, api))
	step(slices.Concat(web, api[:1])) // opens a window
	step(append(slices.Clone(web), nobody), api[0])
	check("the last of a group died", append(slices.Clone(web), nobody)...)
	step(slices.Concat(web, api[1:]))
	check("a group is not left without when it has one again", slices.Concat(web, api[1:])...)
	step(web, api[1])
	check("the group left", web...)
}

// A state is what is kept on disk.
func TestStateIsKept(t *testing.T) {
	var s, back maglev.State
	s.Step(maglev.Input{Now: zero, Want: named("abc"), Bound: bound})
	s.Step(maglev.Input{Now: zero, Want: named("abcd"), Bound: bound})
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(back, s) {
		t.Errorf("%s\nread back as %+v, %v, want %+v", text, back, err, s)
	}
}
