package l7

import (
	"strconv"
	"time"

	"portico/l7/exchange"
	"portico/l7/exchange/outcome"
	"portico/l7/message"
	"portico/target"
)

// enqueue has a request wait for a target of its group, or for the only one that
// will do, because each is at its limit. Where the queue is full the client is
// told to come again.
func (h *handler) enqueue(req *message.Request, d *exchange.Decision, st *state, only *target.Target) {
	w := &st.waiter
	w.Only, w.Tried, w.Wake = only, d.Tried, d.Wake
	t, ok := st.choice.group.Wait(w, d.At)
	switch {
	case t != nil:
		h.send(req, d, st, t)
	case !ok:
		h.overloaded(d, st, outcome.Overloaded)
	default:
		st.only = only
		d.Pending, d.Until = true, w.Until()
	}
}

// dequeue looks whether a request that waits was given a target.
func (h *handler) dequeue(req *message.Request, d *exchange.Decision, st *state, now time.Time) {
	w := &st.waiter
	until := w.Until()
	if t := w.Take(now); t != nil {
		h.send(req, d, st, t)
		if st.only != nil && st.only != t {
			h.moved(d, st, "target lost while the session waited for it")
		}
		return
	}
	if now.Before(until) {
		d.Pending, d.Until = true, until
		return
	}
	w.Leave(true)
	h.overloaded(d, st, outcome.WaitTimeout)
}

// leaveQueue ends the wait of a request that got no target.
func (st *state) leaveQueue(late bool) {
	if st.waiter.Waits() {
		st.waiter.Leave(late)
	}
}

var nameRetryAfter = []byte("Retry-After")

// overloaded answers that the client may come again when there may be room: after
// as long as a request waits for it (RFC 9110, section 10.2.3).
func (h *handler) overloaded(d *exchange.Decision, st *state, why outcome.Why) {
	h.answer(d, st, 503)
	var wait time.Duration
	if q := st.choice.group.Spec().Limits.Queue; q != nil {
		wait = q.Wait.D()
	}
	h.comeAgain(d, wait, why)
}

// comeAgain makes the answer one that says when to ask again.
func (h *handler) comeAgain(d *exchange.Decision, after time.Duration, why outcome.Why) {
	from := len(d.Scratch)
	d.Scratch = strconv.AppendInt(d.Scratch, int64(max(1, (after+time.Second-1)/time.Second)), 10)
	d.Answer.Why = why
	d.Answer.Fields = append(d.Answer.Fields,
		message.Field{Name: nameRetryAfter, Value: d.Scratch[from:len(d.Scratch):len(d.Scratch)]})
}
