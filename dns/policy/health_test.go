package policy_test

import (
	"testing"

	"pgregory.net/rapid"

	"portico/dns/policy"
	"portico/spec"
	"portico/spec/status"
)

// TestUse proves which sites are in use under which verdicts: + is healthy, ? is
// unknown, - is unhealthy; an x below is in use.
func TestUse(t *testing.T) {
	for _, tc := range []struct {
		name     string
		verdicts string
		when     spec.WhenNoneHealthy
		used     string
		mode     policy.Mode
	}{
		{"all healthy", "+++", spec.FailOpen, "xxx", policy.ModeHealthy},
		{"the healthy ones", "-+?", spec.FailOpen, ".x.", policy.ModeHealthy},
		{"one healthy, last", "??+", spec.FailOpen, "..x", policy.ModeHealthy},
		{"none is healthy: the unknown ones", "-?-?", spec.FailOpen, ".x.x", policy.ModeUnknown},
		{"at start", "??", spec.FailClosed, "xx", policy.ModeUnknown},
		{"all unhealthy", "---", spec.FailOpen, "xxx", policy.ModeFailOpen},
		{"open unless it says otherwise", "--", "", "xx", policy.ModeFailOpen},
		{"all unhealthy, closed", "--", spec.FailClosed, "..", policy.ModeNone},
		{"unknown is not dead", "-?", spec.FailClosed, ".x", policy.ModeUnknown},
		{"closed with one healthy", "-+", spec.FailClosed, ".x", policy.ModeHealthy},
		{"no sites", "", spec.FailOpen, "", policy.ModeNone},
	} {
		verdicts := make([]status.Verdict, len(tc.verdicts))
		for i, c := range tc.verdicts {
			verdicts[i] = map[rune]status.Verdict{'+': status.Healthy, '?': status.Unknown, '-': status.Unhealthy}[c]
		}
		wanted, mode := policy.Use(verdicts, tc.when)
		got := ""
		for _, v := range verdicts {
			if policy.Used(v, wanted, mode) {
				got += "x"
			} else {
				got += "."
			}
		}
		if got != tc.used || mode != tc.mode {
			t.Errorf("%s: %s is %s %s, want %s %s", tc.name, tc.verdicts, got, mode, tc.used, tc.mode)
		}
	}
}

// TestUseProperties proves, for any verdicts, that something is in use unless the
// record fails closed, and that nothing in use is worse than what is not.
func TestUseProperties(t *testing.T) {
	rank := map[status.Verdict]int{status.Unhealthy: 0, status.Unknown: 1, status.Healthy: 2}
	rapid.Check(t, func(t *rapid.T) {
		verdicts := rapid.SliceOfN(rapid.SampledFrom([]status.Verdict{status.Unknown, status.Healthy, status.Unhealthy}), 1, 10).Draw(t, "verdicts")
		when := rapid.SampledFrom([]spec.WhenNoneHealthy{spec.FailOpen, spec.FailClosed}).Draw(t, "when")
		wanted, mode := policy.Use(verdicts, when)
		used := 0
		for _, v := range verdicts {
			if policy.Used(v, wanted, mode) {
				used++
			} else if mode != policy.ModeNone && rank[v] >= rank[wanted] {
				t.Fatalf("%v is left out and %v is used", v, wanted)
			}
		}
		if (used == 0) != (mode == policy.ModeNone) || mode == policy.ModeNone && when == spec.FailOpen {
			t.Fatalf("%d used in mode %s", used, mode)
		}
	})
}
