package vip

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"portico/spec"
)

// Grade says how well a node can serve a listener, or an address with all of its
// listeners. The worst comes first.
type Grade uint8

// The grades.
const (
	Unable  Grade = iota // not bound, or nothing to send to
	Failing              // bound, but every target failed its checks, and all are used
	Waiting              // bound, but no check has answered yet
	Able                 // bound, and a target takes what comes
)

// Serving says how well the node can serve one listener on one of its addresses.
type Serving interface {
	Serves(l *spec.Listener, at netip.AddrPort) (g Grade, why string)
}

// Standing is what the world is told of an address.
type Standing uint8

// The standings.
const (
	Withdrawn Standing = iota // nothing
	Last                      // that every other node is to be preferred
	Announced                 // that the node serves it
)

// String is the word for people.
func (s Standing) String() string { return [...]string{"withdrawn", "last choice", "announced"}[s] }

// Address is one address that a node may announce: of one VIP, or of several that
// share it.
type Address struct {
	Addr netip.Addr
	VIPs []*spec.VIP // never empty; all have the same announce
	// Listeners are those of all of its VIPs.
	Listeners []*spec.Listener
}

// Announce is how the world learns of it.
func (a *Address) Announce() spec.Announce { return a.VIPs[0].Announce }

// open reports whether it stays announced as the last choice where health has
// nothing left to offer.
func (a *Address) open() bool {
	return !slices.ContainsFunc(a.VIPs, func(v *spec.VIP) bool { return v.WhenNoneHealthy == spec.FailClosed })
}

// Addresses lists what a node may announce, in the order of the spec. It is empty
// without the role vip, and for a node that binds no VIP.
func Addresses(want *spec.Spec, self spec.NodeName) []*Address {
	node, site := want.Node(self)
	if !node.Has(spec.RoleVIP) || !node.Has(spec.RoleL4) && (!node.Has(spec.RoleL7) || len(site.With(spec.RoleL4)) > 0) {
		return nil
	}
	var list []*Address
	for i := range want.VIPs {
		v := &want.VIPs[i]
		if !v.Floats() {
			continue
		}
		for _, addr := range v.Addresses[site.Name] {
			at := slices.IndexFunc(list, func(a *Address) bool { return a.Addr == addr })
			if at < 0 {
				at = len(list)
				list = append(list, &Address{Addr: addr})
			}
			list[at].VIPs = append(list[at].VIPs, v)
			list[at].Listeners = append(list[at].Listeners, listeners(want, v.Name)...)
		}
	}
	return list
}

func listeners(want *spec.Spec, vip spec.VIPName) []*spec.Listener {
	var list []*spec.Listener
	for i := range want.Listeners {
		if want.Listeners[i].VIP == vip {
			list = append(list, &want.Listeners[i])
		}
	}
	return list
}

// Judge grades an address by its worst listener.
func (a *Address) Judge(s Serving) (worst Grade, why string) {
	if len(a.Listeners) == 0 {
		return Unable, "no listener is on it"
	}
	worst, why = Able, "every listener is served"
	for _, l := range a.Listeners {
		if g, reason := s.Serves(l, netip.AddrPortFrom(a.Addr, l.Port)); g < worst {
			worst, why = g, fmt.Sprintf("listener %s: %s", l.Name, reason)
		}
	}
	return worst, why
}

// A withdrawal is kept up for a moment, longer each time it comes again, so that
// routers are not asked to recompute with every probe.
const (
	dampMin = time.Second
	dampMax = time.Minute
	// calm is how long an address is announced until its failures are forgotten.
	calm = 5 * time.Minute
)

// State is what is decided of one address. The zero value is an address that was
// never announced.
type State struct {
	Standing Standing
	Reason   string
	Since    time.Time // of Standing
	// Able is since when the node has been able to serve it without a break; zero
	// when it is not.
	able time.Time
	damp time.Duration // how long it must have been, to be announced again
}

// Step returns the state after the node was found able, or not, to serve the
// address.
//
//   - able: announced, after a failure only when that is a while ago;
//   - not known yet: as before, so that a listener that is added moves nobody;
//   - failing: announced as the last choice, or withdrawn where the VIP says so;
//   - unable, or held back: withdrawn at once.
func (s State) Step(now time.Time, g Grade, why string, open bool) State {
	next := s
	next.Reason = why
	switch {
	case g == Able && s.able.IsZero():
		next.able = now
	case g != Able && g != Waiting:
		next.able = time.Time{}
	}
	switch g {
	case Able:
		if now.Sub(next.able) < s.damp && s.Standing != Announced {
			next.Reason = fmt.Sprintf("it failed a moment ago, and is announced after %v of health", s.damp)
			break
		}
		next = next.stand(now, Announced)
	case Waiting:
		if s.Standing == Withdrawn {
			next.Reason = "waits for health: " + why
		}
	case Failing:
		if open {
			next = next.stand(now, Last)
			next.Reason = why + "; as the last choice, for want of a node that is known to be better"
			break
		}
		next = next.stand(now, Withdrawn)
	case Unable:
		next = next.stand(now, Withdrawn)
	}
	return next
}

// stand changes the standing, and remembers falling from the highest.
func (s State) stand(now time.Time, to Standing) State {
	if to == s.Standing {
		return s
	}
	if s.Standing == Announced {
		if now.Sub(s.Since) > calm {
			s.damp = 0
		}
		s.damp = min(max(dampMin, 2*s.damp), dampMax)
	}
	s.Standing, s.Since = to, now
	return s
}
