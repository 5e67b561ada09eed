package target

import (
	"fmt"
	"net/netip"

	"portico/spec"
	"portico/target/balance"
	"portico/target/health"
)

// A group that is checked fits every picker.
const _ = uint(balance.CandidatesMax - TargetsMax)

// Check finds what this package would refuse in the groups: what decoding a file
// does not see, or what came another way than by a file. Pure.
func (t *Targets) Check(groups []spec.TargetGroup) []spec.Problem {
	var ps []spec.Problem
	names := make(map[spec.TargetGroupName]bool, len(groups))
	for i := range groups {
		g, path := &groups[i], spec.At("targetGroups", i)
		if names[g.Name] {
			ps = append(ps, spec.Problemf(spec.At(path, "name"), "target group %q is defined twice", g.Name))
		}
		names[g.Name] = true
		ps = append(ps, checkChoices(path, g)...)
		ps = append(ps, checkTargets(path, g.Targets)...)
		if _, err := TLS(g.TLS); err != nil {
			ps = append(ps, spec.Problemf(spec.At(path, "tls"), "%v", err))
		}
	}
	return ps
}

func checkChoices(path string, g *spec.TargetGroup) []spec.Problem {
	var ps []spec.Problem
	if g.Balance != nil {
		at := spec.At(path, "balance")
		if a, ok := balance.Lookup(g.Balance.Name); !ok {
			ps = append(ps, spec.Problemf(at, "unknown algorithm %q", g.Balance.Name))
		} else {
			ps = append(ps, checkParams(at, g.Balance, a.Params)...)
		}
	}
	if g.Health == nil {
		return ps
	}
	at := spec.At(path, "health")
	if c, ok := health.Lookup(g.Health.Check.Name); !ok {
		ps = append(ps, spec.Problemf(spec.At(at, "check"), "unknown check %q", g.Health.Check.Name))
	} else {
		ps = append(ps, checkParams(spec.At(at, "check"), &g.Health.Check, c.Params)...)
	}
	if g.Health.Interval <= 0 {
		ps = append(ps, spec.Problemf(spec.At(at, "interval"), "%v is no time between probes", g.Health.Interval))
	}
	if g.Health.Timeout <= 0 {
		ps = append(ps, spec.Problemf(spec.At(at, "timeout"), "%v is no time for a probe", g.Health.Timeout))
	}
	return ps
}

// checkParams compares the type of the parameters with what the entry takes, so
// that its New may rely on it, and has them check themselves.
func checkParams(path string, c *spec.Choice, params func() any) []spec.Problem {
	if c.Params == nil {
		return nil
	}
	if params == nil {
		return []spec.Problem{spec.Problemf(path, "%q takes no parameters", c.Name)}
	}
	if got, want := fmt.Sprintf("%T", c.Params), fmt.Sprintf("%T", params()); got != want {
		return []spec.Problem{spec.Problemf(path, "parameters of %q are a %s, want a %s", c.Name, got, want)}
	}
	checker, ok := c.Params.(spec.Checker)
	if !ok {
		return nil
	}
	ps := checker.Check()
	for i := range ps {
		ps[i].Path = spec.At(path, c.Name, ps[i].Path)
	}
	return ps
}

func checkTargets(path string, targets []spec.Target) []spec.Problem {
	var ps []spec.Problem
	if len(targets) > TargetsMax {
		ps = append(ps, spec.Problemf(spec.At(path, "targets"), "%d targets; a group may have %d", len(targets), TargetsMax))
	}
	seen := make(map[netip.AddrPort]int, len(targets))
	for i := range targets {
		at, addr := spec.At(path, "targets", i), plain(targets[i].Address.AddrPort)
		if !addr.IsValid() || addr.Port() == 0 {
			ps = append(ps, spec.Problemf(spec.At(at, "address"), "%q is not an address with a port", addr))
			continue
		}
		if first, twice := seen[addr]; twice {
			ps = append(ps, spec.Problem{
				Path: spec.At(at, "address"),
				What: fmt.Sprintf("%q is listed twice in this group", addr),
				Help: fmt.Sprintf("it is targets[%d] already; use weight to give it more", first),
			})
			continue
		}
		seen[addr] = i
		if w := targets[i].Weight; w < 0 || w > balance.WeightMax {
			ps = append(ps, spec.Problemf(spec.At(at, "weight"), "%d is out of range; use 0 to %d", w, balance.WeightMax))
		}
	}
	return ps
}

// plain is the address that targets are told apart by.
func plain(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }
