package l7

import (
	"crypto/tls"

	"portico/l7/accesslog"
	"portico/l7/exchange"
	"portico/l7/exchange/outcome"
	"portico/l7/filter"
	"portico/l7/message"
	"portico/spec"
)

// End counts a request that is over and writes its line.
func (h *handler) End(req *message.Request, d *exchange.Decision, r *outcome.Result) {
	var st *state
	if d.Begun {
		st = d.State.(*state)
		h.count.active.Dec()
		st.leaveQueue(false)
		h.finished(st)
	} else {
		st = stateOf(d)
	}
	if d.Target != nil {
		st.learn(req, d, r)
		st.report(req, d, r)
		d.Target.End()
	}
	if st.rule != nil {
		h.leaveFilters(st, r)
	}
	h.observe(st, r)
	if h.log != spec.AccessLogOff {
		h.write(req, d, st, r)
	}
	st.visit.Clear()
	*st = state{line: st.line, visit: st.visit} // what waits in a pool holds no old spec
}

// leaveFilters ends a request's visit to the filters of its rule, and counts what
// they said of it.
func (h *handler) leaveFilters(st *state, r *outcome.Result) {
	st.rule.filters.End(&st.visit)
	for i, judged := range st.rule.judged {
		if o := st.visit.Outcome(i); o != filter.Unasked {
			judged[o].Inc()
		}
	}
	if why := st.visit.Why(); why != "" && r.Detail == "" {
		r.Detail = why
	}
}

// observe updates counters and metrics.
func (h *handler) observe(st *state, r *outcome.Result) {
	h.live.total.Add(1)
	if failed(r.Why) {
		h.live.failed.Add(1)
	}
	c := h.count.none
	if st.rule != nil {
		c = st.rule.count
	}
	c.requests[min(r.Status/100, len(codes)-1)].Inc()
	c.duration.Observe(r.Total.Seconds())
	h.count.ended[r.Why].Inc()
	if r.Retries > 0 {
		h.count.retries.Add(float64(r.Retries))
	}
}

// failed reports whether a request ended by a fault of ours or of a target.
func failed(why outcome.Why) bool {
	switch why {
	case outcome.TargetConnectFailed, outcome.TargetConnectTimeout, outcome.TargetHandshakeFailed,
		outcome.TargetTimeout, outcome.TargetClosed,
		outcome.TargetBadResponse, outcome.NoTarget, outcome.Overloaded, outcome.TotalTimeout,
		outcome.WaitTimeout, outcome.Drained:
		return true
	default:
		return false
	}
}

// write queues the request's line of the access log.
func (h *handler) write(req *message.Request, d *exchange.Decision, st *state, r *outcome.Result) {
	e := accesslog.Entry{
		Time: r.Start, Listener: string(h.spec.Name), Client: req.Client.Addr(),
		Status: r.Status, BytesIn: r.BytesIn, BytesOut: r.BytesOut,
		Route: string(d.Route), Rule: d.Rule, Group: string(d.Group), Address: d.Address, Retries: r.Retries,
		Wait: r.Wait, Held: r.Held, Connect: r.Connect, FirstByte: r.FirstByte, Total: r.Total,
		ID: st.id, Why: r.Why.String(), Detail: r.Detail,
	}
	if d.Begun { // else these may be half of anything
		e.Method, e.Host, e.Target = req.Method, st.host, req.Target
		e.Major, e.Minor = req.Major, req.Minor
	}
	if d.Client.TLS {
		e.TLS = tls.VersionName(d.Client.Version)
	}
	if h.log == spec.AccessLogCommon {
		st.line = accesslog.AppendCommon(st.line[:0], &e)
	} else {
		st.line = accesslog.AppendJSON(st.line[:0], &e)
	}
	h.s.log.Write(st.line)
}
