package arp

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/zeebo/xxh3"

	"portico/spec"
)

// Options are what New needs.
type Options struct {
	// Self is the node this is; its interface is read from the spec.
	Self spec.NodeName
	// Owner leases addresses to nodes. Required.
	Owner Owner
	// Term of a lease; 0 means Term. The owner's lease may not be shorter.
	Term time.Duration
	// Log takes addresses that come and go. Nil discards.
	Log *slog.Logger
}

// Announcer answers on the link of a node for the addresses it has leases of.
type Announcer struct {
	o Options

	mu      sync.Mutex // guards what follows
	link    link
	nodes   []spec.NodeName // that may have addresses
	keepers map[netip.Addr]*keeper
	running context.Context
	turning sync.WaitGroup // of keepers
}

// New returns an announcer that strives for nothing yet.
func New(o Options) *Announcer {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Term == 0 {
		o.Term = Term
	}
	return &Announcer{o: o, keepers: map[netip.Addr]*keeper{}}
}

// Available reports whether this system can announce on a link at all.
func Available() bool { return available }

// Apply takes the node's interface and the nodes that may have its addresses from
// the spec. It fails where the machine has no such interface.
func (n *Announcer) Apply(want *spec.Spec) error {
	node, site := want.Node(n.o.Self)
	uses := func(v spec.VIP) bool { return v.Announce == spec.AnnounceARP && len(v.Addresses[site.Name]) > 0 }
	if !node.Has(spec.RoleVIP) || !slices.ContainsFunc(want.VIPs, uses) {
		return nil
	}
	l, err := linkOf(node.Interface, node.Address)
	if err != nil {
		return fmt.Errorf("node %q: %w", node.Name, err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.link, n.nodes = l, nil
	for _, other := range site.With(spec.RoleVIP) {
		n.nodes = append(n.nodes, other.Name)
	}
	return nil
}

// Wish is an address that the node could serve.
type Wish struct {
	Addr netip.Addr
	// Last says that every other node is to be preferred.
	Last bool
}

// Announce makes these the addresses that the node strives for, and gives up every
// other. It waits for nobody.
func (n *Announcer) Announce(set []Wish) {
	n.mu.Lock()
	defer n.mu.Unlock()
	wanted := map[netip.Addr]bool{}
	for _, w := range set {
		wanted[w.Addr] = true
		k := n.keepers[w.Addr]
		if k != nil {
			k.use(n.link, rank(w.Addr, n.o.Self, n.nodes)) // a spec may have changed both
		}
		if k == nil && n.link != nil {
			k = &keeper{
				a: w.Addr, self: n.o.Self, owner: n.o.Owner, link: n.link, term: n.o.Term, log: n.o.Log,
				rank: rank(w.Addr, n.o.Self, n.nodes), wake: make(chan struct{}, 1),
			}
			n.keepers[w.Addr] = k
			n.start(k)
		}
		if k != nil {
			k.wish(true, w.Last)
		}
	}
	for a, k := range n.keepers {
		if !wanted[a] {
			k.wish(false, false)
		}
	}
}

// start lets a keeper run, once the announcer does; the caller holds n.mu.
func (n *Announcer) start(k *keeper) {
	if n.running != nil {
		n.turning.Go(func() { k.run(n.running) })
	}
}

// Run strives for what Announce says until ctx ends, then gives everything up.
func (n *Announcer) Run(ctx context.Context) error {
	n.mu.Lock()
	n.running = ctx
	for _, k := range n.keepers {
		n.start(k)
	}
	n.mu.Unlock()
	<-ctx.Done()
	n.turning.Wait()
	return ctx.Err()
}

// Seen says whether the node answers for an address, or why not, and who does.
func (n *Announcer) Seen(a netip.Addr) (ok bool, why string, owner spec.NodeName) {
	n.mu.Lock()
	k := n.keepers[a]
	n.mu.Unlock()
	if k == nil {
		return false, "", ""
	}
	return k.seen()
}

// rank is the place of a node among those that may have an address, by rendezvous:
// alike on all nodes, and spread over them.
func rank(a netip.Addr, self spec.NodeName, nodes []spec.NodeName) int {
	weight := func(n spec.NodeName) uint64 { return xxh3.HashString(a.String() + "@" + string(n)) }
	before := 0
	for _, other := range nodes {
		if other != self && weight(other) > weight(self) {
			before++
		}
	}
	return before
}
