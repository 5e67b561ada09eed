package bgp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"portico/internal/handover"
	"portico/spec"
	"portico/spec/status"
	"portico/vip/bgp/bfd"
)

// Why sessions end from our side.
var (
	errShutdown = errors.New("this node stops")
	errRestart  = errors.New("this node restarts")
	errRemoved  = errors.New("the spec names the router no more")
)

// Options are what New needs.
type Options struct {
	// Self is the node this is; its routers are read from the spec.
	Self spec.NodeName
	// Outlives reports whether flows to announced VIPs go on by a spec while no process
	// runs; then routers are asked to keep the routes. Nil means that none do.
	Outlives func(want *spec.Spec) bool
	// Log takes changes of state. Nil discards.
	Log *slog.Logger
	// Metrics takes the metrics of the sessions. Nil means none.
	Metrics prometheus.Registerer
}

// Speaker holds the sessions of one node with its routers. Announce and Peers never
// wait for a router; Apply and Close wait for those that are told goodbye, bounded.
type Speaker struct {
	o   Options
	bfd bfd.Endpoint

	// routes is what is announced; nil before the first Announce.
	routes atomic.Pointer[[]Route]

	changing sync.Mutex // held through Apply and Close

	mu      sync.Mutex // guards what follows
	peers   []*peer    // in the order of the spec
	running context.Context
	closed  bool
}

// New returns a speaker without routers.
func New(o Options) *Speaker {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Speaker{o: o}
	if o.Metrics != nil {
		if err := o.Metrics.Register(collector{s}); err != nil {
			o.Log.Error("metrics of bgp not registered", "error", err)
		}
	}
	return s
}

// Apply makes the routers of the spec those that this node speaks to. Sessions with
// routers whose configuration is the same are left alone; a router that the spec
// names no more is told that the routes are gone. Passwords are taken as the spec
// holds them, read already.
func (s *Speaker) Apply(want *spec.Spec) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	configs := s.o.configure(want)
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return errors.New("bgp: the node stops; nothing was applied")
	}
	var next, gone []*peer
	for _, p := range s.peers {
		if !slices.Contains(configs, p.config) {
			gone = append(gone, p)
		}
	}
	for _, c := range configs {
		next = append(next, s.keepOrMake(c))
	}
	s.peers = next
	running := s.running
	s.mu.Unlock()
	for _, p := range gone {
		p.end(errRemoved) // before a new session with the same router
	}
	if running != nil {
		for _, p := range next {
			p.start(running)
		}
	}
	return nil
}

// keepOrMake is the peer of this configuration that there is, or a new one.
func (s *Speaker) keepOrMake(c peerConfig) *peer {
	for _, p := range s.peers {
		if p.config == c {
			return p
		}
	}
	return newPeer(s, c)
}

// Announce makes these routes the ones that routers are told of, and withdraws all
// others. It may be called with the same set as often as one likes: routers hear of
// differences alone. The first call says that the set is whole: until then routers
// keep what they kept over a restart. It fails, and changes nothing, on a route that
// Check would refuse.
func (s *Speaker) Announce(routes []Route) error {
	for _, r := range routes {
		if !r.Prefix.IsValid() {
			return fmt.Errorf("bgp: route %v: no prefix", r.Prefix)
		}
		for _, text := range r.Carries.Communities {
			if _, err := parseCommunity(text); err != nil {
				return fmt.Errorf("bgp: route %v: %w", r.Prefix, err)
			}
		}
	}
	before, known := s.announced()
	if known && slices.EqualFunc(before, routes, Route.same) {
		return nil
	}
	whole := slices.Clone(routes)
	s.routes.Store(&whole)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.peers {
		p.wake()
	}
	return nil
}

// announced is what Announce was last called with; ok tells whether it was.
func (s *Speaker) announced() (routes []Route, ok bool) {
	if r := s.routes.Load(); r != nil {
		return *r, true
	}
	return nil, false
}

// Run holds the sessions until ctx ends, and then closes them as Close does, planned
// where that was for a successor (internal/handover), unless Close was called.
func (s *Speaker) Run(ctx context.Context) error {
	s.mu.Lock()
	s.running = context.WithoutCancel(ctx) // sessions end by Close alone, in its way
	peers := s.peers
	if s.closed {
		peers = nil
	}
	s.mu.Unlock()
	for _, p := range peers {
		p.start(s.running)
	}
	<-ctx.Done()
	s.Close(handover.Asked(ctx))
	return nil
}

// Close ends the sessions for good and waits until that is done, at most a second
// or two. For a planned restart routers are left with all routes: BFD says AdminDown
// and the connections end without a word (RFC 4724). Otherwise the routes are
// withdrawn first, and then the routers are told why. A second call does nothing.
func (s *Speaker) Close(planned bool) {
	why := errShutdown
	if planned {
		why = errRestart
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	s.mu.Lock()
	peers, closed := s.peers, s.closed
	s.closed = true
	s.mu.Unlock()
	if closed {
		return
	}
	var ending sync.WaitGroup
	for _, p := range peers {
		ending.Go(func() { p.end(why) })
	}
	ending.Wait()
}

// Peers says what each router's session is doing, in the order of the spec.
func (s *Speaker) Peers() []status.Peer {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]status.Peer, len(s.peers))
	for i, p := range s.peers {
		list[i] = p.status()
	}
	return list
}

// Told says how many routers were told of the route to an address, of how many; and
// where none was, why.
func (s *Speaker) Told(a netip.Addr) (told, of int, why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.peers {
		knows, reason := p.knows(Prefix(a))
		if knows {
			told++
		} else if why == "" {
			why = "router " + p.config.name + ": " + reason
		}
	}
	switch {
	case told > 0:
		why = ""
	case len(s.peers) == 0:
		why = "the spec names no router for this node"
	}
	return told, len(s.peers), why
}

// Prefix is the host route of an address.
func Prefix(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }
