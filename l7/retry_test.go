package l7_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"portico/spec"
)

// newAnswer starts a target that answers always with one status, and counts.
func newAnswer(t *testing.T, status int) (*httptest.Server, *atomic.Int64) {
	t.Helper()
	var n atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.Add(1)
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, "%d by %s", status, r.Method)
	}))
	t.Cleanup(s.Close)
	return s, &n
}

// first balances so that the first target listed is asked first.
func first(g spec.TargetGroup) spec.TargetGroup {
	g.Balance = &spec.Choice{Name: "first"}
	return g
}

// TestRetriesOn proves that what the rule names is tried on another target, and
// nothing that must not be.
func TestRetriesOn(t *testing.T) {
	bad, asked := newAnswer(t, 503)
	good, served := newAnswer(t, 200)
	b := newBed(t, func(_ *bed, s *spec.Spec) {
		toOne(s, first(group("web", bad, good)))
		s.Routes[0].Rules[0].Retries = spec.Retries{On: []spec.RetryOn{"502", "503", "reset"}}
	})
	tests := []struct {
		request string
		headers []string
		status  int
		text    string
		retried bool
	}{
		{"GET / any.test", nil, 200, "200 by GET", true},
		{"DELETE / any.test", nil, 200, "200 by DELETE", true},
		{"POST / any.test", []string{"Content-Length: 0"}, 503, "503 by POST", false},
		{"PATCH / any.test", []string{"Content-Length: 0"}, 503, "503 by PATCH", false},
	}
	for _, tt := range tests {
		before, after := asked.Load(), served.Load()
		a := b.dial().do(tt.request, tt.headers...)
		if a.StatusCode != tt.status || a.text != tt.text {
			t.Errorf("%s: %d %q, want %d %q", tt.request, a.StatusCode, a.text, tt.status, tt.text)
		}
		if asked.Load() != before+1 || (served.Load() == after+1) != tt.retried {
			t.Errorf("%s: asked %d and %d times", tt.request, asked.Load()-before, served.Load()-after)
		}
	}
	log := strings.Join(b.log.all(t, len(tests)), "\n")
	if n := strings.Count(log, `"retries":1`); n != 2 {
		t.Errorf("%d lines say that a retry was made, want 2:\n%s", n, log)
	}
}

// TestRetriesUnsafe proves that methods that are not idempotent are tried again
// where the rule says so.
func TestRetriesUnsafe(t *testing.T) {
	bad, _ := newAnswer(t, 503)
	good, _ := newAnswer(t, 200)
	b := newBed(t, func(_ *bed, s *spec.Spec) {
		toOne(s, first(group("web", bad, good)))
		s.Routes[0].Rules[0].Retries = spec.Retries{On: []spec.RetryOn{"503"}, NonIdempotent: true}
	})
	if a := b.dial().do("POST / any.test", "Content-Length: 0"); a.StatusCode != 200 {
		t.Errorf("answered %d %q", a.StatusCode, a.text)
	}
}

// TestRetriesPerTry proves that a target that hangs costs one try's time.
func TestRetriesPerTry(t *testing.T) {
	hangs := newGate(t, "hangs")
	good, _ := newAnswer(t, 200)
	b := newBed(t, func(_ *bed, s *spec.Spec) {
		toOne(s, first(group("web", hangs.Server, good)))
		s.Routes[0].Rules[0].Retries = spec.Retries{On: []spec.RetryOn{"timeout"}, PerTry: spec.Duration(time.Second)} // in which the good one has to answer
	})
	if a := b.dial().do("GET / any.test"); a.StatusCode != 200 {
		t.Errorf("answered %d %q", a.StatusCode, a.text)
	}
	hangs.next(t)
}

// TestRetriesBudget proves that a group of which every target fails is not asked
// more often than its budget allows, and that clients get the answer it gave.
func TestRetriesBudget(t *testing.T) {
	one, n1 := newAnswer(t, 503)
	two, n2 := newAnswer(t, 503)
	three, n3 := newAnswer(t, 503)
	b := newBed(t, func(_ *bed, s *spec.Spec) {
		toOne(s, group("web", one, two, three))
		s.Routes[0].Rules[0].Retries = spec.Retries{On: []spec.RetryOn{"503"}, Budget: &spec.RetryBudget{Percent: 20}}
	})
	const requests = 200
	c := b.dial()
	for range requests {
		if a := c.do("GET / any.test"); a.StatusCode != 503 || a.text != "503 by GET" {
			t.Fatalf("answered %d %q", a.StatusCode, a.text)
		}
	}
	if n := n1.Load() + n2.Load() + n3.Load(); n <= requests || n > requests*12/10 {
		t.Errorf("%d requests became %d, want at most a fifth more", requests, n)
	}
	if b.counted(t, "portico_l7_retries_refused_total") == 0 {
		t.Error("no retry was refused")
	}
}

// counted sums up the series of a counter or a gauge.
func (b *bed) counted(t *testing.T, name string) (sum float64) {
	t.Helper()
	families, err := b.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return sum
}
