// Package relay is the portable datapath of tier 2: it accepts each TCP flow,
// connects to the target that l4.Decide chose, and carries bytes both ways
// until both sides are done. One event loop for each core does so; a flow belongs
// to one of them.
//
// What one side does, the other sees: an end ends one direction only, a reset
// becomes a reset, and a flow that Portico itself cuts is reset, never ended as
// if all had been said. On Linux bulk data passes through splice(2) and is never
// copied to the process.
//
// It never looks into the bytes, never retries once a byte may have reached a
// target, and never moves an open flow.
//
// Start reading at Relay, then bind.take, and from there flow.step.
package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"portico/internal/clock"
	"portico/internal/handover"
	"portico/internal/netx"
	"portico/l4"
	"portico/spec"
)

// Options are what New needs.
type Options struct {
	// Self is the node this is; what it binds is read from the spec.
	Self spec.NodeName
	// Groups are the live target groups. Required.
	Groups l4.Groups
	// Tables place the flows of listeners that hash. Nil means that the balances of
	// their groups do.
	Tables l4.Tables
	// Dialer connects to targets. Nil means from whatever address the kernel
	// chooses; a node gives its own.
	Dialer Dialer
	// FlowLog takes a line for each flow that ended, of listeners that ask for it. Nil
	// discards.
	FlowLog io.Writer
	// Log takes changes of state, and failed flows at debug level. Nil discards.
	Log *slog.Logger
	// Metrics takes the metrics of this relay. Nil means none.
	Metrics prometheus.Registerer
}

// Dialer opens connections to targets without waiting for them.
type Dialer interface {
	// Connect begins to connect and returns the socket, non-blocking, which can be
	// written when connecting is done. The caller closes it.
	Connect(to netip.AddrPort, o netx.Options) (fd int, err error)
	// Connected reports how connecting ended, once the socket can be written.
	Connected(fd int, to netip.AddrPort) error
	// ConnectUDP returns a socket, non-blocking, for datagrams to and from an address.
	// The caller closes it.
	ConnectUDP(to netip.AddrPort) (fd int, err error)
}

// Relay is the L4 tier of one node.
type Relay struct {
	o     Options
	state atomic.Pointer[state]
	loops []*loop

	// count is that of open flows, which flowsMax bounds by the process's files.
	count    atomic.Int64
	log      flowLog
	flowsMax int64
	empty    chan struct{} // holds one when the last flow ended

	mu       sync.Mutex // guards what follows; held through Apply
	binds    map[place]*bind
	ending   map[place]*bind // of udp, that left and whose flows go on
	tallies  map[spec.ListenerName]*tally
	running  bool
	draining bool

	// leaving is whose connections are reset while the node leaves; nil before.
	leaving atomic.Pointer[[]netip.Addr]
}

// place is where a bind listens.
type place struct {
	proto   l4.Proto
	address netip.AddrPort
}

// places lists where a table listens.
func places(table *l4.Table) []place {
	var all []place
	for _, a := range table.Addresses() {
		all = append(all, place{l4.TCP, a})
	}
	for _, a := range table.Datagrams() {
		all = append(all, place{l4.UDP, a})
	}
	return all
}

// state is what was last applied.
type state struct {
	table   *l4.Table
	drain   time.Duration // spec.Drain
	leave   time.Duration // spec.Leave
	probers []netip.Addr  // spec.Probers
}

