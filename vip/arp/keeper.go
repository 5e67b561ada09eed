package arp

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"time"

	"portico/internal/agree"
	"portico/spec"
)

// link is an interface that addresses are put on.
type link interface {
	// Put gives it the address for a lifetime of whole seconds from now on.
	Put(a netip.Addr, lifetime time.Duration) error
	Remove(a netip.Addr) error
	// Tell lets everybody on the link know where the address is.
	Tell(a netip.Addr) error
	String() string
}

// The times of an owner hang together: an address that is renewed when the lease
// has at least fence left is gone before the lease ends, whatever the process does.
const (
	// lifetime of an address, the shortest that the kernel has.
	lifetime = time.Second
	// lateMax is how much longer than its lifetime the kernel may keep an address:
	// it rounds and batches. Measured 0.6 s at most on an idle machine.
	lateMax = 1500 * time.Millisecond
	fence   = lifetime + lateMax
	// Term of a lease: how long the others wait when a node falls silent. What it has
	// above the fence is how long a renewal may be held up.
	Term = 2900 * time.Millisecond
	// renewEvery leaves an address two tries before the kernel, which may be 0.25 s
	// early, ends it.
	renewEvery = 300 * time.Millisecond
	// turnEvery is how often a node that waits looks whether an address is free, and
	// how much longer each next one leaves it to the one before.
	turnEvery = 100 * time.Millisecond
	// yieldFor is how long a node that should be the last leaves an address that is
	// free to others.
	yieldFor = 2 * time.Second
	// yieldAgain is how long it then keeps it, until it offers it again.
	yieldAgain = 30 * time.Second
)

// tellAt is when a link is told of an address that came, after it did: several
// times, as frames get lost and switches learn.
var tellAt = [...]time.Duration{0, 100 * time.Millisecond, 500 * time.Millisecond, time.Second, 3 * time.Second}

// keeper strives for one address and answers for it.
type keeper struct {
	a     netip.Addr
	self  spec.NodeName
	owner Owner
	link  link
	log   *slog.Logger
	term  time.Duration

	wake chan struct{}

	mu     sync.Mutex // guards what follows
	wanted bool
	last   bool // others are to be preferred
	rank   int  // of this node among those that may have the address; 0 is first

	holding bool
	lease   agree.Lease   // as last seen
	since   time.Duration // of holding, on the owner's clock
	free    time.Duration // since when it is seen to be free; 0 when it is not
	told    int           // of tellAt
	err     error         // of the last turn
}

// name is that of the address's lease.
func (k *keeper) name() string { return strings.ReplaceAll(k.a.String(), ":", "-") }

// run takes turns until ctx ends, then gives the address up.
func (k *keeper) run(ctx context.Context) {
	next := time.NewTimer(0)
	defer next.Stop()
	for ctx.Err() == nil {
		k.turn(ctx)
		next.Reset(k.rest())
		select {
		case <-ctx.Done():
		case <-k.wake:
		case <-next.C:
		}
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.giveUp(last, "the node leaves")
}

// turn is one step: keep what is held, try for what is free.
func (k *keeper) turn(ctx context.Context) {
	asked, cancel := context.WithTimeout(ctx, renewEvery)
	defer cancel()
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.owner.Now()
	switch {
	case !k.wanted:
		k.giveUp(asked, "it is not announced here")
	case k.holding && k.last && now-k.since > yieldAgain:
		k.giveUp(asked, "others are preferred")
		k.free = k.owner.Now()
	case k.holding:
		if now-k.lease.Until+k.term >= renewEvery {
			k.renew(asked)
		}
		k.tell()
	case k.free > 0 && now-k.free >= k.patience() || k.lookFree(asked) && k.patience() == 0:
		k.renew(asked)
	}
}

// rest is how long the next turn may wait: no longer than until another's lease ends.
func (k *keeper) rest() time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	left := k.lease.Until - k.owner.Now()
	if k.holding || left <= 0 {
		return turnEvery
	}
	return min(left, turnEvery)
}

// patience is how long the node leaves an address that is free to better ones.
func (k *keeper) patience() time.Duration {
	d := time.Duration(min(k.rank, 10)) * turnEvery
	if k.lease.Epoch == 0 {
		d *= 10 // nobody had it yet, and the first may be starting
	}
	if k.last {
		d += yieldFor
	}
	return d
}

