package l7

import (
	"portico/l7/exchange"
	"portico/l7/exchange/outcome"
	"portico/l7/message"
	"portico/target/balance"
)

// notTaken tells the balance that a request's target did not take it.
func (st *state) notTaken(d *exchange.Decision) {
	d.Target.Observe(balance.Outcome{Now: d.At, Took: max(0, d.At.Sub(st.sent)), Failed: true})
}

// learn tells the balance how its target took a request that is over.
func (st *state) learn(req *message.Request, d *exchange.Decision, r *outcome.Result) {
	if !d.Target.Learns() {
		return
	}
	if o, ok := st.outcome(req, r); ok {
		d.Target.Observe(o)
	}
}

// outcome is what the end of a request says of its target; false means nothing.
//
// The time it took runs from when the target was given the request, or had its
// whole body, so that a slow client does not make it look slow, until the head of
// its answer.
func (st *state) outcome(req *message.Request, r *outcome.Result) (balance.Outcome, bool) {
	sent := st.sent
	if whole := r.Start.Add(r.Sent); r.Sent > 0 && whole.After(sent) {
		sent = whole
	}
	answer := r.Start.Add(r.FirstByte)
	answered := r.FirstByte > 0 && !answer.Before(st.sent)
	o := balance.Outcome{Now: r.Start.Add(r.Total)}
	if !answered {
		answer = o.Now
	}
	o.Took = max(0, answer.Sub(sent))
	switch {
	case r.Why == outcome.TotalTimeout && answered:
		// The rest of the answer was too long for the bound, or the client too slow.
	case targetFailed(r.Why) || answered && r.Status >= 500:
		o.Failed = true
	case answered:
	default:
		o.Least = true
		whole := req.Framing == message.NoBody || r.Sent > 0
		return o, r.Why == outcome.ClientClosed && whole
	}
	return o, true
}

// targetFailed reports whether a request ended by a fault of its target.
func targetFailed(why outcome.Why) bool {
	switch why {
	case outcome.TargetConnectFailed, outcome.TargetConnectTimeout, outcome.TargetHandshakeFailed,
		outcome.TargetTimeout, outcome.TargetClosed, outcome.TargetBadResponse, outcome.TotalTimeout:
		return true
	default:
		return false
	}
}
