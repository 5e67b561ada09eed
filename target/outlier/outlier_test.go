package outlier_test

import (
	"math/rand/v2"
	"regexp"
	"testing"
	"time"

	"portico/spec"
	"portico/target/outlier"
)

var epoch = time.Unix(1_700_000_000, 0)

func params() *spec.Outliers {
	return &spec.Outliers{
		Failures: 5, Interval: spec.Duration(10 * time.Second), EjectFor: spec.Duration(30 * time.Second),
		EjectMax: spec.Duration(70 * time.Second), MaxEjected: 30, Trials: 3,
	}
}

// TestState proves that an ejection ends in a trial, that each is longer than the
// one before up to the maximum, and that good conduct is remembered.
func TestState(t *testing.T) {
	p, now := params(), epoch
	var s outlier.State
	for i, want := range []time.Duration{30 * time.Second, time.Minute, 70 * time.Second, 70 * time.Second} {
		s.Eject(p, "why", now)
		if s.Phase != outlier.Out || s.Until.Sub(now) != want || s.Reason != "why" {
			t.Fatalf("ejection %d: %+v, want %v", i, s, want)
		}
		if s.Step(p, s.Until.Add(-1)) {
			t.Fatalf("ejection %d ended early", i)
		}
		now = s.Until
		if !s.Step(p, now) || s.Phase != outlier.Trial || s.Step(p, now.Add(time.Hour)) {
			t.Fatalf("ejection %d did not end in a trial that lasts", i)
		}
	}
	s.Return(now)
	for range 3 { // of four ejections
		now = now.Add(30 * time.Second)
		if s.Step(p, now) {
			t.Error("what is in changes by itself")
		}
	}
	s.Eject(p, "again", now)
	if got := s.Until.Sub(now); got != time.Minute {
		t.Errorf("after three quiet times it is out for %v, want 1m", got)
	}
	if h := s.History(); len(h) != 5 || h[4].Reason != "again" || h[0].For != 30*time.Second {
		t.Errorf("history: %+v", h)
	}
	for range 20 {
		s.Eject(p, "more", now)
	}
	if h := s.History(); len(h) != 8 {
		t.Errorf("the history has %d entries, want the last 8", len(h))
	}
}

// TestGuard proves how many may be out.
func TestGuard(t *testing.T) {
	tests := []struct{ percent, n, want int }{
		{30, 0, 0}, {30, 1, 0}, {30, 2, 1}, {30, 3, 1}, {30, 6, 1}, {30, 7, 2}, {30, 100, 30}, {90, 2, 1}, {90, 10, 9}, {1, 50, 1},
	}
	for _, tt := range tests {
		if got := outlier.Guard(&spec.Outliers{MaxEjected: tt.percent}, tt.n); got != tt.want {
			t.Errorf("%d %% of %d: Guard = %d, want %d", tt.percent, tt.n, got, tt.want)
		}
	}
}

func sample(requests, failures int, mean time.Duration) outlier.Sample {
	return outlier.Sample{Requests: requests, Failures: failures, Latency: mean * time.Duration(requests-failures)}
}

