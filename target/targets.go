package target

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"portico/spec"
	"portico/spec/status"
)

const (
	// TargetsMax is how many targets a group may have; package balance relates
	// its tables to it.
	TargetsMax = 4096
	// probesMax is how many probes a node has under way at a time, so that
	// targets that hang cannot use up its file descriptors. The rest wait.
	probesMax = 1024
)

// Options are what New needs.
type Options struct {
	// Dial opens connections for probes, from the node's own address.
	Dial func(ctx context.Context, to netip.AddrPort) (net.Conn, error)
	// Log takes one line for each change of a verdict; nil means none.
	Log *slog.Logger
	// Metrics is where the collector is registered; nil means nowhere.
	Metrics prometheus.Registerer
	// OnChange is called after the group's choice of targets changed, because of
	// a verdict or the spec, from the goroutine that changed it; it must not
	// block, nor call Apply. Nil means nobody asks.
	OnChange func(*Group)
}

// Targets holds the live view of every target group a node uses. Its methods may
// be called by several goroutines.
type Targets struct {
	o     Options
	slots chan struct{} // one for each probe under way
	live  atomic.Pointer[groups]

	mu      sync.Mutex      // guards what follows, and the writing of live
	running context.Context // of the probes; nil before Run and after it
	probers sync.WaitGroup
}

// groups is one immutable set of live groups.
type groups struct {
	list   []*Group // in the order they were applied
	byName map[spec.TargetGroupName]*Group
}

// New returns an empty view.
func New(o Options) *Targets {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.OnChange == nil {
		o.OnChange = func(*Group) {}
	}
	t := &Targets{o: o, slots: make(chan struct{}, probesMax)}
	t.live.Store(&groups{})
	if o.Metrics != nil {
		o.Metrics.MustRegister(&collector{targets: t})
	}
	return t
}

// Apply makes the groups the live ones; verdicts, loads and health history of
// targets that stay in their group are kept. On error nothing was changed. The
// caller leaves the groups alone from now on.
func (t *Targets) Apply(want []spec.TargetGroup) error {
	if problems := spec.Problems(t.Check(want)); problems.Fatal() {
		return problems
	}
	t.mu.Lock()
	before := t.live.Load()
	after := &groups{byName: make(map[spec.TargetGroupName]*Group, len(want))}
	var changed []*Group
	for i := range want {
		w := &want[i]
		g := before.byName[w.Name]
		if g == nil {
			g = newGroup(t, w.Name)
		}
		if g.apply(w) {
			changed = append(changed, g)
		}
		after.list = append(after.list, g)
		after.byName[w.Name] = g
	}
	t.live.Store(after)
	for name, g := range before.byName {
		if after.byName[name] == nil {
			g.stop()
		}
	}
	t.mu.Unlock()
	for _, g := range changed {
		t.o.OnChange(g)
	}
	return nil
}

// Run probes until ctx ends, and returns when no probe is left. It is called
// once; groups may be applied before and during.
func (t *Targets) Run(ctx context.Context) error {
	t.mu.Lock()
	t.running = ctx
	for _, g := range t.live.Load().list {
		g.start()
	}
	t.mu.Unlock()
	<-ctx.Done()
	t.mu.Lock()
	t.running = nil // no Apply starts another one
	t.mu.Unlock()
	t.probers.Wait()
	return nil
}

// Group returns the live group, or nil. A group that was removed goes on
// picking as it last did, for whoever still holds it.
func (t *Targets) Group(name spec.TargetGroupName) *Group { return t.live.Load().byName[name] }

// Status reports all groups in the order they were applied.
func (t *Targets) Status() []status.Group {
	live := t.live.Load().list
	list := make([]status.Group, len(live))
	for i, g := range live {
		list[i] = g.Status()
	}
	return list
}
