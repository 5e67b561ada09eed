package kept_test

import (
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"portico/l7/kept"
	"portico/l7/limit"
	"portico/spec"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// thing is what a filter of these tests holds.
type thing struct{ closed int }

func (t *thing) Close() error {
	t.closed++
	return nil
}

// Rates makes it one of those that are summed up.
func (t *thing) Rates(time.Time) limit.Stats { return limit.Stats{Keys: 1, KeysMax: 10, Evicted: 5} }

// holder is a filter that holds a thing.
type holder struct{ *thing }

func (h *holder) Made(*kept.Store) any { return &thing{} }
func (h *holder) Hold(made any)        { h.thing = made.(*thing) }

func give(p *kept.Place, params any) *thing {
	var h holder
	p.Give(&h, spec.Choice{Name: "x", Params: params})
	return h.thing
}

// A filter that stays as it was finds what it held, wherever it moved in its
// route; one that changed, or a second one like it, does not.
func TestGive(t *testing.T) {
	s := kept.New(noon)
	first := s.Turn()
	place := first.Place("shop")
	a, b, c := give(place, 1), give(place, 1), give(first.Place("other"), 1)
	shared := give(first.Place("shop"), 1) // the same route on another listener
	if a == b || a == c || a != shared {
		t.Errorf("alike %p and %p, in another route %p, on another listener %p", a, b, c, shared)
	}
	first.Commit()
	second := s.Turn()
	place = second.Place("shop")
	if changed, again := give(place, 2), give(place, 1); changed == a || again != a {
		t.Errorf("changed %p, unchanged %p, it held %p", changed, again, a)
	}
	if none := give(nil, 1); none == a {
		t.Error("what stands nowhere finds something")
	}
	if a.closed+b.closed+c.closed > 0 {
		t.Error("what is held was closed before the spec was applied")
	}
	second.Commit()
	if a.closed != 0 || b.closed != 1 || c.closed != 1 {
		t.Errorf("closed: %d held on, %d and %d gone", a.closed, b.closed, c.closed)
	}
	s.Close()
	if a.closed != 1 {
		t.Errorf("at the end what was held is closed %d times", a.closed)
	}
}

// What limits forgot is counted on when they are gone.
func TestRates(t *testing.T) {
	s := kept.New(noon)
	for i := range 3 {
		turn := s.Turn()
		give(turn.Place("shop"), i)
		turn.Commit()
		if got, want := s.Rates(noon), (limit.Stats{Keys: 1, KeysMax: 10, Evicted: uint64(5 * (i + 1))}); got != want {
			t.Errorf("after spec %d: %+v, want %+v", i, got, want)
		}
	}
}

// Close ends what is under way, waits for it, and takes nothing more.
func TestClose(t *testing.T) {
	s := kept.New(noon)
	var done atomic.Bool
	if !s.Go(func() {
		<-s.Context().Done()
		done.Store(true)
	}) {
		t.Fatal("work is not taken")
	}
	s.Close()
	if !done.Load() {
		t.Error("Close did not wait")
	}
	if s.Go(func() { t.Error("work is done after Close") }) {
		t.Error("work is taken after Close")
	}
}

// Without groups there is no target.
func TestTarget(t *testing.T) {
	s := kept.New(noon)
	if _, _, ok := s.Target("login", nil); ok {
		t.Error("there is a target without groups")
	}
	s.Pick = func(g spec.TargetGroupName, _ []string) (string, func(), bool) {
		return string(g) + ":80", func() {}, true
	}
	if host, _, ok := s.Target("login", nil); !ok || host != "login:80" {
		t.Errorf("target %q, %v", host, ok)
	}
}
