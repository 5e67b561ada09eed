package target

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"portico/spec"
	"portico/spec/status"
)

// queue is what waits for a target of one group because each is at its limit.
// A place that becomes free is given to whoever has waited longest and may use
// it, before anything new can take it.
//
// Nobody is forgotten between the counting down of a target's load and the look
// at the queue: who gives a place back first counts, then looks whether anybody
// waits; who begins to wait first says so, then looks for a free place once more.
type queue struct {
	waiting atomic.Int64
	forAny  atomic.Int64 // those of them that wait for any target

	mu      sync.Mutex // guards the lines, and the Waiters in them
	any     line       // for any target of the group
	tickets uint64

	served, refused, late, gone atomic.Uint64
	took                        histogram
}

// Waiter is one request that waits. Its memory may be used again after Take or
// Leave; until then only the group touches it.
type Waiter struct {
	// Only is the one target that will do; nil means any that was not Tried.
	Only  *Target
	Tried []*Target
	// Wake is called when a place was given, from any goroutine; it must not block,
	// nor call back. It may be called late, when nobody waits any more.
	Wake func()

	group      *Group
	in         *line // nil when it does not wait
	prev, next *Waiter
	ticket     uint64
	since      time.Time
	until      time.Time
	given      *Target
}

// Until is when the wait is over at the latest.
func (w *Waiter) Until() time.Time { return w.until }

// Waits reports whether the waiter is in a queue, or was given a place it did
// not take yet.
func (w *Waiter) Waits() bool { return w.group != nil }

// Wait has w wait for a target, or returns one that has just become free, which
// then counts as begun. It is false when the queue is full.
func (g *Group) Wait(w *Waiter, now time.Time) (taken *Target, ok bool) {
	limits := g.Spec().Limits.Queue
	q := &g.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	if limits == nil || q.waiting.Load() >= int64(limits.Length) {
		q.refused.Add(1)
		return nil, false
	}
	w.group, w.since, w.until, w.given = g, now, now.Add(limits.Wait.D()), nil
	q.push(w)
	g.giveAny(w.Only)
	if taken = w.given; taken != nil {
		w.forget()
	}
	return taken, true
}

// giveAny gives what places are free at a target, or at all. The queue is locked.
func (g *Group) giveAny(only *Target) {
	if only != nil {
		g.give(only)
		return
	}
	t := g.table.Load()
	for _, m := range t.used {
		if !t.full(m) {
			g.give(m)
		}
	}
}

// Take returns the target that a waiter was given, after which it waits no more,
// or nil while it has to wait.
func (w *Waiter) Take(now time.Time) *Target {
	q := &w.group.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	if w.given == nil {
		return nil
	}
	q.served.Add(1)
	q.took.observe(now.Sub(w.since))
	t := w.given
	w.forget()
	return t
}

// Leave ends a wait that came to nothing: because it was late, or because who
// waits is gone. What was given meanwhile is given to the next.
func (w *Waiter) Leave(late bool) {
	g := w.group
	q := &g.queue
	q.mu.Lock()
	given := w.given
	if given == nil {
		q.drop(w)
	}
	if late {
		q.late.Add(1)
	} else {
		q.gone.Add(1)
	}
	w.forget()
	q.mu.Unlock()
	if given != nil {
		given.End()
	}
}

func (w *Waiter) forget() { *w = Waiter{} }

// push puts a waiter at the end of its line.
func (q *queue) push(w *Waiter) {
	q.tickets++
	w.ticket = q.tickets
	q.waiting.Add(1)
	if w.Only != nil {
		w.Only.line.push(w)
		return
	}
	q.forAny.Add(1)
	q.any.push(w)
}

// drop takes a waiter out of its line.
func (q *queue) drop(w *Waiter) {
	if w.in == &q.any {
		q.forAny.Add(-1)
	}
	w.in.remove(w)
	q.waiting.Add(-1)
}

// look gives what became free at a target to those who wait, if anybody does.
func (g *Group) look(m *Target) {
	if g.queue.waiting.Load() > 0 {
		g.freed(m)
	}
}

