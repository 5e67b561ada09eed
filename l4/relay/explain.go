package relay

import (
	"fmt"
	"net/netip"

	"portico/internal/clock"
	"portico/l4"
	"portico/spec"
	"portico/spec/status"
	"portico/target/balance"
)

// Explain says where a flow of the question would go, by the same decision that
// flows are sent by. It reports false when the question is none for this tier:
// no listener is on its VIP and port.
func (r *Relay) Explain(q status.Question) (status.Answer, bool) {
	f := l4.FlowOf(q)
	f.Draw, f.Now = drawn(q), clock.Now()
	d, lines := l4.Explain(f, r.state.Load().table, r.o.Groups)
	if d.Listener == nil {
		return status.Answer{}, false
	}
	a := status.Answer{Tier: spec.RoleL4, Node: r.o.Self, Lines: lines}
	if d.Target == nil {
		a.Result = "the flow is reset: " + d.Why.String()
		return a, true
	}
	a.Result = fmt.Sprintf("%s, target %s of group %q", d.Target.Address(), d.Target.Label(), d.Share.Group)
	a.Next = []netip.AddrPort{d.Target.Address()}
	return a, true
}

// drawn is what a question draws from.
func drawn(q status.Question) uint64 {
	if q.Draw == 0 {
		return draw()
	}
	return balance.Mix(uint64(q.Draw), 0)
}
