package dns

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

	"portico/dns/zone"
	"portico/spec"
	"portico/spec/status"
)

// Facts is what the server is told of the VIPs.
type Facts interface {
	// VIP says whether a VIP's address at a site answers on its listeners, and
	// why that is thought.
	VIP(vip spec.VIPName, site spec.SiteName, addr netip.Addr) (verdict status.Verdict, reason string)
}

// Options are what a Server is made of.
type Options struct {
	Self    spec.NodeName         // the node whose addresses are listened on
	Facts   Facts                 // nil means that nothing is known of any VIP
	Log     *slog.Logger          // nil means the default one
	Metrics prometheus.Registerer // nil means that none are shown
}

// Server answers queries. It is safe for use by several goroutines.
type Server struct {
	self  spec.NodeName
	facts Facts
	log   *slog.Logger

	table   atomic.Pointer[table]
	changed chan struct{} // holds one element when facts changed

	mu        sync.Mutex // guards what follows, and the making of decisions
	endpoints map[netip.AddrPort]*endpoint
	counters  map[netip.AddrPort]*counters
	answers   map[answerKey]*atomic.Uint64
	drain     spec.Duration
	running   bool
	stopped   bool
}

// New returns a server that serves nothing until Apply and Run.
func New(o Options) *Server {
	s := &Server{
		self: o.Self, facts: o.Facts, log: o.Log,
		changed:   make(chan struct{}, 1),
		endpoints: map[netip.AddrPort]*endpoint{},
		counters:  map[netip.AddrPort]*counters{},
		answers:   map[answerKey]*atomic.Uint64{},
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	s.table.Store(compile(&spec.Spec{}))
	if o.Metrics != nil {
		if err := o.Metrics.Register(newCollector(s)); err != nil {
			s.log.Error("dns metrics are not shown", "error", err)
		}
	}
	return s
}

// Check finds what is wrong with the zones of a spec, and with where the node
// would listen. It changes nothing.
func (s *Server) Check(want *spec.Spec) []spec.Problem {
	problems := zone.Check(want)
	seen := map[netip.AddrPort]string{}
	for i := range want.Sites {
		for j := range want.Sites[i].Nodes {
			n := &want.Sites[i].Nodes[j]
			for k, addr := range n.DNS {
				at := spec.At("sites", i, "nodes", j, "dns", k)
				if addr.Addr().IsUnspecified() {
					problems = append(problems, spec.Problem{
						Path: at, What: fmt.Sprintf("%s is every address, and a reply must come from the one that was asked", addr),
						Help: "list the addresses",
					})
				}
				if by, taken := seen[addr]; taken && addr.Port() != 0 {
					problems = append(problems, spec.Problemf(at, "%s is taken by %s", addr, by))
				}
				seen[addr] = at
			}
		}
	}
	return problems
}

// Apply makes the spec the one that is served: it binds new sockets first, and
// on an error has changed nothing. Sockets of addresses that stay are kept; those
// of addresses that go are closed. A spec that Check found errors in is refused.
func (s *Server) Apply(want *spec.Spec) error {
	if problems := spec.Problems(s.Check(want)); problems.Fatal() {
		return problems
	}
	t := compile(want)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return errors.New("applying a spec: the dns tier has stopped")
	}
	fresh, err := s.bind(want)
	if err != nil {
		return err
	}
	s.swap(t)
	s.drain = want.Drain
	s.listen(wanted(want, s.self), fresh)
	return nil
}

// wanted lists where the node listens.
func wanted(want *spec.Spec, self spec.NodeName) []netip.AddrPort {
	node, _ := want.Node(self)
	if !node.Has(spec.RoleDNS) {
		return nil
	}
	var addrs []netip.AddrPort
	for _, a := range node.DNSListen() {
		addrs = append(addrs, netip.AddrPortFrom(a.Addr().Unmap(), a.Port()))
	}
	return addrs
}

// bind opens the sockets that are not open yet, all or none.
func (s *Server) bind(want *spec.Spec) (fresh []*endpoint, err error) {
	for _, addr := range wanted(want, s.self) {
		if s.endpoints[addr] != nil || slices.ContainsFunc(fresh, func(e *endpoint) bool { return e.want == addr }) {
			continue
		}
		e, err := s.open(addr)
		if err != nil {
			for _, e := range fresh {
				e.close()
			}
			return nil, fmt.Errorf("dns: %w", err)
		}
		fresh = append(fresh, e)
	}
	return fresh, nil
}

