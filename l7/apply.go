package l7

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"portico/internal/netx"
	"portico/l7/auth"
	"portico/l7/filter"
	"portico/l7/loop"
	"portico/l7/loop/engine"
	"portico/l7/sticky"
	"portico/l7/tlsx"
	"portico/spec"
)

// Check finds what this tier would refuse in a spec: what package config cannot
// see, or what came another way than by a file. Pure.
func (s *Server) Check(want *spec.Spec) []spec.Problem {
	problems := tlsx.Check(want)
	for i := range want.Routes {
		for j := range want.Routes[i].Rules {
			rule := &want.Routes[i].Rules[j]
			if _, err := filter.Compile(rule.Filters, nil); err != nil {
				problems = append(problems, spec.Problemf(spec.At("routes", i, "rules", j, "filters"), "%v", err))
			}
		}
	}
	problems = append(problems, auth.CheckGroups(want)...)
	for i, key := range want.Secrets.Sticky {
		if len(key.Value) < sticky.KeyMin {
			problems = append(problems, spec.Problem{
				Path: spec.At("secrets", "sticky", i),
				What: fmt.Sprintf("the key has %d bytes", len(key.Value)),
				Help: fmt.Sprintf("use at least %d random ones", sticky.KeyMin),
			})
		}
	}
	return problems
}

// Apply makes the spec the one that is served. New sockets are opened first, so
// that on an error nothing has changed. Listeners whose socket stays keep every
// connection; those of removed ones drain up to the spec's bound.
func (s *Server) Apply(want *spec.Spec) error {
	set, problems := tlsx.Parse(want.Certificates)
	if len(problems) > 0 {
		return spec.Problems(problems)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running != nil && s.running.Err() != nil {
		return errStopped
	}
	if s.driver == nil {
		d, err := engine.Open(s.o.Driver, loop.Options{Dialer: s.o.Dialer, Log: s.o.Log})
		if err != nil {
			return err
		}
		s.driver = d
	}
	c := s.newCompiler(want, set)
	next, opened, err := s.plan(want, c)
	if err != nil {
		for _, k := range opened {
			k.close()
		}
		return err
	}
	s.tickets.Use(want.Secrets.Tickets, c.configs())
	s.want, s.vias, s.rates = want, c.vias, c.rates
	s.swap(next)
	c.turn.Commit()
	s.metrics.retain(want)
	s.driver.Retain(c.wanted())
	s.driver.Bound(s.buffers())
	return nil
}

// errStopped is the answer to a spec that comes when Run has ended.
var errStopped = errors.New("the l7 tier has stopped")

// planned is what one socket will serve.
type planned struct {
	k *socket
	b *bound
	// handlers are those the listeners of b will use.
	handlers map[*listener]*handler
}

// plan opens the sockets that are new and compiles what all will serve. What it
// opened is returned even with an error.
func (s *Server) plan(want *spec.Spec, c *compiler) (map[netip.AddrPort]planned, []*socket, error) {
	next := map[netip.AddrPort]planned{}
	var opened []*socket
	probers := want.Probers()
	for _, bind := range want.L7Binds(s.o.Self) {
		if _, twice := next[bind.Address]; twice {
			return nil, opened, fmt.Errorf("listen %s: two listeners want this address", bind.Address)
		}
		k := s.sockets[bind.Address]
		if k == nil {
			tcp := s.tcpOf(&bind)
			o := netx.ListenerOptionsOf(&tcp)
			o.Floating = bind.Floating
			ln, err := s.driver.Listen(context.Background(), bind.Address, o)
			if err != nil {
				return nil, opened, err
			}
			k = &socket{s: s, ln: ln, tcp: tcp}
			opened = append(opened, k)
		}
		p := planned{k: k, b: &bound{bind: bind, live: map[*spec.Listener]*listener{}}, handlers: map[*listener]*handler{}}
		before := map[spec.ListenerName]*listener{}
		for _, l := range k.listeners() {
			before[l.name] = l
		}
		for _, l := range bind.Listeners {
			if p.b.live[l] != nil {
				continue // another address of the same VIP
			}
			live := before[l.Name]
			if live == nil {
				live = &listener{s: s, name: l.Name}
			}
			h, err := c.handler(l)
			if err != nil {
				return nil, opened, fmt.Errorf("listener %q: %w", l.Name, err)
			}
			p.b.live[l] = live
			p.handlers[live] = &handler{listening: h, live: live, probers: probers}
		}
		next[bind.Address] = p
	}
	return next, opened, nil
}

// swap makes the planned state the current one. It cannot fail.
func (s *Server) swap(next map[netip.AddrPort]planned) {
	var gone []*listener
	kept := map[*listener]bool{}
	for at, p := range next {
		for l, h := range p.handlers {
			l.current.Store(h)
			kept[l] = true
		}
		before := p.k.listeners()
		p.k.bound.Store(p.b)
		p.k.tune(s.tcpOf(&p.b.bind))
		for _, l := range before {
			if !kept[l] {
				gone = append(gone, l)
			}
		}
		s.sockets[at] = p.k
		if s.running != nil && s.running.Err() == nil {
			p.k.serve()
		}
	}
	for at, k := range s.sockets {
		if _, stays := next[at]; !stays {
			gone = append(gone, k.listeners()...)
			k.close()
			delete(s.sockets, at)
		}
	}
	s.retire(gone)
}

// retireTick is how often connections of removed listeners are looked at: one
// that was still being greeted is told to end at the next.
const retireTick = 250 * time.Millisecond

// retire drains the connections of listeners that are served no more.
func (s *Server) retire(gone []*listener) {
	if len(gone) == 0 {
		return
	}
	is := map[loop.Listener]bool{}
	for _, l := range gone {
		l.gone.Store(true)
		is[l] = true
	}
	left := func() (n int64) {
		for _, l := range gone {
			n += l.active.Load()
		}
		return n
	}
	retire := func(reset bool) { s.driver.Retire(func(l loop.Listener) bool { return is[l] }, reset) }
	retire(false) // before Apply returns, so that what is answered from then on says so
	ctx, cancel := context.WithTimeout(context.Background(), max(s.want.Drain.D(), 0))
	s.retired.Go(func() {
		defer cancel()
		for left() > 0 && ctx.Err() == nil {
			pause(ctx, retireTick)
			retire(false)
		}
		if n := left(); n > 0 {
			s.o.Log.Warn("drain bound of removed listeners passed", "connections", n)
			retire(true)
		}
	})
}
