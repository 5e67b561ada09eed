package l7

import (
	"crypto/tls"
	"fmt"
	"time"

	"portico/l7/tlsx"
	"portico/spec"
)

// checkTLS finds what is wrong with how clients are greeted; whole says that every
// certificate could be read.
func checkTLS(want *spec.Spec, set *tlsx.Set, whole bool) []spec.Problem {
	problems := tlsx.CheckTickets(want.Secrets.Tickets)
	for i := range want.Listeners {
		l := &want.Listeners[i]
		if l.Protocol != spec.ProtocolHTTPS {
			continue
		}
		at := spec.At("listeners", i)
		if whole && set.For("") == nil {
			problems = append(problems, spec.Problem{
				Path: spec.At(at, "protocol"),
				What: fmt.Sprintf("listener %q is https and there is no certificate", l.Name),
				Help: "add one to certificates",
			})
		}
		_, found := tlsx.Greet(tlsx.Options{Listener: l.TLS, Set: set})
		for _, p := range found {
			p.Path = spec.At(at, "tls", p.Path)
			problems = append(problems, p)
		}
	}
	return problems
}

// Expired warns of lists of revoked certificates that should have been replaced by
// now. Pure.
func Expired(want *spec.Spec, now time.Time) []spec.Problem {
	var problems []spec.Problem
	for i := range want.Listeners {
		for _, p := range tlsx.Expired(want.Listeners[i].TLS, now) {
			p.Path = spec.At("listeners", i, "tls", p.Path)
			problems = append(problems, p)
		}
	}
	return problems
}

// configs are those that the listeners of a spec are greeted with.
func (c *compiler) configs() []*tls.Config {
	var all []*tls.Config
	for _, h := range c.made {
		if h.tls != nil {
			all = append(all, h.tls)
		}
	}
	return all
}
