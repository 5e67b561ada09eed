package arp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"portico/internal/agree"
	"portico/spec"
)

// leases is an Owner in memory that can be cut off.
type leases struct {
	mu    sync.Mutex
	start time.Time
	l     agree.Lease
	cut   map[spec.NodeName]bool
}

func (o *leases) Now() time.Duration { return time.Since(o.start) + time.Hour }

func (o *leases) Look(context.Context, string) (agree.Lease, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.l, nil
}

func (o *leases) Acquire(_ context.Context, _ string, self spec.NodeName, term time.Duration) (agree.Lease, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.cut[self]:
		return agree.Lease{}, errors.New("cut off")
	case o.l.Holder != self && o.l.Until > o.Now():
	case o.l.Holder != self:
		o.l = agree.Lease{Holder: self, Epoch: o.l.Epoch + 1, Until: o.Now() + term}
	default:
		o.l.Until = o.Now() + term
	}
	return o.l, nil
}

func (o *leases) Release(_ context.Context, _ string, self spec.NodeName) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.cut[self] {
		return errors.New("cut off")
	}
	if o.l.Holder == self {
		o.l.Until = 0
	}
	return nil
}

// wire is a link whose kernel ends addresses as late as it may.
type wire struct {
	mu    sync.Mutex
	until time.Time // of the address
	stays bool      // it cannot be taken off
	tells int
}

func (w *wire) Put(_ netip.Addr, d time.Duration) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.until = time.Now().Add(d + lateMax)
	return nil
}

func (w *wire) Remove(netip.Addr) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stays {
		return errors.New("no buffer space available")
	}
	w.until = time.Time{}
	return nil
}

func (w *wire) Tell(netip.Addr) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tells++
	return nil
}

func (w *wire) String() string { return "wire" }

func (w *wire) answers() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Before(w.until)
}

// rivals are two nodes that strive for one address.
type rivals struct {
	tb    testing.TB
	owner *leases
	wires []*wire
	keeps []*keeper
	stops []context.CancelFunc
	done  sync.WaitGroup
}

func strive(tb testing.TB) *rivals {
	tb.Helper()
	r := &rivals{tb: tb, owner: &leases{start: time.Now(), cut: map[spec.NodeName]bool{}}}
	for i, name := range []spec.NodeName{"a", "b"} {
		ctx, stop := context.WithCancel(tb.Context())
		w := &wire{}
		k := &keeper{
			a: netip.MustParseAddr("198.51.100.1"), self: name, owner: r.owner, link: w, log: slog.New(slog.DiscardHandler),
			term: Term, rank: i, wanted: true, wake: make(chan struct{}, 1),
		}
		r.wires, r.keeps, r.stops = append(r.wires, w), append(r.keeps, k), append(r.stops, stop)
		r.done.Go(func() { k.run(ctx) })
	}
	return r
}

// who answers now; never both.
func (r *rivals) who() string {
	r.tb.Helper()
	a, b := r.wires[0].answers(), r.wires[1].answers()
	switch {
	case a && b:
		r.tb.Fatal("two nodes answer")
	case a:
		return "a"
	case b:
		return "b"
	}
	return "-"
}

// run watches for a while and says who answered at the end, and how long nobody did.
func (r *rivals) run(d time.Duration) string {
	r.tb.Helper()
	var silent time.Duration
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		synctest.Wait()
		if r.who() == "-" {
			silent += 10 * time.Millisecond
		}
	}
	return fmt.Sprintf("%s %v", r.who(), silent.Round(500*time.Millisecond))
}

func (r *rivals) end() {
	r.tb.Helper()
	for _, stop := range r.stops {
		stop()
	}
	r.done.Wait()
	if r.who() != "-" {
		r.tb.Error("an address is left")
	}
}

// TestLapse proves that a node tries for an address when another's lease ends, and not
// some time after.
func TestLapse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left := 1037 * time.Millisecond
		owner := &leases{start: time.Now(), l: agree.Lease{Holder: "c", Epoch: 1, Until: time.Hour + left}}
		w := &wire{}
		k := &keeper{
			a: netip.MustParseAddr("198.51.100.1"), self: "a", owner: owner, link: w, log: slog.New(slog.DiscardHandler),
			term: Term, wanted: true, wake: make(chan struct{}, 1),
		}
		ctx, stop := context.WithCancel(t.Context())
		var done sync.WaitGroup
		done.Go(func() { k.run(ctx) })
		time.Sleep(left - time.Millisecond)
		synctest.Wait()
		if w.answers() {
			t.Error("it answers before the lease ended")
		}
		time.Sleep(2 * time.Millisecond)
		synctest.Wait()
		if !w.answers() {
			t.Error("it does not answer once the lease ended")
		}
		stop()
		done.Wait()
	})
}

// TestKeeper proves who answers over the life of two nodes, with a kernel that ends
// addresses as late as it may: never both; the first by rank; the other at once when
// the first leaves or should be the last, and after the term when it is cut off; and
// nobody moves back without need.
func TestKeeper(t *testing.T) {
	tests := []struct {
		name string
		do   func(r *rivals)
		want string // who answers after, and how long nobody did
	}{
		{"stays", func(*rivals) {}, "a 0s"},
		{"leaves", func(r *rivals) { r.stops[0]() }, "b 0s"},
		{"is not wanted", func(r *rivals) { r.keeps[0].wish(false, false) }, "b 0s"},
		{"is not wanted, and cannot take it off", func(r *rivals) {
			r.wires[0].mu.Lock()
			r.wires[0].stays = true
			r.wires[0].mu.Unlock()
			r.keeps[0].wish(false, false)
		}, "b 500ms"},
		{"others are preferred", func(r *rivals) { r.keeps[0].wish(true, true) }, "b 0s"},
		{"nobody else is there", func(r *rivals) {
			r.keeps[1].wish(false, false)
			r.keeps[0].wish(true, true)
		}, "a 2s"},
		{"cut off", func(r *rivals) {
			r.owner.mu.Lock()
			r.owner.cut["a"] = true
			r.owner.mu.Unlock()
		}, "b 2.5s"},
		{"comes back", func(r *rivals) {
			r.keeps[0].wish(false, false)
			r.run(time.Second)
			r.keeps[0].wish(true, false)
		}, "b 0s"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := strive(t)
				defer r.end()
				if got := r.run(5 * time.Second); got != "a 0s" {
					t.Fatalf("at the start %s, want a", got)
				}
				if n := r.wires[0].tells; n != len(tellAt) {
					t.Errorf("the link was told %d times, want %d", n, len(tellAt))
				}
				tt.do(r)
				if got := r.run(10 * time.Second); got != tt.want {
					t.Errorf("after: %s, want %s", got, tt.want)
				}
			})
		})
	}
}

// TestAnotherLink proves that an address follows its node to another interface.
func TestAnotherLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before, after := &wire{}, &wire{}
		n := New(Options{Self: "a", Owner: &leases{start: time.Now()}})
		n.link, n.nodes = before, []spec.NodeName{"a"}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- n.Run(ctx) }()
		wish := []Wish{{Addr: netip.MustParseAddr("198.51.100.1")}}
		for i, l := range []*wire{before, after} {
			n.mu.Lock()
			n.link = l // as Apply does
			n.mu.Unlock()
			n.Announce(wish)
			time.Sleep(time.Second)
			synctest.Wait()
			if got := [2]bool{before.answers(), after.answers()}; got != [2]bool{i == 0, i == 1} {
				t.Errorf("by link %d: the first answers: %v, the second: %v", i, got[0], got[1])
			}
		}
		stop()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Run = %v", err)
		}
	})
}
