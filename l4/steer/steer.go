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

// Keeper keeps the generations of listeners where a restart finds them, and where the
// nodes of a site find each other's. Its disk may hang: it is asked without a lock, and
// in Run by a goroutine that does nothing else.
type Keeper interface {
	// Load reads what a node has kept under a name, and returns when it was kept: the
	// zero time where nothing was. What was kept at has is not read again.
	Load(of spec.NodeName, name string, has time.Time, into any) (at time.Time, err error)
	// Save replaces what this node keeps under a name, or keeps what was on an error.
	Save(name string, what any) error
	// Here notes that this node runs.
	Here() error
	// Seen is when a node last noted that it ran; the zero time if never.
	Seen(node spec.NodeName) time.Time
}

// Options are what New needs.
type Options struct {
	// Self is the node this is.
	Self spec.NodeName
	// Groups are the live target groups. Required.
	Groups l4.Groups
	// Sockets reports whether flows are held in sockets, so that none depends on a
	// table and no change waits. Apply asks it. Nil means that they are.
	Sockets func() bool
	// Keep keeps generations; nil means that a restart begins anew, and that nothing is
	// known of other nodes.
	Keep Keeper
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
	heard  chan struct{} // holds one when others were listened to
	keep   chan struct{} // holds one when there may be something to keep

	ran    time.Time // when a process before this one last did
	hidden error     // why others are not told that this one runs; of keeping

	mu        sync.Mutex // guards what follows, and the writing of tables; no disk is waited for with it
	listeners map[spec.ListenerName]*listener
	left      map[spec.ListenerName]maglev.Other // listeners that were here, for leftFor
	bound     time.Duration                      // spec.Drain
	sockets   bool                               // as Options.Sockets said
	nodes     []spec.NodeName                    // the other l4 nodes of the site
	seen      map[spec.NodeName]seen
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
	s := &Steer{
		o: o, dirty: make(chan struct{}, 1), heard: make(chan struct{}, 1), keep: make(chan struct{}, 1), sockets: true,
		listeners: map[spec.ListenerName]*listener{}, left: map[spec.ListenerName]maglev.Other{}, seen: map[spec.NodeName]seen{},
	}
	s.tables.Store(&map[spec.ListenerName]*maglev.Table{})
	if o.Keep != nil {
		s.ran = o.Keep.Seen(o.Self)
	}
	if o.Metrics != nil {
		o.Metrics.MustRegister(collector{s})
	}
	return s
}

// Table returns the table of a listener, or nil.
func (s *Steer) Table(name spec.ListenerName) *maglev.Table { return (*s.tables.Load())[name] }

// Apply takes the listeners of a spec, one spec at a time. When it returns, the tables
// are those of the spec and the verdicts, except for what must wait. It waits for the
// disk if listeners begin, but not with s.mu, and for no longer than diskMax.
func (s *Steer) Apply(want *spec.Spec) {
	sockets, nodes := s.o.Sockets(), neighbors(want, s.o.Self)
	var listeners []*l4.Listener
	var begin []spec.ListenerName
	s.mu.Lock()
	for _, l := range l4.NewTable(want, s.o.Self).Listeners() {
		if l.Hashes {
			listeners = append(listeners, l)
			if s.listeners[l.Name] == nil {
				begin = append(begin, l.Name)
			}
		}
	}
	s.mu.Unlock()
	ask := nodes
	if sockets {
		ask = nil // no flow of theirs comes here
	}
	pasts := s.read(begin, ask)

	s.mu.Lock()
	defer s.mu.Unlock()
	s.bound, s.sockets, s.nodes = want.Drain.D(), sockets, nodes
	s.noteAll(pasts.ran)
	stay := map[spec.ListenerName]bool{}
	for _, l := range listeners {
		stay[l.Name] = true
		if s.listeners[l.Name] == nil {
			s.listeners[l.Name] = s.resume(l.Name, pasts.of[l.Name])
		}
		s.listeners[l.Name].shares = l.Shares
	}
	for name := range s.listeners {
		if !stay[name] {
			s.leave(s.listeners[name])
		}
	}
	s.stepAll(true)
	s.Changed(nil) // Run is to keep it, and to know when a window ends
}

// neighbors are the other l4 nodes of a node's site.
func neighbors(want *spec.Spec, self spec.NodeName) (names []spec.NodeName) {
	_, site := want.Node(self)
	if site == nil {
		return nil
	}
	for _, node := range site.With(spec.RoleL4) {
		if node.Name != self {
			names = append(names, node.Name)
		}
	}
	return names
}

// Changed has the tables looked at again, after a group's choice of targets
// changed. It does not block.
func (s *Steer) Changed(*target.Group) { wake(s.dirty) }

// wake has who receives look, once for all that came before.
func wake(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Run follows verdicts and the time until ctx ends, and keeps generations. It is
// called once.
func (s *Steer) Run(ctx context.Context) error {
	ended, kept := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(kept)
		s.keeping(ended)
	}()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		all := false
		select {
		case <-ctx.Done():
			close(ended)
			if !inTime(kept) {
				s.o.Log.Error("generations not kept in time: a restart may begin with older ones", "after", diskMax)
			}
			return nil
		case <-s.dirty:
			all = true
		case <-s.heard:
		case <-timer.C:
		}
		s.mu.Lock()
		next := s.stepAll(all)
		s.mu.Unlock()
		wake(s.keep)
		timer.Reset(next)
	}
}

// lookAgain bounds how long Run waits where no window ends before.
const lookAgain = time.Hour

// stepAll steps every listener, or else those whose window ended while the others learn,
// and says in how long the next window ends. The caller holds s.mu.
func (s *Steer) stepAll(all bool) time.Duration {
	now, next := clock.Now(), lookAgain
	for _, l := range s.listeners {
		switch {
		case all || !l.tooMany && s.due(l, now):
			s.step(l, now)
		case !l.tooMany:
			s.build(l, now, false)
		}
		if !l.state.Until.IsZero() && !l.tooMany { // whose windows nobody ends
			next = min(next, max(l.state.Until.Sub(now), time.Millisecond))
		}
	}
	return next
}

// publish puts a table in place; nil takes it away. The caller holds s.mu.
func (s *Steer) publish(name spec.ListenerName, t *maglev.Table) {
	s.store(name, t)
	s.o.OnChange(name, t)
}

// store is publish for a table by whose slots nothing changes.
func (s *Steer) store(name spec.ListenerName, t *maglev.Table) {
	before := *s.tables.Load()
	after := make(map[spec.ListenerName]*maglev.Table, len(before)+1)
	maps.Copy(after, before)
	if after[name] = t; t == nil {
		delete(after, name)
	}
	s.tables.Store(&after)
}
