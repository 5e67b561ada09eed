package decap

import (
	"context"
	"log/slog"
	"net/netip"
	"path/filepath"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"portico/spec"
	"portico/spec/status"
)

// Options are what New needs.
type Options struct {
	// Self is the node.
	Self spec.NodeName
	// State is the folder for the record of what was changed on the machine.
	State string
	// Pins is the folder in a BPF file system for what outlives the process; ""
	// means /sys/fs/bpf/portico/ and the name of the node.
	Pins string
	// Log takes events; slog.Default when nil.
	Log *slog.Logger
	// Metrics takes the collector; nil means that it is not kept.
	Metrics prometheus.Registerer
}

// Decapsulator unwraps packets on one node. Its zero value is not usable.
type Decapsulator struct {
	o Options

	mu      sync.Mutex // guards what follows
	machine machine
	able    bool // the machine showed that it can
	// now is what is in force, when on.
	on  bool
	now plan
	// room is how long a wrapped packet may be.
	room int
}

// New returns a decapsulator that does nothing until Apply.
func New(o Options) *Decapsulator {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Pins == "" {
		o.Pins = filepath.Join("/sys/fs/bpf/portico", string(o.Self))
	}
	d := &Decapsulator{o: o, machine: machine{pins: o.Pins, record: filepath.Join(o.State, "decap-"+string(o.Self)+".json")}}
	if o.Metrics != nil {
		o.Metrics.MustRegister(newCounts(d.counts))
	}
	return d
}

// Check finds what this node cannot do of a spec, by trying it: nothing is
// changed on the machine.
func (d *Decapsulator) Check(want *spec.Spec) []spec.Problem {
	p, ok := planOf(want, d.o.Self)
	if !ok {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, err := d.machine.find(p); err != nil {
		return []spec.Problem{d.problem(want, err)}
	}
	if d.able {
		return nil
	}
	if err := Able(); err != nil {
		return []spec.Problem{d.problem(want, err)}
	}
	d.able = true
	return nil
}

// problem says where in a spec it is asked for what cannot be had.
func (d *Decapsulator) problem(want *spec.Spec, err error) spec.Problem {
	for i := range want.Sites {
		for j := range want.Sites[i].Nodes {
			if want.Sites[i].Nodes[j].Name == d.o.Self {
				return spec.Problem{
					Path: spec.At("sites", i, "l4", "datapath"),
					What: "node " + string(d.o.Self) + " cannot unwrap packets: " + err.Error(),
					Help: "use datapath: relay, which needs nothing of the kernel",
				}
			}
		}
	}
	return spec.Problem{What: err.Error()}
}

// Apply makes the node one that gets whole packets, or not, as the spec says. It
// comes before that of the l7 tier, whose sockets are bound to the VIPs. What a
// killed process left is taken over, or put back.
func (d *Decapsulator) Apply(want *spec.Spec) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	p, ok := planOf(want, d.o.Self)
	if !ok {
		was := d.on
		d.on, d.now = false, plan{}
		if was {
			d.o.Log.Info("unwrapping ended")
		}
		return d.machine.restore()
	}
	device, err := d.machine.find(p)
	if err != nil {
		return err
	}
	if err := d.machine.take(p, device); err != nil {
		return err
	}
	if !d.on {
		d.o.Log.Info("unwrapping", "interface", device.name, "vips", len(p.vips), "nodes", len(p.nodes))
	}
	_, site := want.Node(d.o.Self)
	d.on, d.now, d.room = true, p, device.mtu-overhead(site.L4.Forward, p.address)
	return nil
}

// Run keeps the machine as the spec says until ctx ends, then puts everything
// back. It ends after the l7 tier, whose connections need the VIPs.
func (d *Decapsulator) Run(ctx context.Context) error {
	<-ctx.Done()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.on = false
	return d.machine.restore()
}

// SegmentMax is the most that clients may put into one segment to a VIP, in
// bytes; 0 means that nothing bounds it here.
func (d *Decapsulator) SegmentMax(vip netip.Addr) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.on {
		return 0
	}
	return segmentMax(d.room, vip)
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
