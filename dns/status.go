package dns

import (
	"cmp"
	"net/netip"
	"slices"

	"portico/dns/policy"
	"portico/dns/wire"
	"portico/spec"
	"portico/spec/status"
)

// Status reports what is listened on and what each record with a VIP answers now.
func (s *Server) Status() ([]status.Listener, []status.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var listeners []status.Listener
	for _, e := range s.endpoints {
		l := status.Listener{Name: "dns", Tier: spec.RoleDNS, Address: e.at, Active: e.counters.conns.Load()}
		for t := range transports {
			for i := range e.counters.stats[t] {
				l.Total += e.counters.stats[t][i].queries.Load()
				l.Failed += e.counters.stats[t][i].replies[wire.ServFail].Load()
			}
		}
		listeners = append(listeners, l)
	}
	slices.SortFunc(listeners, func(a, b status.Listener) int { return a.Address.Compare(b.Address) })
	var records []status.Record
	for _, a := range s.table.Load().byOwner {
		records = append(records, a.status())
	}
	slices.SortFunc(records, func(a, b status.Record) int { return cmp.Compare(a.Name, b.Name) })
	return listeners, records
}

// modes orders the modes from the worst to the best.
var modes = [...]policy.Mode{policy.ModeNone, policy.ModeFailOpen, policy.ModeUnknown, policy.ModeHealthy}

// status joins the families of a record: a site is used when it is in one of
// them, and the worst mode and verdict show.
func (a *alias) status() status.Record {
	r := status.Record{Name: a.record, Policy: a.policy.Name}
	mode := len(modes)
	for _, d := range a.families {
		if out := d.now.Load(); len(d.sites) > 0 {
			mode = min(mode, slices.Index(modes[:], out.mode))
		}
	}
	r.Mode = string(policy.ModeNone)
	if mode < len(modes) {
		r.Mode = string(modes[mode])
	}
	for _, site := range a.known {
		r.Sites = append(r.Sites, a.site(site))
	}
	return r
}

func (a *alias) site(name spec.SiteName) status.RecordSite {
	s := status.RecordSite{Site: name, Addresses: []netip.Addr{}, Reason: notNamed}
	s.Addresses = append(s.Addresses, a.spec.VIP.Addresses[name]...)
	seen := false
	for _, d := range a.families {
		out := d.now.Load()
		for i, p := range d.sites {
			if p.Name != name {
				continue
			}
			if !seen || rank(out.verdicts[i]) < rank(s.Verdict) {
				s.Verdict, s.Reason, s.Weight = out.verdicts[i], out.reasons[i], p.Weight
			}
			seen = true
			s.Used = s.Used || slices.Contains(out.used, i)
		}
	}
	return s
}

// notNamed is why a site of the VIP is never answered.
const notNamed = "the policy leaves it out"
