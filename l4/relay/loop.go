package relay

import (
	"errors"
	"slices"
	"sync"
	"time"

	"portico/internal/clock"
	"portico/internal/poll"
	"portico/internal/poll/epoll"
	"portico/internal/poll/portable"
)

// loop is one event loop: a goroutine, its sockets and its flows. Only it touches
// them, so nothing on the path of a byte is locked; others post functions to it.
type loop struct {
	relay *Relay
	at    int // in relay.loops
	poll  poll.Poller
	now   time.Time // of the events that are looked at

	slots []slot   // by the lower half of a token
	free  []uint32 // unused slots
	age   uint32   // makes the tokens of a slot differ

	flows []carried
	again []*flow // have more to do, once others had their turn
	pipes pipes
	buf   []byte // for the time of one read and write
	batch *packets

	waits  map[waiter]time.Time
	soon   time.Time // no wait ends before; zero when there is none
	swept  time.Time // when flows aged last
	sweeps time.Time // when they age next; zero while there are none

	stopped bool

	mu     sync.Mutex // guards:
	posted []func()
	asleep bool // it may be waiting; a post must wake it
}

// slot is whoever is told of the events of a token.
type slot struct {
	age uint32
	who handler
}

// handler is told that its socket became ready.
type handler interface{ event(r poll.Ready) }

// waiter is told that the time it asked for has come.
type waiter interface{ expired() }

const (
	eventsMax = 256 // taken from a poller at once
	// waitGrain is how far apart looks for ended waits are at least.
	waitGrain = 2 * time.Millisecond
)

// open gives the loop its poller: the best that the system has.
func (l *loop) open() (err error) {
	if l.poll, err = epoll.New(); errors.Is(err, errors.ErrUnsupported) {
		l.poll, err = portable.New(), nil
	}
	return err
}

// run is the loop. It ends when a posted function stopped it.
func (l *loop) run() {
	var events [eventsMax]poll.Event
	for !l.stopped {
		n := l.poll.Wait(events[:], l.idle(), l.until())
		l.now = clock.Now()
		for _, e := range events[:n] {
			if s := &l.slots[uint32(e.Token)]; s.age == uint32(e.Token>>32) && s.who != nil {
				s.who.event(e.Ready)
			}
		}
		l.callPosted()
		l.takeTurns()
		l.endWaits()
		l.sweep()
	}
	_ = l.poll.Close()
	l.pipes.close()
}

// idle reports whether there is nothing to do but wait for events.
func (l *loop) idle() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asleep = len(l.posted) == 0 && len(l.again) == 0
	return l.asleep
}

// until is when something is to be done without an event.
func (l *loop) until() time.Time {
	if l.soon.IsZero() || !l.sweeps.IsZero() && l.sweeps.Before(l.soon) {
		return l.sweeps
	}
	return l.soon
}

// post makes the loop call f. Any goroutine may call it; it does not wait.
func (l *loop) post(f func()) {
	l.mu.Lock()
	l.posted = append(l.posted, f)
	wake := l.asleep
	l.asleep = false
	l.mu.Unlock()
	if wake {
		l.poll.Wake()
	}
}

func (l *loop) callPosted() {
	l.mu.Lock()
	list := l.posted
	l.posted = nil
	l.mu.Unlock()
	for _, f := range list {
		f()
	}
}

// takeTurns goes on with flows that had more to do than one turn.
func (l *loop) takeTurns() {
	list := l.again
	l.again = nil
	for _, f := range list {
		f.again = false
		f.step()
	}
}

// watch tells who of the events of a socket from now on.
func (l *loop) watch(fd int, who handler) (poll.Token, error) {
	var i uint32
	if n := len(l.free); n > 0 {
		i, l.free = l.free[n-1], l.free[:n-1]
	} else {
		i = uint32(len(l.slots))
		l.slots = append(l.slots, slot{})
	}
	l.age++
	t := poll.Token(l.age)<<32 | poll.Token(i)
	l.slots[i] = slot{age: l.age, who: who}
	if err := l.poll.Add(fd, t); err != nil {
		l.forget(t)
		return 0, err
	}
	return t, nil
}

// unwatch stops telling of a socket that is about to be closed.
func (l *loop) unwatch(fd int, t poll.Token) {
	if t != 0 {
		l.poll.Remove(fd, t)
		l.forget(t)
	}
}

func (l *loop) forget(t poll.Token) {
	i := uint32(t)
	l.slots[i].who = nil
	l.free = append(l.free, i)
}

// wait tells who when a time has come, a little late; the zero time takes that back.
func (l *loop) wait(who waiter, until time.Time) {
	if until.IsZero() {
		delete(l.waits, who)
		return
	}
	l.waits[who] = until
	if l.soon.IsZero() || until.Before(l.soon) {
		l.soon = until
	}
}

// endWaits tells those whose time has come. A wait that was taken back may have it
// look too early; that costs one look.
func (l *loop) endWaits() {
	if l.soon.IsZero() || l.now.Before(l.soon) {
		return
	}
	l.soon = time.Time{}
	var next time.Time
	for who, until := range l.waits {
		if !l.now.Before(until) {
			delete(l.waits, who)
			who.expired() // it may wait again
		} else if next.IsZero() || until.Before(next) {
			next = until
		}
	}
	if next.IsZero() {
		return
	}
	if least := l.now.Add(waitGrain); next.Before(least) {
		next = least
	}
	if l.soon.IsZero() || next.Before(l.soon) {
		l.soon = next
	}
}

// add counts a flow in.
func (l *loop) add(f carried) {
	*f.index() = len(l.flows)
	l.flows = append(l.flows, f)
	if len(l.flows) == 1 {
		l.swept = l.now
		l.sweeps = l.now.Add(l.relay.state.Load().sweepEvery())
	}
}

// remove counts it out.
func (l *loop) remove(f carried) {
	last := len(l.flows) - 1
	at := *f.index()
	l.flows[at] = l.flows[last]
	*l.flows[at].index() = at
	l.flows[last] = nil
	l.flows = l.flows[:last]
	if last == 0 {
		l.sweeps = time.Time{}
	}
}

// each calls do with every flow there is now; do may end it.
func (l *loop) each(do func(carried)) {
	for _, f := range slices.Backward(l.flows) { // the last takes the place of one that ends
		do(f)
	}
}
