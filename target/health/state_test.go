package health_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"portico/spec/status"
	"portico/target/health"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// history steps a state through results, + for a pass and - for a failure, a
// second apart, and draws the changes: + to healthy, - to unhealthy, . for none.
func history(s *health.State, results string) string {
	var changes strings.Builder
	for i, r := range results {
		pass := r == '+'
		if !s.Step(pass, fmt.Sprintf("result %d", i), start.Add(time.Duration(i+1)*time.Second)) {
			changes.WriteByte('.')
		} else if s.Verdict() == status.Healthy {
			changes.WriteByte('+')
		} else {
			changes.WriteByte('-')
		}
	}
	return changes.String()
}

// TestState proves which results change the verdict.
func TestState(t *testing.T) {
	tests := []struct {
		name       string
		rise, fall int
		results    string
		changes    string
	}{
		{"the first pass decides", 2, 3, "+", "+"},
		{"the first failure decides", 2, 3, "-", "-"},
		{"rise 2, fall 3", 2, 3, "++-+---+-++", "+.....-...+"},
		{"a row is broken by one other", 3, 3, "+--+--+---", "+........-"},
		{"passes in between start over", 3, 1, "-++-++-+++", "-........+"},
		{"each result decides", 1, 1, "+-+-", "+-+-"},
		{"below one means one", 0, -1, "+-+-", "+-+-"},
		{"no change without need", 2, 2, "++++", "+..."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := health.NewState(tt.rise, tt.fall, "", start)
			if got := history(&s, tt.results); got != tt.changes {
				t.Errorf("results %s\nchanges %s\nwant    %s", tt.results, got, tt.changes)
			}
		})
	}
}

// TestStateReasons proves what a state tells of itself after each result.
func TestStateReasons(t *testing.T) {
	tests := []struct {
		name    string
		results string
		verdict status.Verdict
		reason  string
		since   int // seconds after start
		against int
		doubt   string
	}{
		{"nothing yet", "", status.Unknown, "not probed yet", 0, 0, ""},
		{"healthy", "+", status.Healthy, "result 0", 1, 0, ""},
		{"the reason stays fresh, since does not", "+++", status.Healthy, "result 2", 1, 0, ""},
		{"doubt", "++--", status.Healthy, "result 1", 1, 2, "result 3"},
		{"doubt is gone", "+--+", status.Healthy, "result 3", 1, 0, ""},
		{"unhealthy", "+---", status.Unhealthy, "result 3", 4, 0, ""},
		{"hope", "+---+", status.Unhealthy, "result 3", 4, 1, "result 4"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := health.NewState(2, 3, "not probed yet", start)
			history(&s, tt.results)
			since := start.Add(time.Duration(tt.since) * time.Second)
			if s.Verdict() != tt.verdict || s.Reason() != tt.reason || !s.Since().Equal(since) {
				t.Errorf("%v because %q since %v, want %v because %q since %v",
					s.Verdict(), s.Reason(), s.Since(), tt.verdict, tt.reason, since)
			}
			if against, _, doubt := s.Doubt(); against != tt.against || doubt != tt.doubt {
				t.Errorf("Doubt() = %d, %q, want %d, %q", against, doubt, tt.against, tt.doubt)
			}
		})
	}
}

// TestRetime proves that new bounds hold for the next result and lose nothing.
func TestRetime(t *testing.T) {
	s := health.NewState(2, 3, "", start)
	history(&s, "+--")
	s.Retime(1, 5)
	if _, needed, _ := s.Doubt(); needed != 5 || s.Verdict() != status.Healthy {
		t.Errorf("after Retime: %v, %d failures needed, want healthy and 5", s.Verdict(), needed)
	}
	if got, want := history(&s, "--+---"), "......"; got != want {
		t.Errorf("changes %s, want %s", got, want)
	}
}

// TestHistory proves that the last sixteen changes are kept, oldest first.
func TestHistory(t *testing.T) {
	s := health.NewState(1, 1, "", start)
	if got := s.History(); len(got) != 0 {
		t.Errorf("History() of a new state = %v", got)
	}
	history(&s, "+-")
	if got := s.History(); len(got) != 2 || got[0].Verdict != status.Healthy || got[1].Reason != "result 1" {
		t.Errorf("History() = %v", got)
	}
	s = health.NewState(1, 1, "", start)
	history(&s, strings.Repeat("+-", 20))
	got := s.History()
	if len(got) != 16 {
		t.Fatalf("History() holds %d changes, want 16", len(got))
	}
	for i, h := range got {
		if want := fmt.Sprintf("result %d", 24+i); h.Reason != want || !h.At.Equal(start.Add(time.Duration(25+i)*time.Second)) {
			t.Errorf("change %d is %v, want %s", i, h, want)
		}
	}
}

// TestStateProperties proves for any results that a verdict is only overturned by
// as many in a row as it takes, and always by those.
func TestStateProperties(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		rise, fall := rapid.IntRange(1, 5).Draw(r, "rise"), rapid.IntRange(1, 5).Draw(r, "fall")
		results := rapid.SliceOf(rapid.Bool()).Draw(r, "results")
		s := health.NewState(rise, fall, "", start)
		row := 0
		for i, pass := range results {
			if i > 0 && pass == results[i-1] {
				row++
			} else {
				row = 1
			}
			before := s.Verdict()
			changed := s.Step(pass, "", start)
			says := map[bool]status.Verdict{true: status.Healthy, false: status.Unhealthy}[pass]
			needed := map[status.Verdict]int{status.Unknown: 1, status.Healthy: fall, status.Unhealthy: rise}[before]
			if want := says != before && row >= needed; changed != want {
				r.Fatalf("result %d of %v: changed %v from %v, want %v", i, results, changed, before, want)
			}
			if changed != (s.Verdict() != before) {
				r.Fatalf("Step = %v, and the verdict went from %v to %v", changed, before, s.Verdict())
			}
		}
	})
}
