package xdp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cilium/ebpf"
	"github.com/prometheus/client_golang/prometheus"

	"portico/internal/handover"
	"portico/l4"
	"portico/l4/maglev"
	"portico/spec"
	"portico/spec/status"
	"portico/target/balance"
)

// Options are what New needs.
type Options struct {
	// Self is the node this is.
	Self spec.NodeName
	// Groups are the live target groups. Required.
	Groups l4.Groups
	// Tables are the live tables of slots. Required.
	Tables l4.Tables
	// Pins is the folder in a BPF file system for what outlives the process; "" pins
	// nothing.
	Pins string
	// Next is what sees the packets that are not the balancer's, as of a node that
	// unwraps what other balancers sent; nil, and returning nil, means the kernel alone.
	Next func() *ebpf.Program
	// Log takes changes of state; nil discards.
	Log *slog.Logger
	// Metrics takes the metrics; nil means none.
	Metrics prometheus.Registerer
}

// Datapath is the part of the L4 tier that the kernel carries: nothing on a node
// whose site does not say datapath xdp. Its methods may be called by several
// goroutines.
type Datapath struct {
	o       Options
	changed chan struct{} // holds one when tables are to be looked at

	mu  sync.Mutex              // held while the kernel is given something else to do
	now atomic.Pointer[carried] // never nil; stored with mu held, read by anyone
}

// carried is what the kernel does: a value that is not changed. Who looks at it waits
// for no change, of which some take long: the kernel waits for every packet under way.
type carried struct {
	kernel *Kernel    // nil while nothing is carried
	flows  int        // that it was opened for
	want   *spec.Spec // that is applied; nil before the first
	on     uplinks
	// uplinks says of each whether packets are taken from it.
	uplinks []status.Uplink
}

// New returns a datapath that carries nothing until Apply.
func New(o Options) *Datapath {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	d := &Datapath{o: o, changed: make(chan struct{}, 1)}
	d.now.Store(&carried{})
	if o.Metrics != nil {
		o.Metrics.MustRegister(collector{d})
	}
	return d
}

// Check finds what the kernel would be asked for and no kernel can do. Pure: what
// this machine lacks only Apply finds out.
func (d *Datapath) Check(want *spec.Spec) []spec.Problem { return check(want) }

// Apply has the kernel carry the listeners that are its own. What an earlier process
// left in the kernel is taken over, or removed where the spec asks for none of it. On
// an error the spec before still serves; where this machine clearly cannot do it, the
// error is a problem with the place that asks for it.
func (d *Datapath) Apply(want *spec.Spec) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := takes(want, d.o.Self)
	_, site := want.Node(d.o.Self)
	if site == nil || site.L4.Datapath != spec.DatapathXDP || !isL4(want, d.o.Self) {
		return d.leave(want)
	}
	if err := d.put(want, site, all); err != nil {
		return d.problem(want, err)
	}
	return nil
}

func isL4(want *spec.Spec, self spec.NodeName) bool {
	node, _ := want.Node(self)
	return node.Has(spec.RoleL4)
}

// put opens the kernel where it is not open, and makes it do the spec. The caller
// holds d.mu.
func (d *Datapath) put(want *spec.Spec, site *spec.Site, all []taken) error {
	node, _ := want.Node(d.o.Self)
	now := d.now.Load()
	on, err := uplinksOf(node, now.on)
	if err != nil {
		return err
	}
	k := now.kernel
	if k == nil || now.flows != site.L4.Flows {
		if k, err = Open(KernelOptions{Pins: d.o.Pins, Flows: site.L4.Flows, Log: d.o.Log}); err != nil {
			return err
		}
	}
	err = k.Apply(d.plan(site, node, on, all))
	if err == nil && d.o.Next != nil {
		err = k.Next(d.o.Next())
	}
	if err == nil {
		err = d.attach(&carried{kernel: k, flows: site.L4.Flows, want: want, on: on, uplinks: now.uplinks})
	}
	if err != nil {
		d.now.Store(now)
	}
	if k != now.kernel && err != nil {
		return errors.Join(err, k.Close())
	}
	if k == now.kernel || err != nil {
		return err
	}
	d.o.Log.Info("flows are carried in the kernel", "interfaces", strings.Join(on.present(), " "), "listeners", len(all), "adopted", k.Adopted())
	if now.kernel == nil {
		d.Changed() // Run has something to look at
		return nil
	}
	return now.kernel.Close()
}

// plan is what the kernel is to do.
func (d *Datapath) plan(site *spec.Site, node *spec.Node, on uplinks, all []taken) *Plan {
	p := &Plan{NAT: natOf(node), MTU: on.mtu(), NewFlows: site.L4.NewFlows}
	if node.Address.Is4() {
		p.Source4 = node.Address
	} else {
		p.Source6 = node.Address
	}
	for _, t := range all {
		p.Listeners = append(p.Listeners, Listener{
			Name: t.Name, VIPs: t.vips, Proto: t.proto, Forward: t.forward, BySource: t.Source, Table: tableOf(d.o.Tables.Table(t.Name)),
			QUIC: d.quic(t),
		})
		for _, s := range t.Shares {
			g := d.o.Groups.Group(s.Group)
			if g == nil {
				continue
			}
			for _, m := range g.Targets() { // also those that drain: they keep their flows
				to := Target{Address: m.Address()}
				if t.forward == spec.ForwardDSR {
					to.MAC, to.Interface = on.neighbor(m.Address().Addr())
				}
				p.Targets = append(p.Targets, to)
			}
		}
	}
	return p
}