// freed gives the free places of a target to those who wait, oldest first.
func (g *Group) freed(m *Target) {
	g.queue.mu.Lock()
	defer g.queue.mu.Unlock()
	g.give(m)
}

func (g *Group) give(m *Target) {
	q, t := &g.queue, g.table.Load()
	for {
		w := q.first(m, t)
		if w == nil || !t.tryBegin(m) {
			return
		}
		q.drop(w)
		w.given = m
		if w.Wake != nil {
			w.Wake()
		}
	}
}

// first is who has waited longest of those that a place at m would serve.
func (q *queue) first(m *Target, t *table) *Waiter {
	own := m.line.first
	if p := m.place.Load(); p == nil || p.picker != t.picker {
		return own // it takes nothing new but what belongs there
	}
	for w := q.any.first; w != nil && (own == nil || w.ticket < own.ticket); w = w.next {
		if !slices.Contains(w.Tried, m) {
			return w
		}
	}
	return own
}

// reconsider looks at the queue after a new table was put in place: there may be
// more places, and a target that somebody waits for may be lost.
func (g *Group) reconsider(members []*Target) {
	if g.queue.waiting.Load() == 0 {
		return
	}
	t := g.table.Load()
	for _, m := range members {
		if t.byID[m.id] != m || !t.keeps(m) {
			g.queue.release(m)
		}
	}
	for _, m := range t.members {
		g.freed(m)
	}
}

// release lets those who wait for one target wait for any, behind the others.
func (q *queue) release(m *Target) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for w := m.line.first; w != nil; w = m.line.first {
		q.drop(w)
		w.Only = nil
		q.push(w)
	}
}

// status reports the queue; nil for a group without limits.
func (q *queue) status(s *spec.GroupLimits) *status.Queue {
	if s.PerTarget() == 0 {
		return nil
	}
	most := 0
	if s.Queue != nil {
		most = s.Queue.Length
	}
	return &status.Queue{
		Length: int(q.waiting.Load()), Max: most,
		Served: q.served.Load(), Refused: q.refused.Load(), Late: q.late.Load(), Gone: q.gone.Load(),
	}
}

// line is waiters in the order they came.
type line struct{ first, last *Waiter }

func (l *line) push(w *Waiter) {
	w.in, w.prev, w.next = l, l.last, nil
	if l.last == nil {
		l.first = w
	} else {
		l.last.next = w
	}
	l.last = w
}

func (l *line) remove(w *Waiter) {
	if w.prev == nil {
		l.first = w.next
	} else {
		w.prev.next = w.next
	}
	if w.next == nil {
		l.last = w.prev
	} else {
		w.next.prev = w.prev
	}
	w.in, w.prev, w.next = nil, nil, nil
}

// histogram counts waits by how long they took.
type histogram struct {
	counts [len(waitBounds) + 1]atomic.Uint64
	micros atomic.Uint64 // of all together
}

// waitBounds are the upper bounds of a histogram's buckets.
var waitBounds = [...]time.Duration{
	time.Millisecond, 5 * time.Millisecond, 25 * time.Millisecond, 100 * time.Millisecond,
	500 * time.Millisecond, 2 * time.Second, 10 * time.Second,
}

func (h *histogram) observe(d time.Duration) {
	i := 0
	for i < len(waitBounds) && d > waitBounds[i] {
		i++
	}
	h.counts[i].Add(1)
	h.micros.Add(uint64(max(d, 0).Microseconds()))
}

// read returns what Prometheus wants: how many, their sum in seconds, and how
// many at most as long as each bound.
func (h *histogram) read() (count uint64, sum float64, upTo map[float64]uint64) {
	upTo = make(map[float64]uint64, len(waitBounds))
	for i := range h.counts {
		count += h.counts[i].Load()
		if i < len(waitBounds) {
			upTo[waitBounds[i].Seconds()] = count
		}
	}
	return count, float64(h.micros.Load()) / 1e6, upTo
}
