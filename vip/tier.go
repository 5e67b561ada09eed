package vip

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"portico/internal/clock"
	"portico/internal/handover"
	"portico/spec"
	"portico/spec/status"
)

// Announcement is one address that the world is told of.
type Announcement struct {
	Addr netip.Addr
	// Routes is what its routes carry to BGP peers.
	Routes spec.VIPRoutes
	// Last says that every other node is to be preferred.
	Last bool
}

// Way is one way to tell the world of addresses.
type Way interface {
	// Check finds what the way would refuse. Pure.
	Check(want *spec.Spec) []spec.Problem
	// Apply takes what the spec says of the way itself, such as who its peers are.
	Apply(want *spec.Spec) error
	// Run serves until ctx ends; then the world is told of nothing more.
	Run(ctx context.Context) error
	// Announce makes these all that the world is told of. It waits for nobody.
	Announce(set []Announcement) error
	// Seen says whether the world is told of an address now, or why not. The owner
	// is the node that holds an address which only one may; empty where that is not
	// known, or not so.
	Seen(addr netip.Addr) (ok bool, why string, owner spec.NodeName)
	// Peers lists those who are told, where the way knows them.
	Peers() []status.Peer
}

// Holder keeps addresses on the machine, so that packets for them are taken.
type Holder interface {
	Hold(set []netip.Addr) error
	Failed(addr netip.Addr) error
	Run(ctx context.Context)
	Close() error
}

// Options are what New needs.
type Options struct {
	// Self is the node this is.
	Self spec.NodeName
	// Look takes a look at how well its other tiers serve each listener now. Required.
	Look func() Serving
	// Ways carry announcements, by how a VIP is announced. An address whose way is
	// not here is withdrawn.
	Ways map[spec.Announce]Way
	// Holder keeps the addresses that are announced by BGP; ARP holds its own. Nil
	// means that the machine has them already.
	Holder Holder
	// Log takes changes of standing. Nil discards.
	Log *slog.Logger
	// Metrics takes the metrics of the tier. Nil means none.
	Metrics prometheus.Registerer
}

// Tier is the VIP tier of one node.
type Tier struct {
	o       Options
	changed chan struct{}

	mu        sync.Mutex // guards what follows
	addresses []*Address
	states    map[netip.Addr]State
	withdrawn map[netip.Addr]uint64 // how often it was
	leaving   bool
	begun     time.Time     // of the first look
	told      bool          // the ways were told of anything yet
	bound     time.Duration // of leaving, from the spec's drain
}

// New returns a tier that announces nothing yet.
func New(o Options) *Tier {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	t := &Tier{o: o, changed: make(chan struct{}, 1), states: map[netip.Addr]State{}, withdrawn: map[netip.Addr]uint64{}}
	if o.Metrics != nil {
		if err := o.Metrics.Register(collector{t}); err != nil {
			o.Log.Error("metrics of the vip tier not registered", "error", err)
		}
	}
	return t
}

// Check finds what the ways would refuse. Pure.
func (t *Tier) Check(want *spec.Spec) []spec.Problem {
	var problems []spec.Problem
	for _, a := range announces {
		if w := t.o.Ways[a]; w != nil {
			problems = append(problems, w.Check(want)...)
		}
	}
	return problems
}

// announces are the ways there can be, in the order they are asked.
var announces = [...]spec.Announce{spec.AnnounceBGP, spec.AnnounceARP}

// Apply makes the spec's VIPs those that are announced, each as soon as it can be
// served. What stays keeps its standing. On an error the ways have what they had.
func (t *Tier) Apply(want *spec.Spec) error {
	for _, a := range announces {
		if w := t.o.Ways[a]; w != nil {
			if err := w.Apply(want); err != nil {
				return fmt.Errorf("vip: %s: %w", a, err)
			}
		}
	}
	t.mu.Lock()
	t.addresses = Addresses(want, t.o.Self)
	t.bound = max(want.Drain.D(), 0)
	kept := map[netip.Addr]bool{}
	for _, a := range t.addresses {
		kept[a.Addr] = true
	}
	for a := range t.states {
		if !kept[a] {
			delete(t.states, a)
			delete(t.withdrawn, a)
		}
	}
	t.mu.Unlock()
	t.Changed()
	return nil
}

// Changed asks the tier to look at what the node can serve now, as when a verdict
// changed. It does not wait.
func (t *Tier) Changed() {
	select {
	case t.changed <- struct{}{}:
	default: // it will look anyway
	}
}

// lookEvery is how often a tier that has addresses looks by itself: for damping that
// ends, and for what nobody tells it of.
const lookEvery = 250 * time.Millisecond

