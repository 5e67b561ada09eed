package target_test

import (
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"portico/spec"
	"portico/target"
	"portico/target/balance"
)

// limited lets each target of a group have n in flight, and length wait.
func limited(n, length int) func(*spec.TargetGroup) {
	return func(g *spec.TargetGroup) {
		g.Limits = spec.GroupLimits{Requests: n}
		if length > 0 {
			g.Limits.Queue = &spec.Queue{Length: length, Wait: spec.Duration(5 * time.Second)}
		}
	}
}

// rig is a group without a check, whose requests a test steps.
type rig struct {
	t   *testing.T
	ts  *target.Targets
	g   *target.Group
	now time.Time
}

func newRig(t *testing.T, group spec.TargetGroup) *rig {
	t.Helper()
	ts := target.New(target.Options{})
	apply(t, ts, group)
	return &rig{t: t, ts: ts, g: ts.Group("web"), now: time.Unix(1_700_000_000, 0)}
}

func (r *rig) take() *target.Target {
	m, _ := r.g.Take(query(), nil)
	return m
}

// fill takes every place there is.
func (r *rig) fill() (taken []*target.Target) {
	r.t.Helper()
	for {
		m, full := r.g.Take(query(), nil)
		if full {
			return taken
		}
		if m == nil {
			r.t.Fatal("there is no target, and none is full")
		}
		taken = append(taken, m)
	}
}

// wait begins to wait, which must not find a place at once.
func (r *rig) wait(w *target.Waiter) *target.Waiter {
	r.t.Helper()
	if m, ok := r.g.Wait(w, r.now); m != nil || !ok {
		r.t.Fatalf("Wait = %v, %v, want a place in the queue", m, ok)
	}
	return w
}

// TestTake proves for every algorithm that no target has more in flight than its
// limit, that every place is found, and that a place given back is taken again.
func TestTake(t *testing.T) {
	for _, a := range balance.All() {
		t.Run(a.Name, func(t *testing.T) {
			r := newRig(t, web(7, unchecked, balanced(a.Name), limited(5, 0), weight(1, 100)))
			taken := r.fill()
			if len(taken) != 7*5 {
				t.Fatalf("%d were taken, want %d", len(taken), 7*5)
			}
			for _, m := range r.g.Targets() {
				if m.Active() != 5 {
					t.Errorf("%s has %d in flight, want 5", m.Label(), m.Active())
				}
			}
			taken[3].End()
			if m := r.take(); m != taken[3] {
				t.Errorf("a place became free at %s, and %v was taken", taken[3].Label(), m)
			}
		})
	}
}

// TestTakeTried proves that tried targets are passed over, full or not, and that
// full is only said where another try could help.
func TestTakeTried(t *testing.T) {
	r := newRig(t, web(2, unchecked, limited(1, 0)))
	first := r.take()
	second, full := r.g.Take(query(), []*target.Target{first})
	if second == nil || second == first || full {
		t.Errorf("Take past %s = %v, %v", first.Label(), second, full)
	}
	second.End()
	if m, full := r.g.Take(query(), []*target.Target{second}); m != nil || !full {
		t.Errorf("one was tried, one is full: Take = %v, %v, want full", m, full)
	}
	if m, full := r.g.Take(query(), []*target.Target{first, second}); m != nil || full {
		t.Errorf("all were tried: Take = %v, %v, want neither", m, full)
	}
	r = newRig(t, web(0, limited(1, 0)))
	if m, full := r.g.Take(query(), nil); m != nil || full {
		t.Errorf("no targets: Take = %v, %v, want neither", m, full)
	}
}

// TestQueueOrder proves that places go to those who wait in the order they came,
// before anything new, and that who leaves is passed over.
func TestQueueOrder(t *testing.T) {
	r := newRig(t, web(2, unchecked, limited(1, 10)))
	taken := r.fill()
	woken := 0
	wake := func() { woken++ }
	w := [4]*target.Waiter{}
	for i := range w {
		w[i] = r.wait(&target.Waiter{Wake: wake})
		r.now = r.now.Add(time.Millisecond)
	}
	if w[0].Until().Sub(r.now.Add(-4*time.Millisecond)) != 5*time.Second {
		t.Errorf("the wait is over at %v", w[0].Until())
	}
	w[1].Leave(false)
	taken[0].End()
	if m := w[2].Take(r.now); m != nil {
		t.Errorf("the third got %s before the first", m.Label())
	}
	if m := w[0].Take(r.now); m != taken[0] || w[0].Waits() {
		t.Errorf("the first got %v, and waits: %v", m, w[0].Waits())
	}
	taken[1].End()
	if _, full := r.g.Take(query(), nil); !full {
		t.Error("something new took a place while others wait")
	}
	if m := w[2].Take(r.now); m != taken[1] {
		t.Errorf("the third got %v", m)
	}
	if woken != 2 {
		t.Errorf("%d were woken, want 2", woken)
	}
	q := r.g.Status().Queue
	if q == nil || q.Length != 1 || q.Max != 10 || q.Served != 2 || q.Gone != 1 || q.Late != 0 || q.Refused != 0 {
		t.Errorf("status: %+v", q)
	}
	w[3].Leave(true)
	if q := r.g.Status().Queue; q.Length != 0 || q.Late != 1 {
		t.Errorf("status: %+v", q)
	}
}

