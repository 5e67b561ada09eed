package spec_test

import (
	"testing"

	"portico/spec"
)

// TestRetryOn proves which reasons to try again there are.
func TestRetryOn(t *testing.T) {
	for text, status := range map[string]int{"connect": 0, "reset": 0, "timeout": 0, "400": 400, "503": 503, "599": 599} {
		var r spec.RetryOn
		if err := r.UnmarshalText([]byte(text)); err != nil || r.Status() != status {
			t.Errorf("%q is read as %q, status %d, %v", text, r, r.Status(), err)
		}
	}
	for _, text := range []string{"", "Reset", "5xx", "200", "399", "600", "0503", "+503", "50", "-503"} {
		var r spec.RetryOn
		if err := r.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is read as %q", text, r)
		}
	}
}

// TestPerTarget proves which of two limits holds.
func TestPerTarget(t *testing.T) {
	tests := []struct {
		limits spec.GroupLimits
		want   int
	}{
		{spec.GroupLimits{}, 0},
		{spec.GroupLimits{Requests: 5}, 5},
		{spec.GroupLimits{Connections: 7}, 7},
		{spec.GroupLimits{Requests: 5, Connections: 7}, 5},
	}
	for _, tt := range tests {
		if got := tt.limits.PerTarget(); got != tt.want {
			t.Errorf("%+v: PerTarget() = %d, want %d", tt.limits, got, tt.want)
		}
	}
}
