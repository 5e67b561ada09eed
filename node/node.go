package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"portico/dns"
	"portico/internal/clock"
	"portico/internal/handover"
	"portico/internal/memlimit"
	"portico/internal/netx"
	"portico/internal/netx/hold"
	"portico/l4/relay"
	"portico/l4/steer"
	"portico/l4/xdp"
	"portico/l4/xdp/decap"
	"portico/l7"
	"portico/l7/tlsx"
	"portico/spec"
	"portico/spec/check"
	"portico/spec/status"
	"portico/target"
	"portico/vip"
	"portico/vip/pool"
)

// Options are what New needs.
type Options struct {
	// Name is who this node is in the spec.
	Name spec.NodeName
	// Log takes events; slog.Default when nil.
	Log *slog.Logger
	// Driver is how the l7 tier waits for sockets: one of Drivers; "" means the
	// first of them that the system has.
	Driver string
	// AccessLog takes one line a request and, where listeners ask for it, a flow; nil
	// means none.
	AccessLog io.Writer
	// Metrics takes the collectors of every tier; nil means that they are not kept.
	Metrics prometheus.Registerer
	// Datapath is what carries flows of l4 nodes, as far as this node is concerned;
	// "" means what the spec says.
	Datapath spec.Datapath
	// State is the folder for what a later process must know; "" means that nothing
	// is kept.
	State string
	// Pins is the folder in a BPF file system for programs that outlive the process;
	// "" means /sys/fs/bpf/portico and in it the node's name.
	Pins string
}

// Drivers names the ways the l7 tier can wait for sockets, the best first.
func Drivers() []string { return l7.Drivers() }

// tier is the face every tier has.
type tier interface {
	Check(want *spec.Spec) []spec.Problem
	Apply(want *spec.Spec) error
	Run(ctx context.Context) error
	Explain(q status.Question) (status.Answer, bool)
}

var (
	_ tier = (*dns.Server)(nil)
	_ tier = (*relay.Relay)(nil)
	_ tier = (*l7.Server)(nil)
	_ tier = (*vip.Tier)(nil)
	_ tier = (*decap.Decapsulator)(nil)
	_ tier = (*xdp.Datapath)(nil)
)

// Node runs the tiers of one node.
type Node struct {
	name    spec.NodeName
	log     *slog.Logger
	targets *target.Targets
	dns     *dns.Server
	steer   *steer.Steer
	l4      *relay.Relay
	l7      *l7.Server
	vip     *vip.Tier
	decap   *decap.Decapsulator
	xdp     *xdp.Datapath
	dialer  atomic.Pointer[netx.Dialer]

	datapath   spec.Datapath // that it was run with, if any
	started    time.Time
	generation atomic.Uint64
	want       atomic.Pointer[spec.Spec] // with the addresses of pools
	pools      atomic.Pointer[pool.Held] // what they gave
	kept       steer.Keeper              // nil where nothing is kept
	state      atomic.Value              // of string
	apply      sync.Mutex                // one Apply at a time
}

