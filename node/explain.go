package node

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"portico/spec"
	"portico/spec/status"
)

// Explainer answers for one tier of one or more nodes; false means that the
// tier does not run there, or that the question is not for it.
type Explainer interface {
	ExplainTier(tier spec.Role, q status.Question) (status.Answer, bool, error)
}

// Explain asks one tier of those at hand about a request or, when the tier is
// empty, follows the request from its name to its target, asking at each tier the
// first that can answer. Each answers from the tables its data path uses.
func Explain(at []Explainer, tier spec.Role, q status.Question) ([]status.Answer, error) {
	if tier == "" {
		return explainPath(at, q)
	}
	p := path{at: at, answers: []status.Answer{}}
	p.ask(tier, q)
	return p.answers, p.err()
}

func explainPath(at []Explainer, q status.Question) ([]status.Answer, error) {
	host, port, err := hostPort(q.URL)
	if err != nil {
		return nil, err
	}
	p := path{at: at}
	if addr, err := netip.ParseAddr(host); err == nil {
		q.VIP = netip.AddrPortFrom(addr, port)
	} else if a, ok := p.ask(spec.RoleDNS, q); ok {
		if len(a.Next) == 0 {
			return p.answers, p.err()
		}
		q.VIP = netip.AddrPortFrom(a.Next[0].Addr(), port)
	} else {
		// No zone at hand holds the name. A lone proxy is still asked what it
		// would do with the request at that port.
		q.VIP = netip.AddrPortFrom(netip.Addr{}, port)
	}
	p.askVIP(q)
	q.Seat = q.VIP
	a, atL4 := p.ask(spec.RoleL4, q)
	if atL4 {
		if len(a.Next) == 0 {
			return p.answers, p.err()
		}
		q.Seat = a.Next[0]
	}
	_, atL7 := p.ask(spec.RoleL7, q)
	if len(p.answers) == 0 && len(p.errs) == 0 {
		return nil, fmt.Errorf("nothing here answers for %s: no zone holds %q and no listener has port %d", q.URL, host, port)
	}
	if last := len(p.answers) - 1; last >= 0 && !atL4 && !atL7 {
		text := fmt.Sprintf("no node that was asked has a listener on %s: the path cannot be followed further", q.VIP)
		p.answers[last].Lines = append(p.answers[last].Lines, status.Line{Mark: "-", Text: text})
	}
	return p.answers, p.err()
}

// path gathers the answers on the way.
type path struct {
	at      []Explainer
	answers []status.Answer
	errs    []error
}

func (p *path) err() error { return errors.Join(p.errs...) }

func (p *path) ask(tier spec.Role, q status.Question) (status.Answer, bool) {
	for _, e := range p.at {
		a, ok, err := e.ExplainTier(tier, q)
		p.failed(err)
		if ok {
			p.answers = append(p.answers, a)
			return a, true
		}
	}
	return status.Answer{}, false
}

// failed keeps an error, once: who cannot be asked about one tier cannot about the next.
func (p *path) failed(err error) {
	isSame := func(e error) bool { return e.Error() == err.Error() }
	if err != nil && !slices.ContainsFunc(p.errs, isSame) {
		p.errs = append(p.errs, err)
	}
}

// askVIP adds what the first node says that announces the VIP or, where none does,
// the first that might. It decides nothing about the request: the tiers behind it
// are asked in either case.
func (p *path) askVIP(q status.Question) {
	var first *status.Answer
	for _, e := range p.at {
		a, ok, err := e.ExplainTier(spec.RoleVIP, q)
		p.failed(err)
		if ok && len(a.Next) > 0 {
			p.answers = append(p.answers, a)
			return
		}
		if ok && first == nil {
			first = &a
		}
	}
	if first != nil {
		p.answers = append(p.answers, *first)
	}
}

// ExplainTier answers from one tier of the node.
func (n *Node) ExplainTier(tier spec.Role, q status.Question) (status.Answer, bool, error) {
	var a status.Answer
	var ok bool
	if node, _ := n.want.Load().Node(n.name); !node.Has(tier) {
		return a, false, nil
	}
	switch tier {
	case spec.RoleDNS:
		a, ok = n.dns.Explain(q)
	case spec.RoleL4:
		if a, ok = n.xdp.Explain(q); !ok {
			a, ok = n.l4.Explain(q)
		}
	case spec.RoleL7:
		if n.serves(q.Seat) {
			a, ok = n.l7.Explain(q)
			a.Lines = append(n.unwraps(), a.Lines...)
		}
	case spec.RoleVIP:
		a, ok = n.vip.Explain(q)
	}
	return a, ok, nil
}

// unwraps tells how packets of the l4 tier reach the l7 tier, where it is whole.
func (n *Node) unwraps() []status.Line {
	u := n.decap.Status()
	if u == nil {
		return nil
	}
	text := fmt.Sprintf("packets come whole: unwrapped on %s, from l4 nodes %v", u.Interface, u.From)
	return []status.Line{{Text: text}}
}

// serves reports whether the node's l7 tier listens where a flow would arrive.
func (n *Node) serves(seat netip.AddrPort) bool {
	for _, b := range n.want.Load().L7Binds(n.name) {
		at := b.Address
		if at.Port() == seat.Port() && (!seat.Addr().IsValid() || at.Addr() == seat.Addr() || at.Addr().IsUnspecified()) {
			return true
		}
	}
	return false
}

// hostPort takes the host and port from a URL, with the port of its scheme.
func hostPort(raw string) (host string, port uint16, err error) {
	u, err := url.Parse(raw)
	if err != nil && strings.Contains(raw, "://") {
		return "", 0, err
	}
	if err != nil || u.Host == "" { // 127.0.0.1:80/ without a scheme is no URL for another reason
		return "", 0, fmt.Errorf("%q is not a URL; use https://name/path, http://name/path, tcp://name:port or udp://name:port", raw)
	}
	p := u.Port()
	switch {
	case p != "":
	case u.Scheme == "http":
		p = "80"
	case u.Scheme == "https":
		p = "443"
	}
	number, err := strconv.ParseUint(p, 10, 16)
	if err != nil || number == 0 {
		return "", 0, fmt.Errorf("%q names no port; use, for example, %s://%s:9000", raw, u.Scheme, u.Hostname())
	}
	return u.Hostname(), uint16(number), nil
}
