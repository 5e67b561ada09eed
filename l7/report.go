package l7

import (
	"portico/l7/exchange"
	"portico/l7/exchange/outcome"
	"portico/l7/message"
	"portico/target"
)

// report tells the target of a request that is over how it did, where its group
// judges by that. What is the client's fault, or ours, is not told.
func (st *state) report(req *message.Request, d *exchange.Decision, r *outcome.Result) {
	switch {
	case !d.Target.Judged():
	case r.Why == outcome.OK:
		o, _ := st.outcome(req, r)
		d.Target.Report(target.Outcome{Status: r.Status, Latency: o.Took})
	case r.Why != outcome.TotalTimeout && targetFailed(r.Why):
		d.Target.Report(target.Outcome{Failure: r.Why.String()})
	}
}

// reportTry tells a target that another one is asked in its place.
func reportTry(t *target.Target, why outcome.Why) {
	failure := why.String()
	if why == outcome.OK {
		failure = "a status that is tried again"
	}
	t.Report(target.Outcome{Failure: failure})
}