// New returns a relay that serves nothing yet.
func New(o Options) *Relay {
	if o.Dialer == nil {
		o.Dialer = netx.Dialer{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	files := netx.FilesMax()
	r := &Relay{
		o:        o,
		flowsMax: flowsMax(files),
		empty:    make(chan struct{}, 1),
		binds:    map[place]*bind{},
		ending:   map[place]*bind{},
		tallies:  map[spec.ListenerName]*tally{},
	}
	r.log.init(o.FlowLog)
	for i := range runtime.GOMAXPROCS(0) {
		l := &loop{relay: r, at: i, now: clock.Now(), buf: make([]byte, bufferSize), waits: map[waiter]time.Time{}}
		l.pipes.Init(files, runtime.GOMAXPROCS(0))
		r.loops = append(r.loops, l)
	}
	r.state.Store(&state{table: l4.NewTable(&spec.Spec{}, o.Self)})
	if o.Metrics != nil {
		if err := o.Metrics.Register(collector{r}); err != nil {
			o.Log.Error("metrics of the l4 tier not registered", "error", err)
		}
	}
	return r
}

// Each flow takes two files. What is kept back is for listeners, pipes, the
// other roles of the process and whoever wants to see what is going on.
const (
	filesPerFlow = 2
	filesKeptMax = 1024
	flowsHardMax = 1 << 20 // where the number of files is not known
)

func flowsMax(files int) int64 {
	if files == 0 {
		return flowsHardMax
	}
	return int64(min((files-min(files/4, filesKeptMax))/filesPerFlow, flowsHardMax))
}

// Check finds what this tier would refuse. Pure.
func (r *Relay) Check(want *spec.Spec) []spec.Problem { return l4.Check(want) }

// Apply makes the spec the one new flows are decided by. Sockets that stay keep
// their flows and their queue; new ones are opened before anything else is
// touched, so that on an error the old state still serves. Flows whose listener
// or target left may stay for the spec's drain bound.
func (r *Relay) Apply(want *spec.Spec) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.draining || r.leaving.Load() != nil {
		return errors.New("l4: the node is draining; nothing was applied")
	}
	table := l4.NewTable(want, r.o.Self).PlacedBy(r.o.Tables)
	fresh, err := r.openNew(table)
	if err != nil {
		return err
	}
	s := &state{
		table: table, drain: want.Drain.D(),
		leave: want.Leave(r.o.Self, spec.RoleL4), probers: want.Probers(),
	}
	r.state.Store(s)
	r.closeOld(table)
	for at, b := range fresh {
		delete(r.ending, at)
		l := table.Listener(at.proto, at.address)
		b.tcp = l.TCP
		b.serves(l, r.tally(l.Name))
		r.binds[at] = b
		r.o.Log.Info("listener open", "listener", l.Name, "address", at.address)
		if r.running {
			b.serve()
		}
	}
	r.forget(table)
	r.each(func(l *loop) { l.each(func(f carried) { f.applied(s) }) })
	return nil
}

// closeOld closes the sockets that left the table, and tells those that stay
// which listener they serve.
func (r *Relay) closeOld(table *l4.Table) {
	maps.DeleteFunc(r.ending, func(_ place, b *bind) bool { return b.active.Load() == 0 })
	stay := places(table)
	for at, b := range r.binds {
		if slices.Contains(stay, at) {
			l := table.Listener(at.proto, at.address)
			b.serves(l, r.tally(l.Name))
			b.tune(l.TCP)
			continue
		}
		b.close()
		delete(r.binds, at)
		if at.proto == l4.UDP {
			r.ending[at] = b
		}
		r.o.Log.Info("listener closed", "listener", b.tally.Load().name, "address", at.address)
	}
}

// openNew opens the sockets of the table that are not open yet: all, or none.
func (r *Relay) openNew(table *l4.Table) (map[place]*bind, error) {
	fresh := map[place]*bind{}
	for _, at := range places(table) {
		if r.binds[at] != nil {
			continue
		}
		l := table.Listener(at.proto, at.address)
		b, err := r.open(at, l)
		if err != nil {
			for _, b := range fresh {
				b.close()
			}
			return nil, fmt.Errorf("listener %q: %w", l.Name, err)
		}
		fresh[at] = b
	}
	return fresh, nil
}

// open opens the sockets of one place; where flows of udp go on from before it left,
// it is served again.
func (r *Relay) open(at place, l *l4.Listener) (*bind, error) {
	if b := r.ending[at]; b != nil && b.reopen() {
		return b, nil
	}
	o := netx.ListenerOptionsOf(&l.TCP)
	o.Floating = l.Floating
	listen := netx.ListenFDs
	if at.proto == l4.UDP {
		listen = netx.ListenUDP
	}
	fds, err := listen(context.Background(), at.address, len(r.loops), o)
	if err != nil {
		return nil, err
	}
	return newBind(r, at.proto, at.address, fds), nil
}

// Run serves what was applied until ctx ends, then leaves and drains, together for
// no longer than the spec's drain bound; for a successor (internal/handover) it
// resets the flows at once. It is called once.
func (r *Relay) Run(ctx context.Context) error {
	var loops sync.WaitGroup
	if err := r.start(&loops); err != nil {
		return err
	}
	written := r.log.start()
	<-ctx.Done()
	bound := r.state.Load().drain
	if handover.Asked(ctx) {
		bound = 0
	}
	draining, done := context.WithTimeout(context.WithoutCancel(ctx), bound)
	defer done()
	r.leave(draining)
	err := r.Drain(draining)
	for _, l := range r.loops {
		l.post(func() { l.stopped = true })
	}
	loops.Wait()
	r.log.stop()
	<-written
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running = false
	return err
}

// start starts the loops.
func (r *Relay) start(loops *sync.WaitGroup) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, l := range r.loops {
		if err := l.open(); err != nil {
			for _, l := range r.loops[:i] {
				_ = l.poll.Close()
			}
			return fmt.Errorf("l4: event loop: %w", err)
		}
	}
	for _, l := range r.loops {
		loops.Go(l.run)
	}
	r.running = true
	for _, b := range r.binds {
		b.serve()
	}
	return nil
}