// TestQueueBounds proves that the queue has the length the spec says, also none.
func TestQueueBounds(t *testing.T) {
	for _, length := range []int{0, 1, 3} {
		r := newRig(t, web(1, unchecked, limited(1, length)))
		r.fill()
		for range length {
			r.wait(&target.Waiter{})
		}
		if m, ok := r.g.Wait(&target.Waiter{}, r.now); m != nil || ok {
			t.Errorf("length %d: one more may wait: %v, %v", length, m, ok)
		}
		if q := r.g.Status().Queue; q.Refused != 1 || q.Length != length {
			t.Errorf("length %d: status %+v", length, q)
		}
	}
}

// TestQueueGone proves that a place given to someone who left goes to the next.
func TestQueueGone(t *testing.T) {
	r := newRig(t, web(1, unchecked, limited(1, 10)))
	busy := r.take()
	first, second := r.wait(&target.Waiter{}), r.wait(&target.Waiter{})
	busy.End()
	first.Leave(false)
	if m := second.Take(r.now); m != busy || busy.Active() != 1 {
		t.Errorf("the second got %v, and %d are in flight", m, busy.Active())
	}
}

// TestQueueOnly proves that a session waits for its own target alone, in the order
// of all who wait, and for any other once that target is lost.
func TestQueueOnly(t *testing.T) {
	r := newRig(t, web(2, unchecked, limited(1, 10)))
	r.fill()
	one, two := find(t, r.ts, 1), find(t, r.ts, 2)
	any1 := r.wait(&target.Waiter{})
	own := r.wait(&target.Waiter{Only: one})
	any2 := r.wait(&target.Waiter{})
	one.End()
	if m := any1.Take(r.now); m != one {
		t.Fatalf("who waits longest got %v, want t1", m)
	}
	two.End()
	if m := own.Take(r.now); m != nil {
		t.Fatalf("a session for t1 got %s", m.Label())
	}
	if m := any2.Take(r.now); m != two {
		t.Fatalf("the third got %v, want t2", m)
	}
	if m := r.take(); m != nil {
		t.Fatalf("%s has too much", m.Label())
	}
	two.End()
	if m := r.take(); m != two {
		t.Errorf("while only a session for t1 waits, the free place at t2 is not taken: %v", m)
	}
	two.End()
	apply(t, r.ts, web(2, unchecked, limited(1, 10), func(g *spec.TargetGroup) { g.Targets = g.Targets[1:] }))
	if m := own.Take(r.now); m != two {
		t.Errorf("t1 is gone, and its session got %v, want t2", m)
	}
}

// TestQueueTried proves that who was refused by a target is not sent there again,
// and does not keep those behind from it.
func TestQueueTried(t *testing.T) {
	r := newRig(t, web(2, unchecked, limited(1, 10)))
	r.fill()
	one, two := find(t, r.ts, 1), find(t, r.ts, 2)
	picky := r.wait(&target.Waiter{Tried: []*target.Target{one}})
	other := r.wait(&target.Waiter{})
	one.End()
	if m := picky.Take(r.now); m != nil {
		t.Errorf("sent to %s again", m.Label())
	}
	if m := other.Take(r.now); m != one {
		t.Errorf("the second got %v, want t1", m)
	}
	one.End()
	if m, ok := r.g.Wait(&target.Waiter{}, r.now); m != one || !ok {
		t.Errorf("the place at t1, which the only one who waits cannot use, is not given: %v, %v", m, ok)
	}
	two.End()
	if m := picky.Take(r.now); m != two {
		t.Errorf("the first got %v, want t2", m)
	}
}

// TestQueueSpec proves that those who wait get the places a new spec makes.
func TestQueueSpec(t *testing.T) {
	r := newRig(t, web(1, unchecked, limited(1, 10)))
	r.fill()
	var w []*target.Waiter
	for range 4 {
		w = append(w, r.wait(&target.Waiter{}))
	}
	apply(t, r.ts, web(1, unchecked, limited(2, 10)))
	apply(t, r.ts, web(2, unchecked, limited(2, 10)))
	got := 0
	for _, x := range w {
		if x.Take(r.now) != nil {
			got++
		}
	}
	if got != 3 {
		t.Errorf("%d got a place, want 3: one of a higher limit, two of a new target", got)
	}
	apply(t, r.ts, web(2, unchecked))
	if m := w[3].Take(r.now); m == nil {
		t.Error("without limits one still waits")
	}
	if q := r.g.Status().Queue; q != nil {
		t.Errorf("without limits there is a queue: %+v", q)
	}
}

