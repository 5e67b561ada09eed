package bgp

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"portico/spec"
)

// passwordMax is what the kernel signs with at most (struct tcp_md5sig).
const passwordMax = 80

// Check finds what is wrong with the BGP of sites and with what VIPs carry. Pure.
func Check(want *spec.Spec) []spec.Problem {
	var found []spec.Problem
	for i, site := range want.Sites {
		if site.BGP != nil {
			found = append(found, checkSite(spec.At("sites", i, "bgp"), site)...)
		}
	}
	for i, vip := range want.VIPs {
		found = append(found, checkVIP(spec.At("vips", i), vip, want)...)
	}
	return found
}

func checkSite(at string, site spec.Site) []spec.Problem {
	var found []spec.Problem
	if len(site.BGP.Peers) == 0 {
		found = append(found, spec.Problemf(spec.At(at, "peers"), "no peer: nobody would hear of a VIP"))
	}
	found = append(found, checkRestart(spec.At(at, "gracefulRestart"), site.BGP.GracefulRestart)...)
	first := map[string]int{}
	for i, p := range site.BGP.Peers {
		here := spec.At(at, "peers", i)
		found = append(found, checkAddress(here, p)...)
		found = append(found, checkNodes(here, p, site)...)
		found = append(found, checkPeer(here, p)...)
		if before, twice := first[peerName(p)]; !twice {
			first[peerName(p)] = i
		} else if sameNodes(site.BGP.Peers[before], p) {
			found = append(found, spec.Problemf(here, "peer %q is listed before, as peers[%d]", peerName(p), before))
		}
	}
	return found
}

// restartMax is what the 12 bits of a capability hold (RFC 4724, section 3).
const restartMax = 4095 * time.Second

func checkRestart(at string, d spec.Duration) []spec.Problem {
	switch {
	case d < 0: // off
		return nil
	case d.D() > restartMax:
		p := spec.Problemf(at, "%v is out of range", d)
		p.Help = fmt.Sprintf("use 1s to %v, or off", restartMax)
		return []spec.Problem{p}
	case !wholeSeconds(d):
		return []spec.Problem{inSeconds(at, d)}
	}
	return nil
}

func wholeSeconds(d spec.Duration) bool { return d == spec.Off || d.D()%time.Second == 0 }

func inSeconds(at string, d spec.Duration) spec.Problem {
	p := spec.Problemf(at, "%v is not a number of seconds", d.D())
	p.Help = "BGP counts in whole seconds"
	return p
}

func checkAddress(at string, p spec.BGPPeer) []spec.Problem {
	a := p.Address
	problem := func(field, help, format string, args ...any) []spec.Problem {
		found := spec.Problemf(spec.At(at, field), format, args...)
		found.Help = help
		return []spec.Problem{found}
	}
	switch {
	case !a.IsValid() && p.Interface == "":
		return problem("", "say its address, or the interface that it alone is on", "a peer without address")
	case !a.IsValid() && p.Multihop > 0:
		return problem("multihop", "say the router's address", "%d hops to a router on interface %q, which is none away", p.Multihop, p.Interface)
	case a.Zone() != "":
		return problem("address", "say the interface with the key interface", "%q holds an interface", a)
	case a.IsUnspecified(), a.IsMulticast(), a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return problem("address", "", "%q is not the address of a router", a)
	case a.Is6() && a.IsLinkLocalUnicast() && p.Interface == "":
		return problem("interface", "say the interface that leads to it", "missing: %q is link-local, and every link may have it", a)
	case a.Is6() && a.IsLinkLocalUnicast() && p.Multihop > 0:
		return problem("multihop", "", "%d hops to %q, which is link-local and none away", p.Multihop, a)
	}
	return nil
}

func checkNodes(at string, p spec.BGPPeer, site spec.Site) []spec.Problem {
	var found []spec.Problem
	for i, name := range p.Nodes {
		here := spec.At(at, "nodes", i)
		at := slices.IndexFunc(site.Nodes, func(n spec.Node) bool { return n.Name == name })
		switch {
		case at < 0:
			found = append(found, spec.Problemf(here, "site %q has no node named %q", site.Name, name))
		case !slices.Contains(site.Nodes[at].Roles, spec.RoleVIP):
			warning := spec.Problemf(here, "node %q speaks to no router: it has no role vip", name)
			warning.Level = spec.Warning
			found = append(found, warning)
		}
	}
	return found
}

func checkPeer(at string, p spec.BGPPeer) []spec.Problem {
	var found []spec.Problem
	if !wholeSeconds(p.HoldTime) {
		found = append(found, inSeconds(spec.At(at, "holdTime"), p.HoldTime))
	}
	if p.Password != nil && len(p.Password.Value) > passwordMax {
		problem := spec.Problemf(spec.At(at, "password"), "the password has %d bytes", len(p.Password.Value))
		problem.Help = "TCP-MD5 takes 80 at most"
		found = append(found, problem)
	}
	if p.BFD != nil && p.HoldTime.D() > 0 && p.BFD.Interval.D()*time.Duration(p.BFD.Multiplier) >= p.HoldTime.D() {
		warning := spec.Problemf(spec.At(at, "bfd"), "notices a loss after %v, no sooner than holdTime, which is %v",
			p.BFD.Interval.D()*time.Duration(p.BFD.Multiplier), p.HoldTime.D())
		warning.Level = spec.Warning
		found = append(found, warning)
	}
	return found
}

// sameNodes reports whether one node would speak to both.
func sameNodes(a, b spec.BGPPeer) bool {
	if len(a.Nodes) == 0 || len(b.Nodes) == 0 {
		return true
	}
	return slices.ContainsFunc(a.Nodes, func(n spec.NodeName) bool { return slices.Contains(b.Nodes, n) })
}

func checkVIP(at string, vip spec.VIP, want *spec.Spec) []spec.Problem {
	var found []spec.Problem
	here := spec.At(at, "bgp", "communities")
	if n := len(vip.BGP.Communities); n > communitiesMax {
		found = append(found, spec.Problemf(here, "%d communities, of %d that are allowed", n, communitiesMax))
	}
	for i, text := range vip.BGP.Communities {
		if _, err := parseCommunity(text); err != nil {
			problem := spec.Problemf(spec.At(here, i), "%v", err)
			problem.Help = "use 65001:100, 65001:1:2 or one of " + strings.Join(slices.Sorted(maps.Keys(wellKnown())), ", ")
			found = append(found, problem)
		}
	}
	if vip.Announce == spec.AnnounceBGP && vip.BGP.LocalPref != nil && !anyInternal(want) {
		warning := spec.Problemf(spec.At(at, "bgp", "localPref"), "%d is sent to nobody: every peer is of another AS", *vip.BGP.LocalPref)
		warning.Help, warning.Level = "other systems hear med or communities", spec.Warning
		found = append(found, warning)
	}
	return found
}

func anyInternal(want *spec.Spec) bool {
	for _, site := range want.Sites {
		if site.BGP == nil {
			continue
		}
		if slices.ContainsFunc(site.BGP.Peers, func(p spec.BGPPeer) bool { return p.AS == site.BGP.AS }) {
			return true
		}
	}
	return false
}
