package l7

import (
	"portico/l7/exchange"
	"portico/l7/exchange/outcome"
	"portico/l7/hops"
	"portico/l7/message"
	"portico/spec"
)

// priorities orders them by importance, for indices.
var priorities = [...]spec.Priority{spec.PriorityLow, spec.PriorityNormal, spec.PriorityHigh}

func rank(p spec.Priority) int {
	for i, known := range priorities {
		if p == known {
			return i
		}
	}
	return 1 // normal
}

// shed counts a request in, where the listener bounds them, and reports whether it
// was turned away instead: because there are as many as one of its priority may see,
// because the loop is late, or because there is little memory left.
func (h *handler) shed(req *message.Request, d *exchange.Decision, st *state) bool {
	s := h.spec.Shedding
	if s == nil && d.Used < s.Share(spec.PriorityLow) {
		return false
	}
	p := h.priority(req, st)
	if d.Used >= s.Share(priorities[p]) {
		h.turnAway(d, st, p)
		return true
	}
	if s == nil {
		return false
	}
	if n := h.live.inFlight.Add(1); n <= int64(s.Allows(priorities[p])) && !s.Late(priorities[p], d.Lag) {
		st.counted = true
		return false
	}
	h.live.inFlight.Add(-1)
	h.turnAway(d, st, p)
	return true
}

// turnAway answers a request of a priority that there is no room for.
func (h *handler) turnAway(d *exchange.Decision, st *state, p int) {
	h.count.shed[p].Inc()
	h.answer(d, st, 503)
	h.comeAgain(d, 0, outcome.Overloaded)
}

// priority is the rank of a request: that of its rule, which a header may lower or,
// from a trusted proxy, raise.
func (h *handler) priority(req *message.Request, st *state) int {
	p := rank(st.rule.Spec.Priority)
	if h.ranks == "" {
		return p
	}
	for _, f := range req.Fields {
		if !message.EqualFold(f.Name, h.ranks) {
			continue
		}
		said := rank(spec.Priority(f.Value))
		if said < p || hops.Trusts(h.spec.TrustedProxies, req.Peer.Addr()) {
			return said
		}
	}
	return p
}

// finished counts a request out.
func (h *handler) finished(st *state) {
	if st.counted {
		h.live.inFlight.Add(-1)
	}
}
