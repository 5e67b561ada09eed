// Package kept holds what filters need beyond one request and one spec: who used up
// how much, connections to services, and the goroutines of work that no event
// loop may do.
//
// What comes in: filters, as they are compiled for a spec, each in its place. What
// goes out: what the same filter held before, or what it made now. Start reading
// at Store.
package kept

import (
	"context"
	"encoding/json"
	"io"
	"strconv"
	"sync"
	"time"

	"portico/l7/limit"
	"portico/spec"
)

// Store is what filters hold beyond one spec: who used up how much must not be
// forgotten because another route was edited. A filter that stays as it was, in
// the same route, finds what it held. It is shared by the listeners of a route.
// Its methods are safe for use by several goroutines.
type Store struct {
	// Epoch is the instant that filters count time from.
	Epoch time.Time

	// Pick chooses a target of a group for one request, and tells when it is over.
	// Nil means that there is none.
	// Those of the hosts that were tried come last.
	Pick func(group spec.TargetGroupName, tried []string) (host string, done func(), ok bool)

	run  context.Context // of what filters have done beside the loops
	stop context.CancelFunc
	work sync.WaitGroup

	mu     sync.Mutex // guards what follows
	m      map[string]any
	gone   uint64 // keys that gave way in what is not held any more
	closed bool
}

// New returns one that holds nothing.
func New(epoch time.Time) *Store {
	k := &Store{Epoch: epoch, m: map[string]any{}}
	k.run, k.stop = context.WithCancel(context.Background())
	return k
}

// Go does work beside the loops, and reports whether it is taken: after Close it
// is not.
func (k *Store) Go(f func()) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return false
	}
	k.work.Go(f)
	return true
}

// Close ends the work of filters, and waits for it.
func (k *Store) Close() {
	k.mu.Lock()
	k.closed = true
	held := k.m
	k.mu.Unlock()
	k.stop()
	k.work.Wait()
	for _, h := range held {
		release(h)
	}
}

// release lets go of what was held.
func release(held any) {
	if c, ok := held.(io.Closer); ok {
		_ = c.Close() // there is nothing left that could fail
	}
}

// Context ends with Close.
func (k *Store) Context() context.Context { return k.run }

// Target is what Pick says.
func (k *Store) Target(group spec.TargetGroupName, tried []string) (host string, done func(), ok bool) {
	if k.Pick == nil {
		return "", nil, false
	}
	return k.Pick(group, tried)
}

// rates are kept of rate limits.
type rates interface {
	Rates(now time.Time) limit.Stats
}

// Rates sums up what rate limits hold.
func (k *Store) Rates(now time.Time) limit.Stats {
	k.mu.Lock()
	defer k.mu.Unlock()
	sum := limit.Stats{Evicted: k.gone}
	for _, held := range k.m {
		if r, ok := held.(rates); ok {
			st := r.Rates(now)
			sum.Keys += st.Keys
			sum.KeysMax += st.KeysMax
			sum.Evicted += st.Evicted
		}
	}
	return sum
}

// Turn is the compiling of one spec.
type Turn struct {
	kept *Store
	used map[string]any
}

// Turn begins to compile a spec.
func (k *Store) Turn() *Turn { return &Turn{kept: k, used: map[string]any{}} }

// Commit forgets what no filter of the spec asked for.
func (t *Turn) Commit() {
	t.kept.mu.Lock()
	defer t.kept.mu.Unlock()
	for name, held := range t.kept.m {
		if t.used[name] != nil {
			continue
		}
		if r, ok := held.(rates); ok {
			t.kept.gone += r.Rates(time.Time{}).Evicted
		}
		release(held)
	}
	t.kept.m = t.used
}

// Place is where a chain stands. Nil is nowhere: what its filters hold is their own.
type Place struct {
	turn  *Turn
	route spec.RouteName
	nth   map[string]int // how many filters alike the route had so far
}

// Place is the place of a route's chains on one listener. Its chains are compiled
// in the order of the rules.
func (t *Turn) Place(route spec.RouteName) *Place {
	return &Place{turn: t, route: route, nth: map[string]int{}}
}

// Holder is implemented by filters that hold something beyond one spec.
type Holder interface {
	// Made returns what the filter holds, new.
	Made(k *Store) any
	// Hold gives it what it made, now or for an earlier spec.
	Hold(made any)
}

// Employer is implemented by filters that have work done beside the loops.
type Employer interface{ Employ(k *Store) }

// Employ tells a filter who does its work.
func (p *Place) Employ(e Employer) {
	if p == nil {
		e.Employ(New(time.Unix(0, 0)))
		return
	}
	e.Employ(p.turn.kept)
}

// Give hands a filter what it holds.
func (p *Place) Give(h Holder, choice spec.Choice) {
	if p == nil {
		h.Hold(h.Made(New(time.Unix(0, 0))))
		return
	}
	text, err := json.Marshal(choice)
	if err != nil {
		panic("kept: parameters that cannot be written, which the filters' contract should have found: " + err.Error())
	}
	alike := string(p.route) + " " + string(text)
	name := alike + " " + strconv.Itoa(p.nth[alike])
	p.nth[alike]++
	held, ok := p.turn.used[name]
	if !ok {
		p.turn.kept.mu.Lock()
		held, ok = p.turn.kept.m[name]
		p.turn.kept.mu.Unlock()
	}
	if !ok {
		held = h.Made(p.turn.kept)
	}
	p.turn.used[name] = held
	h.Hold(held)
}