// lookFree reports whether nobody has the lease, and notes since when.
func (k *keeper) lookFree(ctx context.Context) bool {
	lease, err := k.owner.Look(ctx, k.name())
	if k.err = err; err != nil {
		k.free = 0
		return false
	}
	k.lease = lease
	now := k.owner.Now()
	switch {
	case lease.Until > now && lease.Holder != k.self:
		k.free = 0
		return false
	case k.free == 0:
		k.free = now
	}
	return true
}

// renew takes or prolongs the lease, and the address with it.
func (k *keeper) renew(ctx context.Context) {
	lease, err := k.owner.Acquire(ctx, k.name(), k.self, k.term)
	if k.err = err; err == nil {
		k.lease = lease
	}
	if k.lease.Holder != k.self {
		k.free = 0
		k.let(fmt.Sprintf("node %s has the lease", k.lease.Holder))
		return
	}
	if k.lease.Until-k.owner.Now() < fence {
		k.let("the lease cannot be renewed")
		return
	}
	if err := k.link.Put(k.a, lifetime); err != nil {
		k.err = err
		k.let("the address cannot be held")
		return
	}
	if k.lease.Until-k.owner.Now() < fence {
		// The process was held up between the look at the clock and the call.
		k.let("the lease was overtaken")
		return
	}
	if !k.holding {
		k.holding, k.since, k.free, k.told = true, k.owner.Now(), 0, 0
		k.log.Info("address taken", "address", k.a, "interface", k.link.String(), "epoch", k.lease.Epoch)
		k.tell()
	}
}

// tell announces the address when it is time to.
func (k *keeper) tell() {
	if !k.holding || k.told == len(tellAt) || k.owner.Now()-k.since < tellAt[k.told] || k.lease.Until-k.owner.Now() < fence {
		return
	}
	k.told++
	if err := k.link.Tell(k.a); err != nil {
		k.log.Warn("link not told", "address", k.a, "error", err)
	}
}

// let takes the address off, and leaves the lease to end by itself. It reports whether
// the address is gone.
func (k *keeper) let(why string) (gone bool) {
	// Also where it is not held: a process before this one may have left it.
	err := k.link.Remove(k.a)
	if err != nil {
		k.err = err
	}
	if k.holding {
		k.log.Info("address left", "address", k.a, "interface", k.link.String(), "reason", why, "error", k.err)
	}
	k.holding = false
	return err == nil
}

// giveUp takes the address off and lets others have it at once, unless it is still on:
// then the kernel ends it before the lease ends.
func (k *keeper) giveUp(ctx context.Context, why string) {
	if !k.holding || !k.let(why) {
		return
	}
	if k.err = k.owner.Release(ctx, k.name(), k.self); k.err == nil {
		k.lease.Until = 0
	}
}

// wish says whether the node wants the address, and whether others are to be
// preferred.
func (k *keeper) wish(wanted, last bool) {
	k.mu.Lock()
	changed := k.wanted != wanted || k.last != last
	k.wanted = wanted
	if last && !k.last {
		k.since = -yieldAgain // it is offered to others at once
	}
	k.last = last
	k.mu.Unlock()
	if changed {
		select {
		case k.wake <- struct{}{}:
		default: // it is about to look
		}
	}
}

// use says by which link the node has the address now, and its rank among those that
// may. On another link it is told of anew; the lease is the node's all the while.
func (k *keeper) use(l link, rank int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.rank = rank
	if k.link == l {
		return
	}
	if k.holding {
		k.let("the node has another interface for it")
	}
	k.link = l
}

// seen says who holds the address.
func (k *keeper) seen() (here bool, why string, owner spec.NodeName) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.holding:
		return true, "", k.self
	case k.err != nil:
		return false, k.err.Error(), ""
	case k.lease.Holder != "" && k.lease.Holder != k.self && k.lease.Until > k.owner.Now():
		return false, fmt.Sprintf("node %s holds it", k.lease.Holder), k.lease.Holder
	}
	return false, "waits to take it over", ""
}