// swap makes the decisions of a table and then serves it.
func (s *Server) swap(t *table) {
	s.decide(t)
	s.table.Store(t)
	keep := map[answerKey]bool{}
	for _, d := range t.decisions {
		for _, p := range d.sites {
			keep[answerKey{d.record, p.Name}] = true
		}
	}
	for k := range s.answers {
		if !keep[k] {
			delete(s.answers, k)
		}
	}
}

// listen takes the fresh endpoints in and lets go of those not wanted.
func (s *Server) listen(addrs []netip.AddrPort, fresh []*endpoint) {
	for _, e := range fresh {
		s.endpoints[e.want] = e
		if s.running {
			e.serve()
		}
	}
	for addr, e := range s.endpoints {
		if !slices.Contains(addrs, addr) {
			delete(s.endpoints, addr)
			e.stop(s.grace())
		}
	}
}

// Changed says that facts changed: which sites are used is worked out again,
// soon. It returns at once and may be called at any time.
func (s *Server) Changed() {
	select {
	case s.changed <- struct{}{}:
	default: // already due
	}
}

// Run serves until ctx ends, and then answers what was received of each TCP
// connection, for a bounded time.
func (s *Server) Run(ctx context.Context) error {
	s.mu.Lock()
	if s.running || s.stopped {
		s.mu.Unlock()
		return errors.New("running the dns tier: it ran before")
	}
	s.running = true
	for _, e := range s.endpoints {
		e.serve()
	}
	s.mu.Unlock()
	s.Changed() // whatever came before Run
	for {
		select {
		case <-s.changed:
			s.mu.Lock()
			s.decide(s.table.Load())
			s.mu.Unlock()
		case <-ctx.Done():
			s.shut()
			return nil
		}
	}
}

// shut ends all endpoints at once.
func (s *Server) shut() {
	s.mu.Lock()
	s.running, s.stopped = false, true
	ending, grace := s.endpoints, s.grace()
	s.endpoints = map[netip.AddrPort]*endpoint{}
	s.mu.Unlock()
	for _, e := range ending {
		e.stop(grace)
	}
	for _, e := range ending {
		e.wait()
	}
}

// changesMax is how many changed records are logged one by one when they change
// at once: a VIP may have thousands.
const changesMax = 20

// decide makes every decision of a table under what is known now. The caller
// holds mu.
func (s *Server) decide(t *table) {
	known := s.ask()
	changes := 0
	for _, d := range t.decisions {
		first := d.now.Load() == nil
		if !d.decide(known, s.counter) || len(d.sites) == 0 {
			continue
		}
		if changes++; changes <= changesMax {
			s.logChange(d, first)
		}
	}
	if changes > changesMax {
		s.log.Info("dns answers of more records changed", "records", changes-changesMax)
	}
}

func (s *Server) logChange(d *decision, first bool) {
	out := d.now.Load()
	level := slog.LevelInfo
	switch {
	case out.degraded():
		level = slog.LevelWarn
	case first:
		level = slog.LevelDebug
	}
	s.log.Log(context.Background(), level, "dns answers changed", "record", d.record, "family", d.family(),
		"mode", out.mode, "sites", d.names(out))
}

// ask returns the facts, each asked for once.
func (s *Server) ask() facts {
	type key struct {
		vip  spec.VIPName
		site spec.SiteName
		addr netip.Addr
	}
	type said struct {
		verdict status.Verdict
		reason  string
	}
	asked := map[key]said{}
	return func(vip spec.VIPName, site spec.SiteName, addr netip.Addr) (status.Verdict, string) {
		if s.facts == nil {
			return status.Unknown, "not probed"
		}
		k := key{vip, site, addr}
		a, ok := asked[k]
		if !ok {
			a.verdict, a.reason = s.facts.VIP(vip, site, addr)
			asked[k] = a
		}
		return a.verdict, a.reason
	}
}

// counter is the counter of a record's answers with a site. The caller holds mu.
func (s *Server) counter(record string, site spec.SiteName) *atomic.Uint64 {
	k := answerKey{record, site}
	if s.answers[k] == nil {
		s.answers[k] = new(atomic.Uint64)
	}
	return s.answers[k]
}
