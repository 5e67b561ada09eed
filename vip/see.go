package vip

import (
	"fmt"
	"net/netip"

	"github.com/prometheus/client_golang/prometheus"

	"portico/spec"
	"portico/spec/status"
)

// Status reports every address that the node may announce, a row for each VIP that
// has it, in the order of the spec.
func (t *Tier) Status() []status.VIP {
	t.mu.Lock()
	defer t.mu.Unlock()
	var rows []status.VIP
	for _, a := range t.addresses {
		announced, why, owner := t.seen(a)
		for _, v := range a.VIPs {
			rows = append(rows, status.VIP{
				Name: string(v.Name), Address: a.Addr, Announce: string(v.Announce),
				Announced: announced, Reason: why, Owner: string(owner), Since: t.states[a.Addr].Since,
			})
		}
	}
	return rows
}

// seen says whether the world is told of an address, and why or why not: by what
// was decided, then by what the way made of it. The caller holds t.mu.
func (t *Tier) seen(a *Address) (announced bool, why string, owner spec.NodeName) {
	s := t.states[a.Addr]
	w := t.o.Ways[a.Announce()]
	if w == nil {
		return false, s.Reason, ""
	}
	ok, how, owner := w.Seen(a.Addr)
	switch {
	case s.Standing == Withdrawn:
		return false, s.Reason, owner
	case t.leaving:
		return ok, "the node is leaving; others are preferred", owner
	case !ok:
		return false, how, owner
	}
	return true, s.Reason, owner
}

// Peers lists those who are told of the addresses.
func (t *Tier) Peers() []status.Peer {
	var all []status.Peer
	for _, name := range announces {
		if w := t.o.Ways[name]; w != nil {
			all = append(all, w.Peers()...)
		}
	}
	return all
}

// Explain says whether the node announces the VIP of the question, and why. It
// reports false for an address that it has no part in.
func (t *Tier) Explain(q status.Question) (status.Answer, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, a := range t.addresses {
		if a.Addr == q.VIP.Addr().Unmap() {
			return t.explain(a, q.VIP), true
		}
	}
	return status.Answer{}, false
}

func (t *Tier) explain(a *Address, vip netip.AddrPort) status.Answer {
	announced, why, owner := t.seen(a)
	answer := status.Answer{Tier: spec.RoleVIP, Node: t.o.Self}
	s := t.states[a.Addr]
	switch {
	case announced && (s.Standing == Last || t.leaving):
		answer.Result = fmt.Sprintf("%s is announced by %s as the last choice: %s", a.Addr, a.Announce(), why)
	case announced:
		answer.Result = fmt.Sprintf("%s is announced by %s", a.Addr, a.Announce())
	default:
		answer.Result = fmt.Sprintf("%s is not announced: %s", a.Addr, why)
	}
	if announced {
		answer.Next = []netip.AddrPort{vip}
	}
	if owner != "" {
		answer.Lines = append(answer.Lines, status.Line{Text: fmt.Sprintf("node %q holds it", owner)})
	}
	seen := t.o.Look()
	for _, l := range a.Listeners {
		g, reason := seen.Serves(l, netip.AddrPortFrom(a.Addr, l.Port))
		mark := "+"
		if g != Able {
			mark = "-"
		}
		answer.Lines = append(answer.Lines, status.Line{Mark: mark, Depth: 1, Text: fmt.Sprintf("listener %q: %s", l.Name, reason)})
	}
	return answer
}

// The metrics of the tier. The labels are bounded by the spec.
var (
	descAnnounced = prometheus.NewDesc("portico_vip_announced", "1 while the node announces the address of the VIP.", []string{"vip", "address", "announce"}, nil)
	descWithdrawn = prometheus.NewDesc("portico_vip_withdrawals_total", "Times that the node ceased to announce the address, or to announce it as a good choice.", []string{"vip", "address"}, nil)
)

// collector reads the metrics of a tier when they are asked for.
type collector struct{ t *Tier }

func (collector) Describe(to chan<- *prometheus.Desc) {
	to <- descAnnounced
	to <- descWithdrawn
}

func (c collector) Collect(to chan<- prometheus.Metric) {
	for _, v := range c.t.Status() {
		announced := 0.0
		if v.Announced {
			announced = 1
		}
		to <- prometheus.MustNewConstMetric(descAnnounced, prometheus.GaugeValue, announced, v.Name, v.Address.String(), v.Announce)
		c.t.mu.Lock()
		n := c.t.withdrawn[v.Address]
		c.t.mu.Unlock()
		to <- prometheus.MustNewConstMetric(descWithdrawn, prometheus.CounterValue, float64(n), v.Name, v.Address.String())
	}
}
