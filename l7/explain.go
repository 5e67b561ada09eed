package l7

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"portico/internal/clock"
	"portico/l7/exchange"
	"portico/l7/filter"
	"portico/l7/http1"
	"portico/l7/message"
	"portico/l7/sticky"
	"portico/spec"
	"portico/spec/status"
	"portico/target"
	"portico/target/balance"
)

// Explain says what would happen to a request, by the tables and functions that
// requests are served with. It is false when no listener here would get it.
func (s *Server) Explain(q status.Question) (status.Answer, bool) {
	u, err := url.Parse(q.URL)
	if err != nil || u.Host == "" {
		return status.Answer{}, false
	}
	l, vip := s.find(q, u)
	if l == nil {
		return status.Answer{}, false
	}
	e := explainer{h: l.current.Load(), q: q, u: u, vip: vip}
	a := status.Answer{Tier: spec.RoleL7, Node: s.o.Self}
	a.Result = e.run()
	a.Lines, a.Next = e.lines, e.next
	return a, true
}

// find returns the listener that a question's connection would belong to.
func (s *Server) find(q status.Question, u *url.URL) (*listener, netip.AddrPort) {
	port := cmp.Or(q.VIP.Port(), urlPort(u))
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, bind := range s.want.L7Binds(s.o.Self) {
		k := s.sockets[bind.Address]
		if k == nil || bind.Address.Port() != port || q.Seat.Addr().IsValid() && bind.Address != q.Seat {
			continue
		}
		for _, vip := range slices.SortedFunc(maps.Keys(bind.Listeners), netip.Addr.Compare) {
			if want := q.VIP.Addr(); want.IsValid() && want != vip && !vip.IsUnspecified() {
				continue
			}
			if l := k.bound.Load().live[bind.Listeners[vip]]; l != nil {
				return l, netip.AddrPortFrom(vip, port)
			}
		}
	}
	return nil, netip.AddrPort{}
}

func urlPort(u *url.URL) uint16 {
	if n, err := strconv.ParseUint(u.Port(), 10, 16); err == nil {
		return uint16(n)
	}
	if u.Scheme == "https" {
		return 443
	}
	return 80
}

// explainer walks one question through one handler.
type explainer struct {
	h     *handler
	q     status.Question
	u     *url.URL
	vip   netip.AddrPort
	lines []status.Line
	next  []netip.AddrPort
}

func (e *explainer) say(mark string, depth int, format string, args ...any) {
	e.lines = append(e.lines, status.Line{Mark: mark, Depth: depth, Text: fmt.Sprintf(format, args...)})
}

// run returns the outcome in one line.
func (e *explainer) run() string {
	h := e.h
	e.say("+", 0, "listener %q on %s speaks %s", h.spec.Name, e.vip, h.spec.Protocol)
	if e.u.Scheme != string(h.spec.Protocol) {
		return fmt.Sprintf("listener %q speaks %s, not %s", h.spec.Name, h.spec.Protocol, e.u.Scheme)
	}
	if h.spec.Protocol == spec.ProtocolHTTPS {
		e.say("", 1, "%s", h.set.Explain(e.u.Hostname(), h.spec.TLS))
	}
	req, err := e.request()
	if err != nil {
		return fmt.Sprintf("400: %v", err)
	}
	now := clock.Now()
	d := &exchange.Decision{Now: now, At: now, Draw: e.draw(), Client: &message.Client{TLS: req.TLS}}
	st := stateOf(d)
	h.forward(req, d, st)
	if req.Client != req.Peer {
		e.say("", 1, "trusted proxy %s says that the client is %s", req.Peer.Addr(), req.Client.Addr())
	}
	if h.redirect != nil {
		return fmt.Sprintf("redirect: %d to %s", h.redirect.Code, h.redirect.Append(nil, req, filter.Match{HTTPS: st.https}))
	}
	found, ok, lines := h.table.Explain(req)
	for _, l := range lines {
		l.Depth++
		e.lines = append(e.lines, l)
	}
	if !ok {
		return "404: no rule takes the request"
	}
	st.rule = &h.rules[found.Rule.ID]
	for _, text := range st.rule.filters.Explain(req, filter.Match{Prefix: found.Path, HTTPS: st.https, ID: st.id, Now: d.Now}, d) {
		e.say("", 2, "filter %s", text)
	}
	if d.Fixed != nil {
		return e.fixed(d)
	}
	return e.target(req, d, st)
}

// fixed is the outcome where a filter answers.
func (e *explainer) fixed(d *exchange.Decision) string {
	if to := message.Get(d.Fixed.Fields, "location"); to != nil {
		return fmt.Sprintf("redirect: %d to %s", d.Fixed.Status, to)
	}
	return fmt.Sprintf("%d by a filter", d.Fixed.Status)
}

