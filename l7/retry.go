package l7

import (
	"slices"

	"portico/l7/exchange"
	"portico/l7/exchange/outcome"
	"portico/l7/message"
	"portico/spec"
)

// attemptsOf is how many more targets a rule's requests are tried on.
func attemptsOf(r spec.Retries) int {
	if r.Attempts == 0 {
		return spec.DefaultRetries
	}
	return min(max(r.Attempts, 0), exchange.TargetsMax-1)
}

// retryOf compiles what a rule tries again besides failed connections, and by which
// budget; nil where it is nothing.
func retryOf(r spec.Retries) (*exchange.Retry, spec.RetryBudget) {
	budget := spec.DefaultRetryBudget()
	if r.Budget != nil {
		budget = *r.Budget
	}
	retry := &exchange.Retry{
		Reset: slices.Contains(r.On, spec.RetryReset), Timeout: slices.Contains(r.On, spec.RetryTimeout),
		Unsafe: r.NonIdempotent, PerTry: max(r.PerTry.D(), 0),
	}
	for _, on := range r.On {
		if n := on.Status(); n > 0 {
			retry.Statuses = append(retry.Statuses, n)
		}
	}
	if !retry.Reset && !retry.Timeout && len(retry.Statuses) == 0 && retry.PerTry == 0 {
		return nil, budget
	}
	return retry, budget
}

// Next chooses another target after one did not take the request, or failed it.
func (h *handler) Next(req *message.Request, d *exchange.Decision, why outcome.Why) bool {
	st := d.State.(*state)
	last := d.Target
	d.Tried = append(d.Tried, last)
	cause := "target does not accept connections"
	switch {
	case why == outcome.TargetConnectFailed || why == outcome.TargetConnectTimeout || why == outcome.TargetHandshakeFailed:
		st.notTaken(d)
		reportTry(last, why)
		last.End()
		d.Target = nil
		if !h.pick(req, d, st) {
			return false
		}
	case h.retry(req, d, st):
		reportTry(last, why)
		last.End()
		cause = "target failed the request"
	default:
		return false
	}
	if st.rule.cookie != nil && !st.set {
		h.moved(d, st, cause)
	}
	return true
}

// retry sets another target for a request that the last one failed, if there is one
// with room and the group's budget allows it: to wait for one would make a bad
// time worse.
func (h *handler) retry(req *message.Request, d *exchange.Decision, st *state) bool {
	if len(d.Tried) >= len(st.choice.group.Targets()) {
		return false
	}
	if !st.choice.group.Retry(st.rule.budget, d.At) {
		h.count.unretried.Inc()
		return false
	}
	t, _ := st.choice.group.Take(st.query(req, d), d.Tried)
	if t == nil {
		return false
	}
	st.notTaken(d)
	h.send(req, d, st, t)
	return true
}
