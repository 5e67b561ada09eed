package engine

import (
	"time"

	"portico/internal/clock"
	"portico/l7/loop"
)

// queue holds the tokens of clients that are ready, the first that came first. A
// token is in it once at most.
type queue struct {
	tokens []queued
	at     int // the next one
}

// queued is one of them, and when it was found to be ready.
type queued struct {
	token loop.Token
	since time.Time
}

// admitMax is how many clients' events are looked at before those of targets are
// again: what is finished first leaves its memory, warm in the cache, to what is
// begun. With hundreds of clients ready at once, all would be begun, and none
// finished, otherwise.
const admitMax = 32

func (q *queue) empty() bool { return q.at == len(q.tokens) }

// first is since when the first one waits; the queue must not be empty.
func (q *queue) first() time.Time { return q.tokens[q.at].since }

// firstOr is that, or a time where nothing waits.
func (q *queue) firstOr(now time.Time) time.Time {
	if q.empty() {
		return now
	}
	return q.first()
}

func (q *queue) push(t queued) {
	if q.at > 0 && len(q.tokens) == cap(q.tokens) {
		q.tokens = q.tokens[:copy(q.tokens, q.tokens[q.at:])]
		q.at = 0
	}
	q.tokens = append(q.tokens, t)
}

func (q *queue) pop() loop.Token {
	t := q.tokens[q.at].token
	if q.at++; q.empty() {
		q.tokens, q.at = q.tokens[:0], 0
	}
	return t
}

// take tells of an event at once, or queues it where it brings new work.
func (w *worker) take(e loop.Event, now time.Time) {
	at := w.at(e.Token)
	switch {
	case at == nil:
	case !at.brings:
		w.tell(at, e.Ready)
	default:
		if at.waiting == 0 {
			w.queue.push(queued{e.Token, now})
		}
		at.waiting |= e.Ready
	}
}

// admit tells of events in the queue, admitMax at most.
func (w *worker) admit() {
	for n := 0; n < admitMax && !w.queue.empty(); n++ {
		if at := w.at(w.queue.pop()); at != nil {
			r := at.waiting
			at.waiting = 0
			w.tell(at, r)
		}
	}
}

// at returns what is watched by a token; nil when that is over.
func (w *worker) at(t loop.Token) *watched {
	if i := uint32(t); int(i) < len(w.watched) {
		if at := &w.watched[i]; at.who != nil && at.age == uint32(t>>32) {
			return at
		}
	}
	return nil
}

func (w *worker) tell(at *watched, r loop.Ready) {
	w.now = clock.Now()
	at.who.event(r)
}
