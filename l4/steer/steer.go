package steer

import (
	"context"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"portico/internal/clock"
	"portico/l4"
	"portico/l4/maglev"
	"portico/spec"
	"portico/target"
)

// Options are what New needs.
type Options struct {
	// Self is the node this is.
	Self spec.NodeName
	// Groups are the live target groups. Required.
	Groups l4.Groups
	// Sockets reports whether flows are held in sockets, so that none depends on a
	// table and no change waits. Nil means that they are.
	Sockets func() bool
	// Store is where generations are agreed on and kept; nil means that this node decides
	// for itself, and a restart begins anew. It is asked only while flows depend on tables.
	Store Store
	// OnChange is called with each new table, and with nil when a listener has none
	// any more, one call at a time. It must not block for long. Nil means nobody asks.
	OnChange func(spec.ListenerName, *maglev.Table)
	// Log takes one line for each new generation; nil discards.
	Log *slog.Logger
	// Metrics takes the metrics; nil means none.
	Metrics prometheus.Registerer
}

// Steer holds the tables of a node. Its methods may be called by several goroutines.
type Steer struct {
	o      Options
	tables atomic.Pointer[map[spec.ListenerName]*maglev.Table]
	dirty  chan struct{} // holds one when there is something to look at

	mu        sync.Mutex // guards what follows, and the writing of tables
	listeners map[spec.ListenerName]*listener
	bound     time.Duration // spec.Drain
	site      spec.SiteName // of this node
	alone     bool          // the store has failed for Term
}

// New returns a Steer without listeners.
func New(o Options) *Steer {
	if o.Sockets == nil {
		o.Sockets = func() bool { return true }
	}
	if o.OnChange == nil {
		o.OnChange = func(spec.ListenerName, *maglev.Table) {}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Steer{o: o, dirty: make(chan struct{}, 1), listeners: map[spec.ListenerName]*listener{}}
	s.tables.Store(&map[spec.ListenerName]*maglev.Table{})
	if o.Metrics != nil {
		o.Metrics.MustRegister(collector{s})
	}
	return s
}

// Table returns the table of a listener, or nil.
func (s *Steer) Table(name spec.ListenerName) *maglev.Table { return (*s.tables.Load())[name] }

// Apply takes the listeners of a spec. When it returns, the tables are those of the
// spec and the verdicts, except for what must wait and what another node decides.
func (s *Steer) Apply(want *spec.Spec) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bound = want.Drain.D()
	if _, site := want.Node(s.o.Self); site != nil {
		s.site = site.Name
	}
	stay := map[spec.ListenerName]bool{}
	for _, l := range l4.NewTable(want, s.o.Self).Listeners() {
		if !l.Hashes {
			continue
		}
		stay[l.Name] = true
		if s.listeners[l.Name] == nil {
			s.listeners[l.Name] = &listener{name: l.Name}
		}
		s.listeners[l.Name].shares = l.Shares
	}
	for name, l := range s.listeners {
		if !stay[name] {
			s.release(l)
			delete(s.listeners, name)
			s.publish(name, nil)
		}
	}
	s.lookAll(true)
}

// Changed has the tables looked at again, after a group's choice of targets
// changed. It does not block.
func (s *Steer) Changed(*target.Group) {
	select {
	case s.dirty <- struct{}{}:
	default:
	}
}

// Run follows verdicts, the store and the time until ctx ends, and then lets another
// node decide. It is called once.
func (s *Steer) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		asked := false
		select {
		case <-ctx.Done():
			s.mu.Lock()
			defer s.mu.Unlock()
			for _, l := range s.listeners {
				s.release(l)
			}
			return nil
		case <-s.dirty:
			asked = true
		case <-timer.C:
		}
		s.mu.Lock()
		next := s.lookAll(asked)
		s.mu.Unlock()
		timer.Reset(next)
	}
}

// lookAgain bounds how long Run waits where no window ends before.
const lookAgain = time.Hour

// lookAll sees to every listener, and says in how long the next look is due. The
// caller holds s.mu.
func (s *Steer) lookAll(asked bool) time.Duration {
	now, next := clock.Now(), lookAgain
	var failing *listener
	for _, l := range s.listeners {
		s.look(l, now, asked)
		if !l.state.Until.IsZero() {
			next = min(next, max(l.state.Until.Sub(now), time.Millisecond))
		}
		if l.key != "" {
			next = min(next, PollEvery)
		}
		if l.alone(now) {
			failing = l
		}
	}
	switch {
	case failing != nil && !s.alone:
		s.o.Log.Error("generations are not shared: this node decides for itself", "listener", failing.name, "error", failing.err)
	case failing == nil && s.alone:
		s.o.Log.Info("generations are shared again")
	}
	s.alone = failing != nil
	return next
}

// publish puts a table in place; nil takes it away. The caller holds s.mu.
func (s *Steer) publish(name spec.ListenerName, t *maglev.Table) {
	before := *s.tables.Load()
	after := make(map[spec.ListenerName]*maglev.Table, len(before)+1)
	maps.Copy(after, before)
	if after[name] = t; t == nil {
		delete(after, name)
	}
	s.tables.Store(&after)
	s.o.OnChange(name, t)
}
