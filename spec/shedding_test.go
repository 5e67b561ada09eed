package spec_test

import (
	"testing"
	"time"

	"portico/spec"
)

// TestLate proves from which lag each priority is turned away.
func TestLate(t *testing.T) {
	s := spec.Shedding{Lag: spec.Duration(100 * time.Millisecond), Normal: 90, Low: 70}
	for p, from := range map[spec.Priority]time.Duration{
		spec.PriorityLow: 70 * time.Millisecond, spec.PriorityNormal: 90 * time.Millisecond, spec.PriorityHigh: 100 * time.Millisecond,
	} {
		if s.Late(p, from-1) || !s.Late(p, from) {
			t.Errorf("%s is not turned away from %v on", p, from)
		}
	}
	if (&spec.Shedding{Normal: 90, Low: 70}).Late(spec.PriorityLow, time.Hour) {
		t.Error("a lag that nobody asked for turns requests away")
	}
}

// TestAllows proves how many requests each priority may see, and that one always
// may be in flight.
func TestAllows(t *testing.T) {
	tests := []struct {
		s                 spec.Shedding
		low, normal, high int
	}{
		{spec.Shedding{Requests: 1000, Normal: 90, Low: 70}, 700, 900, 1000},
		{spec.Shedding{Requests: 1, Normal: 90, Low: 70}, 1, 1, 1},
		{spec.Shedding{Requests: 10, Normal: 100, Low: 1}, 1, 10, 10},
	}
	for _, tt := range tests {
		low, normal, high := tt.s.Allows(spec.PriorityLow), tt.s.Allows(spec.PriorityNormal), tt.s.Allows(spec.PriorityHigh)
		if low != tt.low || normal != tt.normal || high != tt.high || tt.s.Allows("") != normal {
			t.Errorf("%+v: %d, %d, %d, want %d, %d, %d", tt.s, low, normal, high, tt.low, tt.normal, tt.high)
		}
	}
}