// request makes the request in question, by the codec that reads real ones.
func (e *explainer) request() (*message.Request, error) {
	host := e.u.Host
	var fields strings.Builder
	for _, name := range slices.Sorted(maps.Keys(e.q.Header)) {
		for _, value := range e.q.Header[name] {
			if strings.EqualFold(name, "host") {
				host = value
				continue
			}
			fmt.Fprintf(&fields, "%s: %s\r\n", name, value)
		}
	}
	head := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: %s\r\n%s\r\n",
		cmp.Or(e.q.Method, "GET"), e.u.RequestURI(), host, fields.String())
	req := &message.Request{TLS: e.h.spec.Protocol == spec.ProtocolHTTPS, Local: e.vip}
	from := e.q.From.Unmap()
	if !from.IsValid() {
		from = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	req.Peer = netip.AddrPortFrom(from, e.q.Flow)
	req.Client = req.Peer
	limits := http1.Limits{Head: e.h.bounds.Head, Fields: e.h.bounds.Fields}
	n, err := http1.ParseRequest([]byte(head), &http1.Scanner{}, limits, req)
	if err != nil {
		return nil, err
	}
	if n != len(head) {
		return nil, fmt.Errorf("the request does not end where its head does")
	}
	return req, nil
}

// target explains the choice of target group and target.
func (e *explainer) target(req *message.Request, d *exchange.Decision, st *state) string {
	r := st.rule
	c, resume := e.session(req, d, r)
	if c == nil {
		c = e.weigh(req, r, d)
	}
	if c == nil {
		return "503: no target group of the rule has a weight"
	}
	if c.group == nil {
		return fmt.Sprintf("503: there is no target group %q", c.name)
	}
	t := c.timeouts
	e.say("", 2, "timeouts: connect %v, response %v, body %v, total %v; %d more targets may be tried",
		t.Connect, t.Response, t.Body, t.Total, r.attempts)
	st.choice = c
	q := st.query(req, d)
	if c.key != nil {
		e.say("", 2, "target group %q hashes %s", c.name, c.key.Explain(req))
	}
	chosen, lines := c.group.Explain(q, resume)
	for _, l := range append(lines, e.elsewhere(c)...) {
		l.Depth += 2
		e.lines = append(e.lines, l)
	}
	if chosen == nil && c.group.Mode() != target.ModeNone {
		return fmt.Sprintf("each target of group %q is at its limit: it waits for one, or gets 503 where too many wait", c.name)
	}
	if chosen == nil {
		return fmt.Sprintf("503: target group %q has no target to use", c.name)
	}
	e.next = []netip.AddrPort{chosen.Address()}
	return fmt.Sprintf("%s rules[%d] sends it to target %s of group %q", r.Route.Name, r.Index, chosen.Label(), c.name)
}

// session explains the sticky cookie; the group is nil where it does not decide.
func (e *explainer) session(req *message.Request, d *exchange.Decision, r *rule) (*groupOf, uint64) {
	if r.cookie == nil {
		return nil, 0
	}
	session, verdict := r.cookie.Read(req.Fields, d.Now)
	e.say("", 2, "sticky cookie %q: %s", r.cookie.Name(), verdict)
	if verdict != sticky.Valid {
		return nil, 0
	}
	return r.group(session.Group), session.Target
}

// weigh explains the shares of a rule's target groups, and chooses one as a request
// would.
func (e *explainer) weigh(req *message.Request, r *rule, d *exchange.Decision) *groupOf {
	chosen, how := r.Choose(balance.Mix(d.Draw, 0)), fmt.Sprintf("drawn, as --draw %d would again", e.q.Draw)
	if r.split != nil {
		key, _ := r.split.Of(req, nil)
		chosen, how = r.Keep(key), "the key falls to it"
		e.say("", 2, "target groups are split by %s", r.split.Explain(req))
	}
	if chosen < 0 {
		return nil
	}
	sum := 0
	for _, ref := range r.Spec.TargetGroups {
		sum += ref.Weight
	}
	for i, ref := range r.Spec.TargetGroups {
		if len(r.groups) < 2 {
			break
		}
		text := fmt.Sprintf("target group %q gets %.4g %% of requests", ref.Name, 100*float64(ref.Weight)/float64(sum))
		if i == chosen {
			e.say("+", 2, "%s: %s", text, how)
		} else {
			e.say("-", 2, "%s", text)
		}
	}
	return &r.groups[chosen]
}

// draw is what this answer draws from; a question that names nothing gets a number
// that the answer tells, so that it can be asked again.
func (e *explainer) draw() uint64 {
	for e.q.Draw == 0 {
		e.q.Draw = rand.Uint32()
	}
	return balance.Mix(uint64(e.q.Draw), 0)
}

// elsewhere tells of the targets of a group that only nodes of other sites use.
func (e *explainer) elsewhere(c *groupOf) []status.Line {
	s := e.h.s
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.want.TargetGroups, func(g spec.TargetGroup) bool { return g.Name == c.name })
	_, here := s.want.Node(s.o.Self)
	if i < 0 || here == nil {
		return nil
	}
	return target.Elsewhere(&s.want.TargetGroups[i], here.Name)
}