// each calls f on every loop, and returns when all have. The caller holds r.mu.
func (r *Relay) each(f func(*loop)) {
	if !r.running {
		for _, l := range r.loops {
			f(l)
		}
		return
	}
	var wg sync.WaitGroup
	wg.Add(len(r.loops))
	for _, l := range r.loops {
		l.post(func() {
			defer wg.Done()
			f(l)
		})
	}
	wg.Wait()
}

// enter counts a flow in, unless there are as many as there may be.
func (r *Relay) enter() bool {
	if r.count.Add(1) > r.flowsMax {
		r.left()
		return false
	}
	return true
}

// left counts a flow out.
func (r *Relay) left() {
	if r.count.Add(-1) == 0 {
		select {
		case r.empty <- struct{}{}:
		default:
		}
	}
}

// isProbe reports whether a client must see that the node leaves.
func (r *Relay) isProbe(client netip.Addr) bool {
	probers := r.leaving.Load()
	return probers != nil && slices.Contains(*probers, client)
}

// leave goes on serving until nobody is sent here any more. The probes of dns
// nodes are reset meanwhile, so that these answer with other sites.
func (r *Relay) leave(ctx context.Context) {
	r.mu.Lock()
	s := r.state.Load()
	leaves := !r.draining && s.leave > 0
	if leaves {
		r.leaving.Store(&s.probers) // nothing is applied from now on
	}
	r.mu.Unlock()
	if !leaves {
		return
	}
	r.o.Log.Info("leaving", "for", s.leave, "flows", r.count.Load())
	t := time.NewTimer(s.leave)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// Drain closes every listener, waits for the flows to end, and resets those that
// are left when ctx ends. After it the relay serves nothing more. Run calls it,
// and it may be called before.
func (r *Relay) Drain(ctx context.Context) error {
	r.mu.Lock()
	if !r.draining {
		r.draining = true
		r.o.Log.Info("draining", "flows", r.count.Load())
	}
	for _, b := range r.binds {
		b.close()
	}
	r.mu.Unlock()

	for r.count.Load() > 0 {
		select {
		case <-r.empty:
			continue // unless flows came since
		case <-ctx.Done():
		}
		r.cut()
	}
	return nil
}

// cut resets the flows that are left.
func (r *Relay) cut() {
	if left := r.count.Load(); left > 0 {
		r.o.Log.Info("drain bound passed, resetting flows", "flows", left)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.each(func(l *loop) { l.each(func(f carried) { f.cut(Drained) }) })
}
