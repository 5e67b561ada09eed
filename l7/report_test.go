package l7_test

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"portico/spec"
)

// TestEjected proves that a target whose answers fail gets no requests while it is
// ejected, is tried again after that, and is back when it does well; and that
// clients' faults are not its.
func TestEjected(t *testing.T) {
	var broken atomic.Bool
	var asked atomic.Int64
	flaky := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		if broken.Load() {
			w.WriteHeader(500)
		}
	}))
	t.Cleanup(flaky.Close)
	good, _ := newAnswer(t, 200)
	b := newBed(t, func(_ *bed, s *spec.Spec) {
		g := group("web", flaky, good)
		g.Outliers = &spec.Outliers{
			Failures: 3, Interval: spec.Duration(time.Second), EjectFor: spec.Duration(200 * time.Millisecond),
			EjectMax: spec.Duration(time.Second), MaxEjected: 50, Trials: 2,
		}
		toOne(s, g)
	})
	phase := func(want string) {
		t.Helper()
		deadline := time.Now().Add(10 * time.Second)
		for c := b.dial(); ; c.do("GET / any.test") {
			e := b.groups.Status()[0].Targets[0].Ejection
			if e != nil && e.Phase == want {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("the target is %+v, want %s", e, want)
			}
		}
	}
	c := b.dial()
	for range 20 {
		c.do("GET / any.test")
	}
	if e := b.groups.Status()[0].Targets[0].Ejection; e != nil {
		t.Fatalf("ejected for nothing: %+v", e)
	}
	broken.Store(true)
	phase("ejected")
	// What is asked within one ejection counts, once it is among those to choose from no
	// more, which is a moment later. How long ten take nobody knows.
	ejection := func() (until time.Time, out bool) {
		e := b.groups.Status()[0].Targets[0].Ejection
		used, _ := b.groups.Group("web").Used()
		return e.Until, e.Phase == "ejected" && len(used) == 1
	}
	deadline := time.Now().Add(30 * time.Second)
	for counted := 0; counted < 10; {
		before := asked.Load()
		until, out := ejection()
		a := c.do("GET / any.test")
		if now, still := ejection(); out && still && now.Equal(until) {
			counted++
			if a.StatusCode != 200 || asked.Load() != before {
				t.Errorf("answered %d while the target that fails is ejected, and it got %d requests", a.StatusCode, asked.Load()-before)
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("after 30 s %d requests were asked within an ejection, want 10", counted)
		}
	}
	broken.Store(false)
	phase("in")
	if b.counted(t, "portico_l7_requests_total") == 0 {
		t.Error("nothing was counted")
	}
}
