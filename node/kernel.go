package node

import (
	"portico/internal/netx"
	"portico/spec"
)

// kernel warns of options of sockets that this machine does not grant. Another
// node of the same spec may.
func kernel(want *spec.Spec) []spec.Problem {
	var problems []spec.Problem
	warn := func(at, what, help string) {
		problems = append(problems, spec.Problem{Path: at, What: what, Help: help, Level: spec.Warning})
	}
	congestion := func(name, at string) {
		if name == "" {
			return
		}
		if err := netx.CheckCongestion(name); err != nil {
			warn(spec.At(at, "tcp.congestion"), err.Error()+"; connections have the system's", "use one of these, or load its module")
		}
	}
	for i := range want.Listeners {
		at, t := spec.At("listeners", i), &want.Listeners[i].TCP
		congestion(t.Congestion, at)
		if t.FastOpen && !netx.FastOpenAccepted() {
			warn(spec.At(at, "tcp.fastOpen"), "this kernel takes no data with a SYN", "set net.ipv4.tcp_fastopen to 3")
		}
	}
	for i := range want.TargetGroups {
		congestion(want.TargetGroups[i].TCP.Congestion, spec.At("targetGroups", i))
	}
	return problems
}