// natOf are the addresses that targets see under NAT.
func natOf(node *spec.Node) []netip.Addr {
	if slices.ContainsFunc(node.NAT, func(a netip.Addr) bool { return a.Is4() == node.Address.Is4() }) {
		return node.NAT
	}
	return append(slices.Clone(node.NAT), node.Address)
}

// quic are the targets that connection ids name and that may go on with what began there.
func (d *Datapath) quic(t taken) map[string]netip.AddrPort {
	ids := map[string]netip.AddrPort{}
	for id, name := range t.QUIC {
		if g := d.o.Groups.Group(name.Group); g != nil && g.Resume(balance.Key(name.Address)) != nil {
			ids[id] = name.Address
		}
	}
	return ids
}

// tableOf is a table as the kernel's plan has it.
func tableOf(t *maglev.Table) *Table {
	if t == nil {
		return nil
	}
	made := &Table{Targets: make([]netip.AddrPort, len(t.Names)), Slots: make([]uint32, len(t.Slots))}
	for i, n := range t.Names {
		made.Targets[i] = n.Address
	}
	for i, s := range t.Slots {
		made.Slots[i] = uint32(s)
	}
	return made
}

// leave takes everything off the kernel. The caller holds d.mu.
func (d *Datapath) leave(want *spec.Spec) error {
	k := d.now.Swap(&carried{want: want}).kernel
	if k == nil {
		return removePins(d.o.Pins)
	}
	err := errors.Join(k.Leave(), k.Close())
	d.o.Log.Info("flows are not carried in the kernel any more")
	return err
}

// problem says where in a spec it is asked for what cannot be had.
func (d *Datapath) problem(want *spec.Spec, err error) error {
	if !errors.Is(err, errors.ErrUnsupported) {
		return fmt.Errorf("l4: %w", err)
	}
	for i := range want.Sites {
		for j := range want.Sites[i].Nodes {
			if want.Sites[i].Nodes[j].Name == d.o.Self {
				return spec.Problems{{
					Path: spec.At("sites", i, "l4.datapath"),
					What: fmt.Sprintf("node %q: %v", d.o.Self, err),
					Help: "or use datapath: auto, which takes what each node can do",
				}}
			}
		}
	}
	return err
}

// Changed has the tables looked at again, after one changed. It does not block.
func (d *Datapath) Changed() {
	select {
	case d.changed <- struct{}{}:
	default:
	}
}

// lookAgain is how often neighbors are looked at: a target on the link may have
// got another MAC address.
const lookAgain = 10 * time.Second

// keepEvery is how soon an uplink that was away is noticed.
const keepEvery = 2 * time.Second

// Run hands the kernel each new table until ctx ends. What is pinned goes on
// forwarding after it, for the next process.
func (d *Datapath) Run(ctx context.Context) error {
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	kept := time.NewTicker(keepEvery)
	defer kept.Stop()
	for rests := false; ; {
		switch carries := d.now.Load().kernel != nil; {
		case carries && rests:
			tick.Reset(lookAgain)
			kept.Reset(keepEvery)
			rests = false
		case !carries && !rests:
			tick.Stop()
			kept.Stop()
			rests = true
		}
		look := d.again
		select {
		case <-ctx.Done():
			d.mu.Lock()
			defer d.mu.Unlock()
			now := d.now.Load()
			if now.kernel == nil {
				return nil
			}
			d.now.Store(&carried{want: now.want})
			var err error
			if !handover.Asked(ctx) {
				err = now.kernel.Next(nil) // who is next ends with us
			}
			return errors.Join(err, now.kernel.Close())
		case <-d.changed:
		case <-tick.C:
		case <-kept.C:
			look = d.keep
		}
		if err := look(); err != nil {
			d.o.Log.Error("the kernel goes on with what it has", "error", err)
		}
	}
}

// again makes the kernel do the same spec by the tables of now.
func (d *Datapath) again() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.now.Load()
	if now.kernel == nil {
		return nil
	}
	node, site := now.want.Node(d.o.Self)
	return now.kernel.Apply(d.plan(site, node, now.on, takes(now.want, d.o.Self)))
}

// Explain says where a flow of the question would go; false when the kernel does
// not carry it.
func (d *Datapath) Explain(q status.Question) (status.Answer, bool) {
	now := d.now.Load()
	want := now.want
	if want == nil {
		return status.Answer{}, false
	}
	decision, lines := l4.Explain(l4.FlowOf(q), l4.NewTable(want, d.o.Self).PlacedBy(d.o.Tables), d.o.Groups)
	if decision.Listener == nil {
		return status.Answer{}, false
	}
	for _, t := range takes(want, d.o.Self) {
		if t.Name != decision.Listener.Name {
			continue
		}
		lines = append(lines, status.Line{Text: fmt.Sprintf("carried in the kernel, forward: %s; a flow that is known stays where it is", t.forward)})
		for _, u := range now.uplinks {
			lines = append(lines, status.Line{Text: fmt.Sprintf("from uplink %s packets are %s", u.Interface, u)})
		}
		a := status.Answer{Tier: spec.RoleL4, Node: d.o.Self, Lines: lines, Result: "the packet is dropped: " + decision.Why.String()}
		if decision.Target != nil {
			a.Result = fmt.Sprintf("%s, target %s of group %q", decision.Target.Address(), decision.Target.Label(), decision.Share.Group)
			a.Next = []netip.AddrPort{decision.Target.Address()}
		}
		return a, true
	}
	return status.Answer{}, false
}
