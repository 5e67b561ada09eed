package tlsx

import (
	"fmt"
	"time"

	"portico/spec"
)

// Check finds what is wrong with how the clients of a spec are greeted. Pure.
func Check(want *spec.Spec) []spec.Problem {
	set, problems := Parse(want.Certificates)
	whole := len(problems) == 0
	problems = append(problems, CheckTickets(want.Secrets.Tickets)...)
	for i := range want.Listeners {
		l := &want.Listeners[i]
		if l.Protocol != spec.ProtocolHTTPS {
			continue
		}
		at := spec.At("listeners", i)
		if whole && set.first == nil {
			problems = append(problems, spec.Problem{
				Path: spec.At(at, "protocol"),
				What: fmt.Sprintf("listener %q is https and there is no certificate", l.Name),
				Help: "add one to certificates",
			})
		}
		_, found := Greet(Options{Listener: l.TLS, Set: set})
		problems = append(problems, placed(found, at)...)
	}
	return problems
}

// Expired warns of lists of revoked certificates that should have been replaced by
// now. Pure.
func Expired(want *spec.Spec, now time.Time) []spec.Problem {
	var problems []spec.Problem
	for i := range want.Listeners {
		problems = append(problems, placed(expired(want.Listeners[i].TLS, now), spec.At("listeners", i))...)
	}
	return problems
}

// placed are problems of a listener's tls at their place in the spec.
func placed(problems []spec.Problem, at string) []spec.Problem {
	for i := range problems {
		problems[i].Path = spec.At(at, "tls", problems[i].Path)
	}
	return problems
}