// TestJudge proves who stands out from a group, and that nobody does where there
// is too little to compare.
func TestJudge(t *testing.T) {
	rate := &spec.SuccessRate{Deviations: 1.5, Requests: 50, Targets: 3}
	slow := &spec.LatencyOutlier{Factor: 3, Least: spec.Duration(10 * time.Millisecond), Requests: 50, Targets: 3}
	const ms = time.Millisecond
	tests := []struct {
		name    string
		p       spec.Outliers
		samples []outlier.Sample
		want    []int
		kind    outlier.Kind
	}{
		{"all well", spec.Outliers{SuccessRate: rate, Latency: slow}, []outlier.Sample{sample(100, 0, ms), sample(100, 0, ms), sample(100, 0, ms)}, nil, 0},
		{"one fails", spec.Outliers{SuccessRate: rate}, []outlier.Sample{sample(100, 0, ms), sample(100, 40, ms), sample(100, 1, ms), sample(100, 0, ms)}, []int{1}, outlier.Rate},
		{"all fail alike", spec.Outliers{SuccessRate: rate}, []outlier.Sample{sample(100, 50, ms), sample(100, 50, ms), sample(100, 50, ms)}, nil, 0},
		{"one fails of few requests", spec.Outliers{SuccessRate: rate}, []outlier.Sample{sample(100, 0, ms), sample(49, 49, ms), sample(100, 0, ms), sample(100, 0, ms)}, nil, 0},
		{"one fails of two", spec.Outliers{SuccessRate: rate}, []outlier.Sample{sample(100, 0, ms), sample(100, 100, ms)}, nil, 0},
		{"one is slow", spec.Outliers{Latency: slow}, []outlier.Sample{sample(100, 0, 10*ms), sample(100, 0, 11*ms), sample(100, 0, 40*ms)}, []int{2}, outlier.Latency},
		{"one is slow, but fast", spec.Outliers{Latency: slow}, []outlier.Sample{sample(100, 0, ms), sample(100, 0, ms), sample(100, 0, 9*ms)}, nil, 0},
		{
			"the worst first",
			spec.Outliers{Latency: slow},
			[]outlier.Sample{sample(100, 0, 10*ms), sample(100, 0, 50*ms), sample(100, 0, 10*ms), sample(100, 0, 90*ms), sample(100, 0, 10*ms)},
			[]int{3, 1},
			outlier.Latency,
		},
		{"what only fails has no latency", spec.Outliers{Latency: slow}, []outlier.Sample{sample(100, 100, 0), sample(100, 0, 10*ms), sample(100, 0, 10*ms), sample(100, 0, 10*ms)}, nil, 0},
		{"nothing asked for", spec.Outliers{}, []outlier.Sample{sample(100, 100, ms), sample(100, 0, 90*ms), sample(100, 0, ms)}, nil, 0},
		{"no targets", spec.Outliers{SuccessRate: rate, Latency: slow}, nil, nil, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			found := outlier.Judge(&tt.p, tt.samples)
			if len(found) != len(tt.want) {
				t.Fatalf("found %+v, want %v", found, tt.want)
			}
			for i, f := range found {
				if f.Index != tt.want[i] || f.Kind != tt.kind || f.Reason == "" {
					t.Errorf("found %+v, want index %d, %v", f, tt.want[i], tt.kind)
				}
			}
		})
	}
}

// TestJudgeProperties proves that whatever the counts, no target is found twice for
// one kind, none that did best, and nothing is divided by zero.
func TestJudgeProperties(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for range 5000 {
		p := &spec.Outliers{
			SuccessRate: &spec.SuccessRate{Deviations: r.Float64() * 3, Requests: r.IntN(5), Targets: r.IntN(4)},
			Latency:     &spec.LatencyOutlier{Factor: 1 + r.Float64()*3, Requests: r.IntN(5), Targets: r.IntN(4)},
		}
		samples := make([]outlier.Sample, r.IntN(6))
		for i := range samples {
			n := r.IntN(10)
			samples[i] = sample(n, r.IntN(n+1), time.Duration(r.IntN(1000))*time.Microsecond)
		}
		type key struct {
			index int
			kind  outlier.Kind
		}
		seen := map[key]bool{}
		for _, f := range outlier.Judge(p, samples) {
			k := key{f.Index, f.Kind}
			if seen[k] {
				t.Fatalf("%+v: found twice in %+v", f, samples)
			}
			seen[k] = true
			if s := samples[f.Index]; f.Kind == outlier.Rate && s.Failures == 0 {
				t.Fatalf("%+v: never failed: %+v", f, s)
			}
		}
	}
}

// TestKinds proves that kinds and phases have names.
func TestKinds(t *testing.T) {
	word := regexp.MustCompile(`^[a-z -]+$`)
	for _, k := range outlier.Kinds() {
		if !word.MatchString(k.String()) {
			t.Errorf("kind %d is named %q", k, k)
		}
	}
	if n := len(outlier.Kinds()); n != int(outlier.KindsMax) {
		t.Errorf("%d kinds, want %d", n, outlier.KindsMax)
	}
	for _, p := range []outlier.Phase{outlier.In, outlier.Out, outlier.Trial} {
		if !word.MatchString(p.String()) {
			t.Errorf("phase %d is named %q", p, p)
		}
	}
}
