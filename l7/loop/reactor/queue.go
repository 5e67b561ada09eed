package reactor

import (
	"time"

	"portico/internal/clock"
	"portico/internal/poll"
)

// queue holds the tokens of those that are ready and bring work, the first that came
// first. A token is in it once at most.
type queue struct {
	tokens []queued
	at     int // the next one
}

// queued is one of them, and when it was found to be ready.
type queued struct {
	token poll.Token
	since time.Time
}

// admitMax is how many events that bring work are looked at before those of work that
// began are again: what is finished first leaves its memory, warm in the cache, to what
// is begun. With hundreds of clients ready at once, all would be begun, and none
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

func (q *queue) pop() poll.Token {
	t := q.tokens[q.at].token
	if q.at++; q.empty() {
		q.tokens, q.at = q.tokens[:0], 0
	}
	return t
}

// take tells of an event at once, or queues it where it brings new work.
func (l *Loop) take(e poll.Event, now time.Time) {
	at := l.watched.Who(e.Token)
	switch {
	case at == nil:
	case !at.brings:
		l.tell(at, e.Ready)
	default:
		if at.waiting == 0 {
			l.queue.push(queued{e.Token, now})
		}
		at.waiting |= e.Ready
	}
}

// admit tells of events in the queue, admitMax at most.
func (l *Loop) admit() {
	for n := 0; n < admitMax && !l.queue.empty(); n++ {
		if at := l.watched.Who(l.queue.pop()); at != nil {
			r := at.waiting
			at.waiting = 0
			l.tell(at, r)
		}
	}
}

func (l *Loop) tell(at *watched, r poll.Ready) {
	l.Now = clock.Now()
	at.who.Event(r)
}
