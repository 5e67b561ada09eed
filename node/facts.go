package node

import (
	"fmt"
	"net/netip"

	"portico/spec"
	"portico/spec/status"
	"portico/target"
)

// facts tells the dns tier what this node's own probes say of the VIPs. It is
// the seam where reports from other sites and nodes come in.
type facts struct {
	targets *target.Targets
	want    func() *spec.Spec
}

// VIP is unhealthy at a site when a probed listener does not answer there, and
// healthy when those that were asked all do. One that was not asked yet says
// nothing, so that a listener that is added moves no clients. It is unknown while
// none was asked.
func (f facts) VIP(name spec.VIPName, _ spec.SiteName, addr netip.Addr) (status.Verdict, string) {
	want := f.want()
	vip := want.VIP(name)
	if vip == nil {
		return status.Unknown, "no such VIP"
	}
	verdict, why := status.Unknown, "no listener to probe"
	for i, l := range probed(want, vip) {
		v, reason := f.listener(name, l, addr)
		if v == status.Unhealthy {
			return v, fmt.Sprintf("listener %s: %s", l.Name, reason)
		}
		if i == 0 || verdict == status.Unknown && v == status.Healthy {
			verdict, why = v, fmt.Sprintf("listener %s: %s", l.Name, reason)
		}
	}
	return verdict, why
}

func (f facts) listener(vip spec.VIPName, l *spec.Listener, addr netip.Addr) (status.Verdict, string) {
	group := f.targets.Group(spec.VIPGroup(vip, l.Name))
	if group == nil {
		return status.Unknown, "not probed"
	}
	for _, t := range group.Status().Targets {
		if t.Address.AddrPort == netip.AddrPortFrom(addr, l.Port) {
			return t.Verdict, t.Reason
		}
	}
	return status.Unknown, "not probed"
}
