package filter

import (
	"fmt"
	"net/netip"

	"portico/internal/netx"
	"portico/l7/exchange"
	"portico/l7/message"
	"portico/spec"
)

// IP is the parameters of ip: which clients are let in. The client is the one
// that connected, or the one that a trusted proxy names.
type IP struct {
	// Allow lists the networks that are let in; none means all.
	Allow []netip.Prefix `json:"allow,omitempty"`
	// Deny lists networks that are refused, also where Allow has them.
	Deny []netip.Prefix `json:"deny,omitempty"`
}

// networksMax bounds the networks of one filter.
const networksMax = 100_000

// Check refuses a filter that lets everyone in, or no one.
func (p *IP) Check() []spec.Problem {
	var problems []spec.Problem
	if len(p.Allow) == 0 && len(p.Deny) == 0 {
		problems = append(problems, spec.Problem{What: "lets every client in", Help: "use allow or deny"})
	}
	for _, list := range []struct {
		at       string
		networks []netip.Prefix
	}{{"allow", p.Allow}, {"deny", p.Deny}} {
		if len(list.networks) > networksMax {
			problems = append(problems, spec.Problemf(list.at, "there are %d networks; at most %d are allowed", len(list.networks), networksMax))
		}
		for i, n := range list.networks {
			if n.IsValid() && n != n.Masked() {
				problems = append(problems, spec.Problem{
					Path: spec.At(list.at, i), What: fmt.Sprintf("%q has bits beyond its length", n),
					Help: fmt.Sprintf("write %s, or %s/%d for the address alone", n.Masked(), n.Addr(), n.Addr().BitLen()),
				})
			}
		}
	}
	return problems
}

type ip struct {
	requestOnly
	allow, deny netx.Prefixes
	some        bool // only those of allow are let in
}

func newIP(params any) Filter {
	p := params.(*IP)
	return &ip{allow: netx.NewPrefixes(p.Allow), deny: netx.NewPrefixes(p.Deny), some: len(p.Allow) > 0}
}

func (f *ip) judges() {}

const (
	ipDenied     = "ip: the client's address is denied"
	ipNotAllowed = "ip: the client's address is not allowed"
)

// decide returns why a client is refused; "" lets it in.
func (f *ip) decide(client netip.Addr) string {
	switch {
	case f.deny.Contains(client):
		return ipDenied
	case f.some && !f.allow.Contains(client):
		return ipNotAllowed
	}
	return ""
}

func (f *ip) Request(req *message.Request, m Match, d *exchange.Decision) {
	if why := f.decide(req.Client.Addr()); why != "" {
		refuse(d, m, 403, why)
		return
	}
	m.note(Passed)
}

func (f *ip) Explain(req *message.Request, _ Match) string {
	switch client := req.Client.Addr(); f.decide(client) {
	case ipDenied:
		return fmt.Sprintf("answers 403: %s is denied", client)
	case ipNotAllowed:
		return fmt.Sprintf("answers 403: %s is not allowed", client)
	default:
		return fmt.Sprintf("lets %s in", client)
	}
}
