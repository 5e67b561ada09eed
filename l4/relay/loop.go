package relay

import (
	"errors"
	"slices"
	"time"

	"portico/internal/clock"
	"portico/internal/poll"
	"portico/internal/poll/epoll"
	"portico/internal/poll/portable"
	"portico/l4/relay/pipe"
)

// loop is one event loop: a goroutine, its sockets and its flows. Only it touches
// them, so nothing on the path of a byte is locked; others post functions to it.
type loop struct {
	relay *Relay
	at    int // in relay.loops
	poll  poll.Poller
	now   time.Time // of the events that are looked at

	watched poll.Watched[handler]
	posts   poll.Posts

	flows []carried
	again []*flow // have more to do, once others had their turn
	pipes pipe.Pool
	buf   []byte // for the time of one read and write
	batch *packets

	waits  map[waiter]time.Time
	soon   time.Time // no wait ends before; zero when there is none
	swept  time.Time // when flows aged last
	sweeps time.Time // when they age next; zero while there are none

	stopped bool
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
		l.posts.Call() // first: who posts from here on finds the loop awake
		for _, e := range events[:n] {
			if who := l.watched.Who(e.Token); who != nil {
				(*who).event(e.Ready)
			}
		}
		l.takeTurns()
		l.endWaits()
		l.sweep()
	}
	_ = l.poll.Close()
	l.pipes.Close()
}

// idle reports whether there is nothing to do but wait for events.
func (l *loop) idle() bool {
	return l.posts.Idle(len(l.again) == 0)
}

// until is when something is to be done without an event.
func (l *loop) until() time.Time {
	if l.soon.IsZero() || !l.sweeps.IsZero() && l.sweeps.Before(l.soon) {
		return l.sweeps
	}
	return l.soon
}

// post makes the loop call f. Any goroutine may call it; it does not wait.
func (l *loop) post(f func()) { l.posts.Post(l.poll, f) }

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
func (l *loop) watch(fd int, who handler) (poll.Token, error) { return l.watched.Add(l.poll, fd, who) }

// unwatch stops telling of a socket that is about to be closed.
func (l *loop) unwatch(fd int, t poll.Token) { l.watched.Remove(l.poll, fd, t) }

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