// New returns a node that serves nothing until Apply.
func New(o Options) *Node {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Metrics == nil {
		o.Metrics = prometheus.NewRegistry()
	}
	if o.Pins == "" {
		o.Pins = filepath.Join("/sys/fs/bpf/portico", string(o.Name))
	}
	n := &Node{name: o.Name, datapath: o.Datapath, log: o.Log.With("node", o.Name), started: clock.Now()}
	n.kept = n.keeper(o.State)
	n.recall()
	n.state.Store("starting")
	n.want.Store(&spec.Spec{})
	n.dialer.Store(&netx.Dialer{})
	n.targets = target.New(target.Options{Dial: n.dial, Log: n.log, Metrics: o.Metrics, OnChange: n.changed})
	n.dns = dns.New(dns.Options{Self: o.Name, Facts: facts{n.targets, n.want.Load}, Log: n.log, Metrics: o.Metrics})
	n.steer = steer.New(steer.Options{
		Self: o.Name, Groups: n.targets, Sockets: n.inSockets, Keep: n.kept, OnChange: n.placed, Log: n.log, Metrics: o.Metrics,
	})
	n.decap = decap.New(decap.Options{
		Self: o.Name, State: o.State, Pins: filepath.Join(o.Pins, "l7"), Log: n.log, Metrics: o.Metrics,
	})
	n.xdp = xdp.New(xdp.Options{
		Self: o.Name, Groups: n.targets, Tables: n.steer, Next: n.decap.Program, Pins: filepath.Join(o.Pins, "l4"), Log: n.log, Metrics: o.Metrics,
	})
	n.l4 = relay.New(relay.Options{Self: o.Name, Groups: n.targets, Tables: n.steer, Dialer: dialer{n}, FlowLog: o.AccessLog, Log: n.log, Metrics: o.Metrics})
	n.l7 = l7.New(l7.Options{
		Self: o.Name, Groups: n.targets, Dialer: dialer{n}, Driver: o.Driver, SegmentMax: n.decap.SegmentMax,
		Memory: memlimit.Of(), Log: n.log, AccessLog: o.AccessLog, Metrics: o.Metrics,
	})
	n.vip = vip.New(vip.Options{
		Self: o.Name, Look: n.look, Ways: n.ways(&o), Holder: hold.New(hold.Loopback, n.log), Log: n.log, Metrics: o.Metrics,
	})
	return n
}

// Name is who the node is.
func (n *Node) Name() spec.NodeName { return n.name }

// Check finds everything the node would refuse in a spec. It changes nothing.
func (n *Node) Check(want *spec.Spec) spec.Problems {
	filled, _, problems := n.fill(n.here(want))
	return append(problems, n.checkWhole(filled)...)
}

// checkWhole is Check for a spec with the addresses of pools.
func (n *Node) checkWhole(want *spec.Spec) spec.Problems {
	problems := spec.Problems(check.Spec(want))
	if node, _ := want.Node(n.name); node == nil {
		problems = append(problems, noSuchNode(want, n.name))
	}
	if problems.Fatal() {
		return problems // the tiers may rely on references that hold
	}
	problems = append(problems, check.Expiry(want, clock.Now())...)
	problems = append(problems, tlsx.Expired(want, clock.Now())...)
	problems = append(problems, kernel(want)...)
	problems = append(problems, n.targets.Check(groups(want, n.name))...)
	for _, t := range n.tiers() {
		problems = append(problems, t.Check(want)...)
	}
	return problems
}

// Apply makes the spec the one that is served, whole or not at all: when it
// returns an error, the spec before it still serves. Problems are returned as
// spec.Problems; other errors say what could not be done, such as a listen
// address that is taken. A node that drains keeps the spec it has.
func (n *Node) Apply(want *spec.Spec) error {
	n.apply.Lock()
	defer n.apply.Unlock()
	if state := n.state.Load(); state == "draining" || state == "stopped" {
		return fmt.Errorf("the node is %s: it takes no other spec", state)
	}
	want, held, problems := n.fill(n.here(want))
	if problems = append(problems, n.checkWhole(want)...); problems.Fatal() {
		return problems
	}
	before := n.want.Load()
	now, next := groups(before, n.name), groups(want, n.name)
	if err := n.applyAll(want, leaving(now, begun(now, next))); err != nil {
		if undo := n.applyAll(before, now); undo != nil {
			n.log.Error("spec before the failed one could not be restored whole", "error", undo)
		}
		return err
	}
	if err := n.targets.Apply(next); err != nil {
		n.log.Error("targets that left are still watched", "error", err)
	}
	n.remember(held)
	n.log.Info("spec applied", "generation", n.generation.Add(1))
	return nil
}

