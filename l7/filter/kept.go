package filter

import (
	"encoding/json"
	"strconv"
	"sync"
	"time"

	"portico/l7/limit"
	"portico/spec"
)

// Kept is what filters hold beyond one spec: who used up how much must not be
// forgotten because another route was edited. A filter that stays as it was, in
// the same route, finds what it held. It is shared by the listeners of a route.
type Kept struct {
	// Epoch is the instant that filters count time from.
	Epoch time.Time

	mu   sync.Mutex // guards what follows
	m    map[string]any
	gone uint64 // keys that gave way in what is not held any more
}

// NewKept returns one that holds nothing.
func NewKept(epoch time.Time) *Kept { return &Kept{Epoch: epoch, m: map[string]any{}} }

// Rates sums up what rate limits hold.
func (k *Kept) Rates(now time.Time) limit.Stats {
	k.mu.Lock()
	defer k.mu.Unlock()
	sum := limit.Stats{Evicted: k.gone}
	for _, held := range k.m {
		if r, ok := held.(*rateState); ok {
			st := r.buckets.Stats(now.Sub(k.Epoch))
			sum.Keys += st.Keys
			sum.KeysMax += st.KeysMax
			sum.Evicted += st.Evicted
		}
	}
	return sum
}

// Turn is the compiling of one spec.
type Turn struct {
	kept *Kept
	used map[string]any
}

// Turn begins to compile a spec.
func (k *Kept) Turn() *Turn { return &Turn{kept: k, used: map[string]any{}} }

// Commit forgets what no filter of the spec asked for.
func (t *Turn) Commit() {
	t.kept.mu.Lock()
	defer t.kept.mu.Unlock()
	for name, held := range t.kept.m {
		if r, ok := held.(*rateState); ok && t.used[name] == nil {
			t.kept.gone += r.buckets.Stats(0).Evicted
		}
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

// holder is implemented by filters that hold something beyond one spec.
type holder interface {
	// made returns what the filter holds, new.
	made(epoch time.Time) any
	// hold gives it what it made, now or for an earlier spec.
	hold(made any)
}

// give hands a filter what it holds.
func (p *Place) give(h holder, choice spec.Choice) {
	if p == nil {
		h.hold(h.made(time.Unix(0, 0)))
		return
	}
	text, err := json.Marshal(choice)
	if err != nil {
		panic("filter: parameters that cannot be written, which the contract should have found: " + err.Error())
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
		held = h.made(p.turn.kept.Epoch)
	}
	p.turn.used[name] = held
	h.hold(held)
}
