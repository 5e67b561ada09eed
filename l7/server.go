package l7

import (
	"cmp"
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"portico/internal/bucket"
	"portico/internal/clock"
	"portico/internal/handover"
	"portico/l7/accesslog"
	"portico/l7/kept"
	"portico/l7/loop"
	"portico/l7/loop/engine"
	"portico/l7/sticky"
	"portico/l7/tlsx"
	"portico/l7/transport"
	"portico/spec"
	"portico/spec/status"
	"portico/target"
)

// Groups are the live views of target groups that requests are sent to.
type Groups interface {
	// Group returns the live group, or nil.
	Group(name spec.TargetGroupName) *target.Group
}

// Options are what New needs.
type Options struct {
	// Self is the node this is the l7 tier of.
	Self spec.NodeName
	// Groups are applied before the spec that names them is.
	Groups Groups
	// Dialer opens connections to targets, from the node's own address.
	Dialer loop.Dialer
	// Driver is how sockets are waited for: one of Drivers, or "" for the first
	// that the system has.
	Driver string
	// SegmentMax bounds the segments of clients on an address that is bound without
	// PROXY headers, in bytes; 0 means that nothing does, and so does nil.
	SegmentMax func(vip netip.Addr) int
	// Memory is how many bytes the process may use; 0 means that nothing says.
	Memory int64
	// Log takes what an operator should know; nil discards it.
	Log *slog.Logger
	// AccessLog takes a line for each request; nil discards them.
	AccessLog io.Writer
	// Metrics is where they are registered; nil means nowhere.
	Metrics prometheus.Registerer
}

// Server is the l7 tier of one node. Its methods are safe for use by several
// goroutines.
type Server struct {
	o       Options
	log     *accesslog.Log
	metrics *metrics
	moved   event // sticky sessions
	kept    *kept.Store

	tickets tlsx.Tickets
	ownKey  []byte      // signs sticky cookies where the spec has no key
	ready   atomic.Bool // to take what is new
	leaving atomic.Bool // dns nodes that probe are to look elsewhere

	mu      sync.Mutex // guards what follows
	want    *spec.Spec
	driver  loop.Driver // nil before the first spec
	sockets map[netip.AddrPort]*socket
	vias    transport.Kept
	rates   map[spec.ListenerName]*bucket.Bucket // of listeners that have one
	retired sync.WaitGroup                       // the goroutines that drain removed listeners
	running context.Context
}

// New returns a server that serves nothing yet.
func New(o Options) *Server {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.AccessLog == nil {
		o.AccessLog = io.Discard
	}
	if o.Metrics == nil {
		o.Metrics = prometheus.NewRegistry()
	}
	s := &Server{
		o:       o,
		log:     accesslog.New(o.AccessLog),
		kept:    kept.New(clock.Now()),
		ownKey:  make([]byte, sticky.KeyMin*2),
		want:    &spec.Spec{},
		sockets: map[netip.AddrPort]*socket{},
	}
	s.kept.Pick = s.one
	_, _ = rand.Read(s.ownKey) // never fails
	s.metrics = newMetrics(o.Metrics, s)
	return s
}

// Drivers names the ways to wait for sockets, the best first.
func Drivers() []string { return engine.Drivers() }

// Run serves until ctx ends. Then it is not ready any more, goes on accepting
// until those before it have noticed (see spec.Leave), closes its listeners and
// waits for what is in flight, all within the spec's drain bound; what is left
// then is reset, and all of it at once for a successor (internal/handover). It is
// called once; specs may be applied before and during.
func (s *Server) Run(ctx context.Context) error {
	logged, stopLog := context.WithCancel(context.WithoutCancel(ctx))
	written := make(chan struct{})
	go func() { s.log.Run(logged); close(written) }()

	s.mu.Lock()
	s.running = ctx
	for _, k := range s.sockets {
		k.serve()
	}
	s.mu.Unlock()
	s.ready.Store(true)
	<-ctx.Done()
	s.ready.Store(false)
	s.drain(ctx)

	s.kept.Close()
	stopLog()
	<-written
	return nil
}

// drain ends everything within the drain bound, which begins now.
func (s *Server) drain(ended context.Context) {
	s.mu.Lock()
	bound, leave := s.want.Drain.D(), s.want.Leave(s.o.Self, spec.RoleL7)
	fronted := false
	for _, k := range s.sockets {
		fronted = fronted || len(k.ProxyFrom()) > 0
	}
	s.mu.Unlock()
	if handover.Asked(ended) {
		bound, leave = 0, 0
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ended), max(bound, 0))
	defer cancel()
	if leave > 0 {
		s.leave(ctx, leave, fronted)
	}
	s.mu.Lock()
	for at, k := range s.sockets {
		k.close()
		delete(s.sockets, at)
	}
	s.mu.Unlock()
	if s.driver != nil { // no spec is applied any more
		if err := s.driver.Drain(ctx); err != nil {
			s.o.Log.Warn("drain bound passed", "error", err)
		}
		_ = s.driver.Close()
	}
	s.retired.Wait()
}

// leave serves on for as long as those before may send what is new, and makes
// clients move over. Behind l4 nodes, the probe of a dns node that still comes
// when these have noticed shows that they have no other node to send it to.
func (s *Server) leave(ctx context.Context, leave time.Duration, fronted bool) {
	s.o.Log.Info("leaving", "for", leave, "connections", s.driver.Stats().Clients)
	s.driver.Leave()
	if fronted {
		noticed := min(spec.ReadyTiming().Noticed(), leave)
		pause(ctx, noticed)
		leave -= noticed
	}
	s.leaving.Store(true)
	pause(ctx, leave)
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// stats counts what is open now.
func (s *Server) stats() loop.Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.driver == nil {
		return loop.Stats{}
	}
	return s.driver.Stats()
}

// buffers is how many bytes requests and answers under way may hold.
func (s *Server) buffers() int64 { return cmp.Or(int64(s.want.Buffers), s.o.Memory/2) }

// Buffers reports what requests and answers under way hold.
func (s *Server) Buffers() *status.Buffers {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.driver == nil {
		return nil
	}
	return &status.Buffers{Held: s.driver.Stats().Held, Most: s.buffers()}
}

// Status reports every listener on every address it is bound to.
func (s *Server) Status() []status.Listener {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []status.Listener
	for at, k := range s.sockets {
		for _, l := range k.listeners() {
			list = append(list, status.Listener{
				Name: string(l.name), Tier: spec.RoleL7, Address: at,
				Active: l.active.Load(), Total: l.total.Load(), Failed: l.failed.Load(),
			})
		}
	}
	slices.SortFunc(list, func(a, b status.Listener) int {
		if c := strings.Compare(a.Name, b.Name); c != 0 {
			return c
		}
		return a.Address.Compare(b.Address)
	})
	return list
}
