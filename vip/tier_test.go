package vip_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"portico/internal/handover"
	"portico/spec"
	"portico/spec/status"
	"portico/vip"
)

// way is a way that remembers what it was told, and when.
type way struct {
	mu    sync.Mutex
	start time.Time
	told  []string
	deaf  bool  // nobody hears it
	ended error // what its context ended for
}

func (w *way) Check(*spec.Spec) []spec.Problem { return nil }
func (w *way) Apply(*spec.Spec) error          { return nil }

func (w *way) Run(ctx context.Context) error {
	<-ctx.Done()
	w.ended = context.Cause(ctx)
	return ctx.Err()
}

func (w *way) Announce(set []vip.Announcement) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	var words []string
	for _, a := range set {
		word := a.Addr.String()
		if a.Last {
			word += " last"
		}
		words = append(words, word)
	}
	line := fmt.Sprintf("%s", words)
	if n := len(w.told); n == 0 || !strings.HasSuffix(w.told[n-1], " "+line) {
		w.told = append(w.told, fmt.Sprintf("%v %s", time.Since(w.start).Round(100*time.Millisecond), line))
	}
	return nil
}

func (w *way) Seen(netip.Addr) (bool, string, spec.NodeName) {
	if w.deaf {
		return false, "no session with any router", ""
	}
	return true, "", ""
}

func (w *way) Peers() []status.Peer { return []status.Peer{{Address: "10.0.0.254"}} }

// health grades every listener alike, and can be changed while it is asked.
type health struct {
	mu sync.Mutex
	g  vip.Grade
}

func (h *health) set(g vip.Grade) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.g = g
}

func (h *health) look() vip.Serving { return h }

func (h *health) Serves(*spec.Listener, netip.AddrPort) (vip.Grade, string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.g, "as told"
}

// holder keeps addresses nowhere.
type holder struct {
	mu   sync.Mutex
	held []netip.Addr
	err  error
}

func (h *holder) Hold(set []netip.Addr) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.held = set
	return h.err
}
func (h *holder) Failed(netip.Addr) error { return h.err }
func (h *holder) Run(ctx context.Context) { <-ctx.Done() }
func (h *holder) Close() error            { return h.Hold(nil) }

// one is a spec whose only VIP that is announced has one address.
func one() *spec.Spec {
	s := site()
	s.VIPs, s.Drain = s.VIPs[:1], spec.Duration(30*time.Second)
	s.VIPs[0].Addresses["east"] = []netip.Addr{addr("198.51.100.1")}
	return s
}

// TestRun proves what a way is told over the life of a node: nothing until the
// node can serve, then the address, nothing while it cannot, and at the end first
// that others are preferred, then nothing, before Run returns.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, h, held := &way{start: time.Now()}, &health{g: vip.Waiting}, &holder{}
		tier := vip.New(vip.Options{Self: "edge", Look: h.look, Ways: map[spec.Announce]vip.Way{spec.AnnounceBGP: w}, Holder: held})
		if err := tier.Apply(one()); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- tier.Run(ctx) }()
		after := func(d time.Duration, g vip.Grade) {
			time.Sleep(d)
			h.set(g)
			tier.Changed()
			synctest.Wait()
		}
		after(time.Second, vip.Able)
		after(time.Second, vip.Failing)
		after(time.Second, vip.Unable)
		after(time.Second, vip.Able) // it comes back a second later, by damping
		time.Sleep(2 * time.Second)
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		want := []string{
			"1s [198.51.100.1]", "2s [198.51.100.1 last]", "3s []", "5s [198.51.100.1]",
			"6s [198.51.100.1 last]", "7s []",
		}
		if !slices.Equal(w.told, want) {
			t.Errorf("told %q,\nwant %q", w.told, want)
		}
		if since := time.Since(w.start); since != 8*time.Second {
			t.Errorf("Run returned after %v, want a second after the routes were withdrawn at 7 s", since)
		}
		if len(held.held) != 1 {
			t.Errorf("the machine holds %v when Run returned, want the address until Release", held.held)
		}
		if err := tier.Release(); err != nil || len(held.held) != 0 {
			t.Errorf("after Release: %v, %v", held.held, err)
		}
	})
}