// TestQueueHealth proves that places at a target that became unhealthy are not
// given, and that one that comes back takes those who wait.
func TestQueueHealth(t *testing.T) {
	n := newNetwork()
	synctest.Test(t, func(t *testing.T) {
		ts := running(t, target.Options{Dial: n.dial})
		apply(t, ts, web(2, limited(1, 10)))
		n.set("refuse", 2)
		pass(time.Minute)
		g := ts.Group("web")
		if m, _ := g.Take(query(), nil); m != find(t, ts, 1) {
			t.Fatalf("took %v, want the healthy t1", m)
		}
		w := &target.Waiter{}
		if m, ok := g.Wait(w, time.Now()); m != nil || !ok {
			t.Fatalf("Wait = %v, %v", m, ok)
		}
		n.set("accept", 2)
		pass(10 * time.Second)
		if m := w.Take(time.Now()); m != find(t, ts, 2) {
			t.Errorf("t2 is healthy again, and who waits got %v", m)
		}
	})
}

// TestQueueProperties plays random histories against what must always hold: no
// target above its limit, no free place while somebody waits who could use it,
// and nobody served before one who came earlier.
func TestQueueProperties(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		const targets, limit, length = 3, 2, 6
		rig := newRig(t, web(targets, unchecked, limited(limit, length)))
		var waiting []*target.Waiter
		var flying []*target.Target
		for range 200 {
			rig.now = rig.now.Add(time.Millisecond)
			switch op := r.IntN(10); {
			case op < 4:
				m, full := rig.g.Take(query(), nil)
				if m != nil {
					flying = append(flying, m)
				}
				if w := (&target.Waiter{}); full {
					m, ok := rig.g.Wait(w, rig.now)
					switch {
					case m != nil:
						flying = append(flying, m)
					case ok:
						waiting = append(waiting, w)
					case len(waiting) != length:
						t.Fatalf("turned away while %d of %d wait", len(waiting), length)
					}
				}
			case op < 8 && len(flying) > 0:
				i := r.IntN(len(flying))
				m := flying[i]
				flying = append(flying[:i], flying[i+1:]...)
				m.End()
				if len(waiting) > 0 {
					if got := waiting[0].Take(rig.now); got != m {
						t.Fatalf("%s became free; the first of %d got %v", m.Label(), len(waiting), got)
					}
					waiting, flying = waiting[1:], append(flying, m)
				}
			case op == 8 && len(waiting) > 0:
				i := r.IntN(len(waiting))
				waiting[i].Leave(r.IntN(2) == 0)
				waiting = append(waiting[:i], waiting[i+1:]...)
			}
			total := 0
			for _, m := range rig.g.Targets() {
				if m.Active() > limit {
					t.Fatalf("%s has %d in flight", m.Label(), m.Active())
				}
				total += int(m.Active())
			}
			if total != len(flying) || len(waiting) > 0 && total < targets*limit {
				t.Fatalf("%d in flight, want %d; %d wait", total, len(flying), len(waiting))
			}
		}
	}
}

// TestQueueRaces proves that no place and nobody who waits is lost when many take,
// give back and leave at once.
func TestQueueRaces(t *testing.T) {
	r := newRig(t, web(3, unchecked, limited(2, 1000), balanced("least-conn")))
	var workers sync.WaitGroup
	for i := range 64 {
		workers.Go(func() {
			draws := rand.New(rand.NewPCG(uint64(i), 0))
			woken := make(chan struct{}, 1)
			for range 200 {
				m, full := r.g.Take(balance.Query{Key: draws.Uint64(), Draw: draws.Uint64()}, nil)
				if full {
					w := &target.Waiter{Wake: func() { woken <- struct{}{} }}
					m, _ = r.g.Wait(w, r.now)
					for m == nil && w.Waits() {
						if draws.IntN(20) == 0 {
							w.Leave(false)
							break
						}
						<-woken
						m = w.Take(r.now)
					}
					select {
					case <-woken:
					default:
					}
				}
				if m != nil {
					if n := m.Active(); n > 2 {
						t.Errorf("%s has %d in flight", m.Label(), n)
					}
					m.End()
				}
			}
		})
	}
	workers.Wait()
	if q := r.g.Status().Queue; q.Length != 0 {
		t.Errorf("%d wait when all is over", q.Length)
	}
	for _, m := range r.g.Targets() {
		if m.Active() != 0 {
			t.Errorf("%s has %d in flight when all is over", m.Label(), m.Active())
		}
	}
}

// BenchmarkTake is a request's begin and end in a group with and without a limit.
func BenchmarkTake(b *testing.B) {
	for name, change := range map[string]func(*spec.TargetGroup){"free": unchecked, "limited": limited(1000, 10)} {
		b.Run(name, func(b *testing.B) {
			ts := target.New(target.Options{})
			if err := ts.Apply([]spec.TargetGroup{web(10, unchecked, change)}); err != nil {
				b.Fatal(err)
			}
			g, q := ts.Group("web"), query()
			b.ReportAllocs()
			for b.Loop() {
				m, _ := g.Take(q, nil)
				m.End()
			}
		})
	}
}
