// Package reactor is one event loop: a goroutine that tells whom it concerns when a
// socket is ready, a time has come, or another goroutine has something to say.
//
// What comes in: readiness of sockets from a Poller, timers, posted functions. What
// goes out: calls, one after the other, so that what belongs to a loop needs no lock.
// It knows neither connections nor requests, but for what brings new work and what
// goes on with some: work that began is finished first. It never reads a socket.
//
// Start reading at Loop.Run.
package reactor

import (
	"runtime"
	"time"

	"portico/internal/clock"
	"portico/internal/poll"
	"portico/l7/loop/wheel"
)

// eventsMax are taken from a Poller at once.
const eventsMax = 256

// Loop is one event loop. All of it but Post and LagAt is its goroutine's alone, and
// whoever's before Run.
type Loop struct {
	// Now is the time of the event that is looked at.
	Now time.Time
	// Wheel holds the timers.
	Wheel wheel.Wheel
	// Round is called at the end of each round, before the loop waits again.
	Round func()
	// Beside is how many goroutines work for connections of the loop: one that never
	// sleeps lets them run.
	Beside int

	poll    poll.Poller
	lag     lag
	watched poll.Watched[watched]
	posts   poll.Posts
	queue   queue    // of events that bring work
	runs    []Turner // have more to do, once others had their turn
	events  [eventsMax]poll.Event
	stopped bool
}

// Watcher is told of the events of a socket.
type Watcher interface {
	// Event says how the socket became ready.
	Event(r poll.Ready)
}

// Turner is whatever takes turns with others.
type Turner interface {
	// Turn is the turn that Later asked for.
	Turn()
}

// watched is whoever is told of the events of a token.
type watched struct {
	brings  bool       // new work, which waits until work that began is done
	waiting poll.Ready // in the queue, for the place it has there
	who     Watcher
}

// Init prepares a loop that waits with p.
func (l *Loop) Init(p poll.Poller, round func()) {
	l.poll, l.Now, l.Round = p, clock.Now(), round
	l.lag.at = l.Now
	l.Wheel.Init(l.Now)
}

// Run is the loop. It ends once Stop was called, and lets go of the Poller.
func (l *Loop) Run() {
	for !l.stopped {
		n := l.poll.Wait(l.events[:], l.idle(), l.Wheel.Next())
		l.Now = clock.Now()
		begun := l.Now
		l.lag.note(0, begun)
		l.posts.Call() // first: who posts from here on finds the loop awake
		for _, e := range l.events[:n] {
			l.take(e, begun)
		}
		waited := begun.Sub(l.queue.firstOr(begun))
		l.admit()
		l.Now = clock.Now()
		l.Wheel.Advance(l.Now)
		l.runMore()
		l.Round()
		l.Now = clock.Now()
		l.lag.note(waited+l.Now.Sub(begun), l.Now)
		l.lag.tell()
		if l.Beside > 0 {
			runtime.Gosched()
		}
	}
	l.lag.told.Store(0)
	l.Close()
}

// Stop has Run end with this round.
func (l *Loop) Stop() { l.stopped = true }

// Stopped reports whether Stop was called.
func (l *Loop) Stopped() bool { return l.stopped }

// Close lets go of the Poller of a loop that will not run; nothing is watched any more.
func (l *Loop) Close() { _ = l.poll.Close() }

// idle reports whether there is nothing to do but wait for events.
func (l *Loop) idle() bool {
	return l.posts.Idle(len(l.runs) == 0 && l.queue.empty())
}

// Post makes the loop call f. Any goroutine may call it; it does not wait.
func (l *Loop) Post(f func()) { l.posts.Post(l.poll, f) }

// runMore gives those that have more to do their turn.
func (l *Loop) runMore() {
	list := l.runs
	l.runs = nil
	for _, t := range list {
		t.Turn()
	}
	clear(list)
	if l.runs == nil {
		l.runs = list[:0]
	}
}

// Later gives t another turn after others had theirs.
func (l *Loop) Later(t Turner) { l.runs = append(l.runs, t) }

// Watch begins to tell who of the events of a socket, which brings new work or goes on
// with some. The token is not 0, but on an error.
func (l *Loop) Watch(fd int, brings bool, who Watcher) (poll.Token, error) {
	return l.watched.Add(l.poll, fd, watched{brings: brings, who: who})
}

// Unwatch stops watching a socket that is about to be closed. A token of 0 is that of
// one that is not watched.
func (l *Loop) Unwatch(fd int, t poll.Token) { l.watched.Remove(l.poll, fd, t) }