// Run announces until ctx ends. Then it leaves: routers are asked to prefer others,
// and told no more of the node when they had the time to; only after that it
// returns. The addresses stay on the machine until Release. For a successor
// (internal/handover) it does not leave: each way ends as it does for one.
func (t *Tier) Run(ctx context.Context) error {
	going, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	var ways sync.WaitGroup
	var failures sync.Map // a way, to its error
	for name, w := range t.o.Ways {
		ways.Go(func() {
			if err := w.Run(going); err != nil && !errors.Is(err, context.Canceled) {
				failures.Store(name, fmt.Errorf("vip: %s: %w", name, err))
			}
		})
	}
	if t.o.Holder != nil {
		ways.Go(func() { t.o.Holder.Run(going) })
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		if tick.Reset(lookEvery); !t.look(clock.Now()) {
			tick.Stop()
		}
		select {
		case <-ctx.Done():
		case <-t.changed:
		case <-tick.C:
		}
	}
	if !handover.Asked(ctx) {
		t.leave()
	}
	stop(context.Cause(ctx))
	ways.Wait()
	var err error
	failures.Range(func(_, v any) bool { err = errors.Join(err, v.(error)); return true })
	return err
}

// look judges every address, and tells the ways what is new. It reports whether there
// are any.
func (t *Tier) look(now time.Time) (any bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.o.Holder != nil {
		// What is not held says so by Failed, below.
		_ = t.o.Holder.Hold(t.heldHere())
	}
	if t.begun.IsZero() {
		t.begun = now
	}
	waiting := false
	seen := t.o.Look()
	for _, a := range t.addresses {
		g, why := t.judge(a, seen)
		waiting = waiting || g == Waiting
		t.step(now, a, g, why)
	}
	// Routers may have kept the routes of the process before this one (RFC 4724);
	// the first word replaces them, so it waits until health has spoken.
	if t.told = t.told || !waiting || now.Sub(t.begun) > firstWordMax; t.told {
		t.tell()
	}
	return len(t.addresses) > 0
}

// firstWordMax is shorter than routers keep the routes of a node that restarts.
const firstWordMax = 5 * time.Second

// heldHere lists the addresses that the node holds by itself.
func (t *Tier) heldHere() []netip.Addr {
	var set []netip.Addr
	for _, a := range t.addresses {
		if a.Announce() == spec.AnnounceBGP {
			set = append(set, a.Addr)
		}
	}
	return set
}

// judge is Address.Judge, with what the tier itself needs.
func (t *Tier) judge(a *Address, seen Serving) (Grade, string) {
	if t.o.Ways[a.Announce()] == nil {
		return Unable, fmt.Sprintf("this system cannot announce by %s", a.Announce())
	}
	if t.o.Holder != nil && a.Announce() == spec.AnnounceBGP {
		if err := t.o.Holder.Failed(a.Addr); err != nil {
			return Unable, "the machine does not hold it: " + err.Error()
		}
	}
	return a.Judge(seen)
}

// step moves an address on, and logs when its standing changed. The caller holds
// t.mu.
func (t *Tier) step(now time.Time, a *Address, g Grade, why string) {
	before := t.states[a.Addr]
	next := before.Step(now, g, why, a.open())
	if next.Since.IsZero() {
		next.Since = now
	}
	t.states[a.Addr] = next
	if next.Standing == before.Standing {
		return
	}
	if before.Standing == Announced {
		t.withdrawn[a.Addr]++
	}
	t.o.Log.Info("vip "+next.Standing.String(), "address", a.Addr, "vip", a.VIPs[0].Name, "announce", a.Announce(), "reason", next.Reason)
}

// tell hands each way its announcements. The caller holds t.mu.
func (t *Tier) tell() {
	sets := map[spec.Announce][]Announcement{}
	for _, a := range t.addresses {
		if s := t.states[a.Addr].Standing; s != Withdrawn {
			sets[a.Announce()] = append(sets[a.Announce()], Announcement{Addr: a.Addr, Routes: a.VIPs[0].BGP, Last: s == Last || t.leaving})
		}
	}
	for name, w := range t.o.Ways {
		if err := w.Announce(sets[name]); err != nil {
			t.o.Log.Error("vips not announced as they should be", "announce", name, "error", err)
		}
	}
}

// What a router needs to move what it sends elsewhere: first to prefer another
// node, then to have no route to this one. FRR takes less than 100 ms for each.
const (
	shiftFor  = time.Second
	settleFor = time.Second
)

// leave first asks routers to prefer others (RFC 8326), then withdraws everything.
// It takes no time where nothing is announced, and at most a quarter of the drain
// bound.
func (t *Tier) leave() {
	t.mu.Lock()
	t.leaving = true
	announced := 0
	for _, s := range t.states {
		if s.Standing != Withdrawn {
			announced++
		}
	}
	bound := t.bound
	t.tell()
	t.mu.Unlock()
	if announced == 0 {
		return
	}
	t.o.Log.Info("leaving", "addresses", announced)
	wait(min(shiftFor, bound/8))
	t.mu.Lock()
	for _, a := range t.addresses {
		t.step(clock.Now(), a, Unable, "the node is leaving")
	}
	t.tell()
	t.mu.Unlock()
	wait(min(settleFor, bound/8))
}

func wait(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	<-t.C
}

// Release gives the addresses up that the node held. Call it when nothing uses them
// any more, after Run.
func (t *Tier) Release() error {
	if t.o.Holder == nil {
		return nil
	}
	return t.o.Holder.Close()
}
