package spec

import (
	"net/netip"
	"time"
)

// ReadyTiming is how l4 nodes watch the l7 nodes behind them: fast, because a
// probe is one small exchange between two nodes of one site.
func ReadyTiming() Timing {
	return Timing{
		Interval: Duration(500 * time.Millisecond),
		Timeout:  Duration(time.Second),
		Rise:     1,
		Fall:     2,
	}
}

// Noticed is how long it takes at most until a target that fails every probe is
// unhealthy, the jitter of the interval included.
func (t Timing) Noticed() time.Duration {
	return time.Duration(t.Fall)*(t.Interval.D()*11/10) + t.Timeout.D()
}

// Leave is how long a node that is told to stop must go on taking what is new,
// while those before it learn that it is leaving. For a node that holds VIPs that
// is until the probes of dns nodes notice and every answer they gave has expired.
// An l7 node behind l4 nodes stays until their probes notice, and then as long as
// they themselves might have to stay: they may be leaving too, or have no other.
// It is zero where nobody is told, or nobody could take over, and leaves a
// quarter of the drain bound, behind l4 nodes an eighth, to what came last.
func (s *Spec) Leave(self NodeName, role Role) time.Duration {
	node, site := s.Node(self)
	if !node.Has(role) || role != RoleL4 && role != RoleL7 {
		return 0
	}
	bound := max(s.Drain.D(), 0)
	leave := min(s.AnswersExpire(site.Name), bound/4*3)
	if role == RoleL4 || len(site.With(RoleL4)) == 0 || leave == 0 && len(site.With(RoleL7)) == 1 {
		return leave
	}
	return min(ReadyTiming().Noticed()+leave, bound/8*7)
}

// AnswersExpire is the longest time, from when a site stops serving, until no
// answer names a VIP of it any more, over the VIPs that other sites have as well.
func (s *Spec) AnswersExpire(site SiteName) time.Duration {
	var longest time.Duration
	for _, z := range s.Zones {
		for _, r := range z.Records {
			vip := s.VIP(r.VIP)
			if vip == nil || len(vip.Addresses[site]) == 0 || len(vip.Addresses) < 2 {
				continue
			}
			ttl := r.TTL
			if ttl == 0 {
				ttl = z.TTL
			}
			longest = max(longest, vip.Health.Noticed()+ttl.D())
		}
	}
	return longest
}

// Probers are the addresses of the dns nodes, which probe the VIPs from there.
func (s *Spec) Probers() []netip.Addr {
	var from []netip.Addr
	for i := range s.Sites {
		for _, n := range s.Sites[i].With(RoleDNS) {
			from = append(from, n.Address)
		}
	}
	return from
}
