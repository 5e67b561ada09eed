package decap

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"sync"
	"time"

	"github.com/cilium/ebpf"
	"github.com/prometheus/client_golang/prometheus"

	"portico/internal/clock"
	"portico/internal/handover"
	"portico/spec"
	"portico/spec/status"
)

// Options are what New needs.
type Options struct {
	// Self is the node.
	Self spec.NodeName
	// State is the folder for the record of what was changed on the machine; ""
	// means that only this process knows.
	State string
	// Pins is the folder in a BPF file system for what outlives the process. It is
	// this package's alone, made when it is needed and removed when it is not.
	Pins string
	// Log takes events; slog.Default when nil.
	Log *slog.Logger
	// Metrics takes the collector; nil means that it is not kept.
	Metrics prometheus.Registerer
}

// Decapsulator unwraps packets on one node. Its zero value is not usable.
type Decapsulator struct {
	o       Options
	applied chan struct{} // holds one when there is a spec that Run has not seen
	every   time.Duration // keepEvery, but in tests

	mu      sync.Mutex // guards what follows
	machine machine
	// now is what the spec asks for; nil means nothing.
	now *plan
	// before is what earlier specs asked for. It stays until the drain bound has
	// passed, so that connections to a VIP that leaves, and flows of a node that
	// does, can end.
	before      *plan
	beforeUntil time.Time
	// room is how long a wrapped packet may be; 0 while nothing is unwrapped.
	room int
}

// New returns a decapsulator that does nothing until Apply.
func New(o Options) *Decapsulator {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	d := &Decapsulator{o: o, applied: make(chan struct{}, 1), every: keepEvery, machine: machine{pins: o.Pins}}
	if o.State != "" {
		d.machine.record = filepath.Join(o.State, "decap-"+string(o.Self)+".json")
	}
	if o.Metrics != nil {
		o.Metrics.MustRegister(newCounts(d.counts))
	}
	return d
}

// Check finds nothing: what a machine cannot do only Apply finds out, on it.
func (d *Decapsulator) Check(*spec.Spec) []spec.Problem { return nil }

// problem says where in a spec it is asked for what cannot be had.
func (d *Decapsulator) problem(want *spec.Spec, err error) error {
	for i := range want.Sites {
		for j := range want.Sites[i].Nodes {
			if want.Sites[i].Nodes[j].Name == d.o.Self {
				return spec.Problems{{
					Path: spec.At("sites", i, "l4", "datapath"),
					What: fmt.Sprintf("node %q cannot unwrap packets: %v", d.o.Self, err),
					Help: "or use datapath: relay, which needs nothing of the kernel",
				}}
			}
		}
	}
	return err
}

// Apply makes the node one that gets whole packets, or not, as the spec says. It
// comes before that of the l7 tier, whose sockets are bound to the VIPs. What a
// killed process left is taken over, or put back.
func (d *Decapsulator) Apply(want *spec.Spec) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.before = d.before.and(d.now)
	d.beforeUntil = clock.Now().Add(max(want.Drain.D(), 0))
	was := d.now
	d.now = planOf(want, d.o.Self)
	if (was == nil) != (d.now == nil) {
		d.o.Log.Info("packets of l4 nodes", "unwrapped", d.now != nil)
	}
	select {
	case d.applied <- struct{}{}:
	default: // Run is about to look
	}
	if err := d.keep(); err != nil {
		return d.problem(want, err)
	}
	return nil
}

// keepEvery is how soon what somebody else took away is put in place again.
const keepEvery = 2 * time.Second

// Run keeps the machine as the spec says until ctx ends, then puts everything
// back; for a successor (internal/handover), who reads in State what was changed, it
// leaves all as it is. It is to end after the l7 tier, whose connections need the VIPs.
func (d *Decapsulator) Run(ctx context.Context) error {
	tick := time.NewTicker(d.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			d.mu.Lock()
			defer d.mu.Unlock()
			if handover.Asked(ctx) && d.machine.record != "" {
				return d.machine.close() // the next process knows from the record what is ours
			}
			d.now, d.before = nil, nil
			return d.keep()
		case <-d.applied:
			tick.Reset(d.every)
		case <-tick.C:
			d.mu.Lock()
			err := d.keep()
			nothing := d.now == nil && d.before == nil
			d.mu.Unlock()
			switch {
			case err != nil:
				d.o.Log.Error("unwrapping", "error", err)
			case nothing: // to be put in place again, before another spec
				tick.Stop()
			}
		}
	}
}

// keep makes the machine what it is to be now; the caller holds d.mu.
func (d *Decapsulator) keep() error {
	if clock.Now().After(d.beforeUntil) {
		d.before = nil
	}
	all := d.now.and(d.before)
	if all == nil {
		d.room = 0
		return d.machine.restore()
	}
	on, err := d.machine.find(all)
	if err != nil {
		return err
	}
	d.room = on.mtu - all.overhead
	return d.machine.take(all, on)
}

// SegmentMax is the most that clients may put into one segment to a VIP, in
// bytes; 0 means that nothing bounds it here.
func (d *Decapsulator) SegmentMax(vip netip.Addr) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.room == 0 {
		return 0
	}
	return segmentMax(d.room, vip)
}

// Program is what unwraps packets, where a balancer of this node is on the interface
// and is to hand on what is not its own; nil where none is. It is good until Apply or
// the end of Run.
func (d *Decapsulator) Program() *ebpf.Program {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.machine.next()
}

// counts reads the program's counters.
func (d *Decapsulator) counts() map[string]uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	now, err := d.machine.counts()
	if err != nil {
		d.o.Log.Debug("counters of the program", "error", err)
	}
	return now
}

// Explain answers nothing: which flow a node gets is decided by the l4 tier.
func (d *Decapsulator) Explain(status.Question) (status.Answer, bool) { return status.Answer{}, false }
