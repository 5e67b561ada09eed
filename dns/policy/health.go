package policy

import (
	"portico/spec"
	"portico/spec/status"
)

// Mode says why the sites in use are in use.
type Mode string

// The modes, from the best to the worst.
const (
	ModeHealthy  Mode = "healthy"   // the healthy ones
	ModeUnknown  Mode = "unknown"   // none is healthy: those of which nothing is known
	ModeFailOpen Mode = "fail-open" // all are unhealthy: all of them
	ModeNone     Mode = "none"      // all are unhealthy, and then none may be used; or there are none
)

// Use says which verdict makes a site one of those in use, and the mode that
// comes of it: the healthy ones; where there are none, the unknown ones; where
// all are unhealthy, every one, or none if the record fails closed.
func Use(verdicts []status.Verdict, when spec.WhenNoneHealthy) (status.Verdict, Mode) {
	best := status.Unhealthy
	for _, v := range verdicts {
		switch v {
		case status.Healthy:
			return v, ModeHealthy
		case status.Unknown:
			best = v
		case status.Unhealthy:
		}
	}
	switch {
	case len(verdicts) == 0:
		return best, ModeNone
	case best == status.Unknown:
		return best, ModeUnknown
	case when == spec.FailClosed:
		return best, ModeNone
	}
	return best, ModeFailOpen
}

// Used reports whether a site with the verdict is in use, given what Use said.
func Used(v, wanted status.Verdict, mode Mode) bool { return mode != ModeNone && v == wanted }