// TestWake proves that a tier without addresses rests, and is awake again with each
// spec that gives it one: it then notices by itself what nobody tells it of.
func TestWake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, h := &way{start: time.Now()}, &health{g: vip.Able}
		var looks atomic.Int64
		look := func() vip.Serving {
			looks.Add(1)
			return h
		}
		tier := vip.New(vip.Options{Self: "edge", Look: look, Ways: map[spec.Announce]vip.Way{spec.AnnounceBGP: w}})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- tier.Run(ctx) }()
		apply := func(want *spec.Spec) {
			if err := tier.Apply(want); err != nil {
				t.Error(err)
			}
		}
		for range 2 {
			synctest.Wait()
			before := looks.Load()
			time.Sleep(time.Minute)
			if more := looks.Load() - before; more != 0 {
				t.Errorf("%d looks in a minute without an address, want none", more)
			}
			h.set(vip.Able)
			apply(one())
			time.Sleep(10*time.Second + 100*time.Millisecond)
			h.set(vip.Failing) // and no word of it
			time.Sleep(time.Second)
			apply(&spec.Spec{})
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		want := []string{
			"0s []", "1m0s [198.51.100.1]", "1m10.3s [198.51.100.1 last]", "1m11.1s []",
			"2m11.1s [198.51.100.1]", "2m21.4s [198.51.100.1 last]", "2m22.2s []",
		}
		if !slices.Equal(w.told, want) {
			t.Errorf("told %q,\nwant %q", w.told, want)
		}
	})
}

// TestLeaveNothing proves that a node that announces nothing leaves at once.
func TestLeaveNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tier := vip.New(vip.Options{Self: "names", Look: (&health{}).look})
		if err := tier.Apply(one()); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		ctx, stop := context.WithCancel(t.Context())
		stop()
		if err := tier.Run(ctx); err != nil || time.Since(start) > 0 {
			t.Errorf("Run took %v, error %v; want neither", time.Since(start), err)
		}
	})
}

// TestHandOver proves that a node that ends for a successor tells the world nothing,
// is done at once, and leaves the addresses on the machine.
func TestHandOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, h, held := &way{start: time.Now()}, &health{g: vip.Able}, &holder{}
		tier := vip.New(vip.Options{Self: "edge", Look: h.look, Ways: map[spec.Announce]vip.Way{spec.AnnounceBGP: w}, Holder: held})
		if err := tier.Apply(one()); err != nil {
			t.Fatal(err)
		}
		ctx, end := context.WithCancelCause(t.Context())
		done := make(chan error)
		go func() { done <- tier.Run(ctx) }()
		time.Sleep(time.Second)
		end(handover.Err)
		if err := <-done; err != nil {
			t.Error(err)
		}
		if want := []string{"0s [198.51.100.1]"}; !slices.Equal(w.told, want) || !errors.Is(w.ended, handover.Err) {
			t.Errorf("told %q, ended by %v; want %q and that the way knows why", w.told, w.ended, want)
		}
		if took := time.Since(w.start); took != time.Second || len(held.held) != 1 {
			t.Errorf("after %v the machine holds %v, want the address, at once", took, held.held)
		}
	})
}

// TestSeen proves what status and explain say of an address: what was decided, and
// what the way made of it.
func TestSeen(t *testing.T) {
	tests := []struct {
		name   string
		ways   bool
		deaf   bool
		held   error
		g      vip.Grade
		ok     bool
		reason string
		result string
	}{
		{"served", true, false, nil, vip.Able, true, "every listener is served", "198.51.100.1 is announced by bgp"},
		{"no router", true, true, nil, vip.Able, false, "no session with any router", "198.51.100.1 is not announced: no session with any router"},
		{"not served", true, false, nil, vip.Unable, false, "listener web: as told", "198.51.100.1 is not announced: listener web: as told"},
		{"last choice", true, false, nil, vip.Failing, true, "listener web: as told; as the last choice, for want of a node that is known to be better", "198.51.100.1 is announced by bgp as the last choice: listener web: as told; as the last choice, for want of a node that is known to be better"},
		{"not held", true, false, errors.New("operation not permitted"), vip.Able, false, "the machine does not hold it: operation not permitted", "198.51.100.1 is not announced: the machine does not hold it: operation not permitted"},
		{"no way", false, false, nil, vip.Able, false, "this system cannot announce by bgp", "198.51.100.1 is not announced: this system cannot announce by bgp"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := vip.Options{Self: "edge", Look: (&health{g: tt.g}).look, Holder: &holder{err: tt.held}}
				if tt.ways {
					o.Ways = map[spec.Announce]vip.Way{spec.AnnounceBGP: &way{deaf: tt.deaf}}
				}
				tier := vip.New(o)
				if err := tier.Apply(one()); err != nil {
					t.Fatal(err)
				}
				ctx, stop := context.WithCancel(t.Context())
				done := make(chan error)
				go func() { done <- tier.Run(ctx) }()
				synctest.Wait()
				if s := tier.Status(); len(s) != 1 || s[0].Announced != tt.ok || s[0].Reason != tt.reason {
					t.Errorf("Status = %+v, want %v, %q", s, tt.ok, tt.reason)
				}
				a, ok := tier.Explain(status.Question{VIP: netip.MustParseAddrPort("198.51.100.1:80")})
				if !ok || a.Result != tt.result || (len(a.Next) > 0) != tt.ok {
					t.Errorf("Explain = %+v, want %q", a, tt.result)
				}
				stop()
				if err := <-done; err != nil {
					t.Error(err)
				}
			})
		})
	}
}