// applyAll hands the spec to the tiers from the end of the path to its start, so
// that nothing is sent where nobody listens yet.
func (n *Node) applyAll(want *spec.Spec, watched []spec.TargetGroup) error {
	if node, _ := want.Node(n.name); node != nil {
		n.dialer.Store(&netx.Dialer{Source: node.Address})
	}
	n.want.Store(want)
	if err := n.targets.Apply(watched); err != nil {
		return fmt.Errorf("target groups: %w", err)
	}
	n.steer.Apply(want)
	for _, t := range n.tiers() {
		if err := t.Apply(want); err != nil {
			return err
		}
	}
	return nil
}

// tiers lists the tiers from the end of the path to its start. What clients'
// packets need on the way to the l7 tier's sockets is there before these.
func (n *Node) tiers() []tier {
	return []tier{n.decap, n.l7, n.xdp, relayed{n.l4, n.name}, n.vip, n.dns}
}

// changed is told of every verdict that changed.
func (n *Node) changed(g *target.Group) {
	n.dns.Changed()
	n.vip.Changed()
	n.steer.Changed(g)
}

// Run serves until ctx ends. Then the vip tier withdraws what it announces, so that
// routers send nothing new here, and the l7 and l4 tiers leave and drain, both at
// once: connections that idle at the l7 tier are what the flows of the l4 tier
// wait for. Until they are done, packets are unwrapped, VIPs are held, and the dns
// tier answers, so that clients learn from it where else to go. Health checks go on
// until the last tier is done.
//
// For a successor (internal/handover) none of that is waited for: routers are left
// with their routes where they keep them, sockets are reset, and what is in the
// kernel stays for the next process.
func (n *Node) Run(ctx context.Context) error {
	answering, stopAnswering := context.WithCancelCause(context.WithoutCancel(ctx))
	probing, stopProbing := context.WithCancelCause(context.WithoutCancel(ctx))
	serving, stopServing := context.WithCancelCause(context.WithoutCancel(ctx))
	unwrapping, stopUnwrapping := context.WithCancelCause(context.WithoutCancel(ctx))
	n.state.Store("serving")
	stop := context.AfterFunc(ctx, func() { n.state.Store("draining") })
	defer stop()

	announced, served := make(chan error, 1), make(chan error, 2)
	unwrapped, answered, probed := make(chan error, 1), make(chan error, 1), make(chan error, 3)
	go func() { announced <- n.vip.Run(ctx) }()
	go func() { served <- n.l7.Run(serving) }()
	go func() { served <- n.l4.Run(serving) }()
	go func() { unwrapped <- n.decap.Run(unwrapping) }()
	go func() { answered <- n.dns.Run(answering) }()
	go func() { probed <- n.targets.Run(probing) }()
	go func() { probed <- n.steer.Run(probing) }()
	go func() { probed <- n.xdp.Run(probing) }()

	err := <-announced
	why := context.Cause(ctx)
	if handover.Asked(ctx) {
		n.handOver()
	}
	stopServing(why)
	err = errors.Join(err, <-served, <-served)
	if !handover.Asked(ctx) {
		err = errors.Join(err, n.vip.Release())
	}
	stopUnwrapping(why)
	err = errors.Join(err, <-unwrapped)
	stopAnswering(why)
	err = errors.Join(err, <-answered)
	stopProbing(why)
	err = errors.Join(err, <-probed, <-probed, <-probed)
	n.state.Store("stopped")
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// handOver says what a successor finds, and what ends before it.
func (n *Node) handOver() {
	open := int64(0)
	for _, l := range append(n.l4.Status(), n.l7.Status()...) {
		open += l.Active
	}
	n.log.Info("handing over: what the kernel carries stays", "listeners", len(xdp.Takes(n.want.Load(), n.name)))
	if open > 0 {
		n.log.Warn("flows and connections in sockets end with this process", "open", open)
	}
}

// Cut makes the drain that follows the end of Run's context wait for nothing,
// so that every socket is reset at once, as when a machine loses its power.
func (n *Node) Cut() {
	n.apply.Lock()
	defer n.apply.Unlock()
	want := *n.want.Load()
	want.Drain = 1
	if err := n.applyAll(&want, groups(&want, n.name)); err != nil {
		n.log.Error("cut", "error", err)
	}
}
