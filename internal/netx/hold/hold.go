// Package hold keeps addresses on a network interface for as long as a process
// lives: VIPs, which packets are taken for only where a machine has them.
//
// In come an interface and a set of addresses; the kernel gets each as /32 or /128
// with a lifetime, renewed long before it ends. So a process that was killed, froze
// or lost its interest leaves nothing behind, and one that starts again takes up
// what is there. An address that somebody else put on the machine, which lives for
// ever, is left alone: it serves as well, and is not ours to remove.
//
// Linux only, with CAP_NET_ADMIN; elsewhere every address is refused.
//
// Start reading at Holder.
package hold

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"
)

// Lifetime is how long an address outlives its holder, in whole seconds as the
// kernel counts.
const Lifetime = 30 * time.Second

// renewEvery leaves a process that is held up two more tries.
const renewEvery = Lifetime / 3

// Loopback is the interface that takes packets for an address and answers for it to
// nobody on a link.
const Loopback = "lo"

// Holder keeps a set of addresses on one interface. Its methods may be called from
// several goroutines.
type Holder struct {
	link string
	log  *slog.Logger

	mu   sync.Mutex           // guards what follows
	set  map[netip.Addr]bool  // that Hold was asked for
	held map[netip.Addr]bool  // those of them that are here by this holder
	why  map[netip.Addr]error // of those that could not be held
}

// New returns a holder that holds nothing yet. The log may be nil.
func New(link string, log *slog.Logger) *Holder {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Holder{link: link, log: log, set: map[netip.Addr]bool{}, held: map[netip.Addr]bool{}, why: map[netip.Addr]error{}}
}

// Hold makes these the addresses that are held, and gives up every other. An error
// names those that are not; the others are held all the same.
func (h *Holder) Hold(set []netip.Addr) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	wanted := make(map[netip.Addr]bool, len(set))
	for _, a := range set {
		wanted[a] = true
	}
	for a := range h.set {
		if wanted[a] {
			continue
		}
		delete(h.why, a)
		if h.held[a] {
			h.drop(a)
		}
	}
	for _, a := range set {
		if !h.set[a] {
			h.take(a) // the others are renewed by Run
		}
	}
	h.set = wanted
	return h.failed()
}

// Failed says why an address that Hold was asked for is not there; nil when it is.
func (h *Holder) Failed(a netip.Addr) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.why[a]
}

// Run renews what is held until ctx ends. It gives nothing up: call Close.
func (h *Holder) Run(ctx context.Context) {
	tick := time.NewTicker(renewEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			h.renew()
		}
	}
}

// Close gives every address up.
func (h *Holder) Close() error { return h.Hold(nil) }

func (h *Holder) renew() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for a := range h.set {
		h.take(a)
	}
}

// take puts an address on the interface or renews it; the caller holds h.mu.
func (h *Holder) take(a netip.Addr) {
	foreign, err := put(h.link, a, Lifetime)
	if err != nil {
		if h.why[a] == nil {
			h.log.Warn("address not held", "address", a, "interface", h.link, "error", err)
		}
		h.why[a] = err
		delete(h.held, a)
		return
	}
	delete(h.why, a)
	if !foreign && !h.held[a] {
		h.held[a] = true
		h.log.Info("address held", "address", a, "interface", h.link)
	}
}

// drop takes an address off the interface; the caller holds h.mu.
func (h *Holder) drop(a netip.Addr) {
	delete(h.held, a)
	if err := remove(h.link, a); err != nil {
		h.log.Warn("address not removed, it ends by itself", "address", a, "within", Lifetime, "error", err)
		return
	}
	h.log.Info("address given up", "address", a, "interface", h.link)
}

func (h *Holder) failed() error {
	var all []error
	for a, err := range h.why {
		all = append(all, fmt.Errorf("hold %s on %s: %w", a, h.link, err))
	}
	return errors.Join(all...)
}
