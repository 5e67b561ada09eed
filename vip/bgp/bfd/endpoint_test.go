package bfd_test

import (
	"net/netip"
	"sync"
	"testing"
	"time"

	"portico/internal/testkit"
	"portico/vip/bgp/bfd"
)

// bound is against hanging.
const bound = 30 * time.Second

// end is one end of a session, and what it went through.
type end struct {
	*bfd.Watch
	mu    sync.Mutex
	steps []string
}

func watch(t *testing.T, e *bfd.Endpoint, local, remote string) *end {
	t.Helper()
	w := &end{}
	var err error
	w.Watch, err = e.Watch(bfd.Options{
		Settings: bfd.Settings{Interval: 50 * time.Millisecond, Multiplier: 4},
		Local:    netip.MustParseAddr(local), Remote: netip.MustParseAddr(remote),
		Changed: func(s bfd.State, lost bool) {
			w.mu.Lock()
			defer w.mu.Unlock()
			step := s.String()
			if lost {
				step += " lost"
			}
			w.steps = append(w.steps, step)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (e *end) last() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.steps) == 0 {
		return ""
	}
	return e.steps[len(e.steps)-1]
}

func until(t *testing.T, e *end, want string) {
	t.Helper()
	testkit.Poll(t, bound, func() error {
		if got := e.last(); got != want {
			return &unlike{got, want}
		}
		return nil
	})
}

type unlike struct{ got, want string }

func (u *unlike) Error() string { return "state = " + u.got + ", want " + u.want }

// TestEndpoint proves that two ends come up over both families, that an end that
// closes is not lost, and that one that is closed and opened again comes up again.
func TestEndpoint(t *testing.T) {
	testkit.NoLeaks(t)
	var e bfd.Endpoint
	a, b := watch(t, &e, "127.78.0.1", "127.78.0.2"), watch(t, &e, "127.78.0.2", "127.78.0.1")
	other := watch(t, &e, "127.78.0.1", "127.78.0.3") // shares a's socket; nobody answers it
	until(t, a, "up")
	until(t, b, "up")
	if _, err := e.Watch(bfd.Options{Settings: settings, Local: netip.MustParseAddr("127.78.0.1"), Remote: netip.MustParseAddr("127.78.0.2")}); err == nil {
		t.Error("two sessions with one router gave no error")
	}
	b.Close()
	until(t, a, "down")
	b = watch(t, &e, "127.78.0.2", "127.78.0.1")
	until(t, a, "up")
	until(t, b, "up")
	if got := other.State(); got != bfd.Down {
		t.Errorf("state with nobody = %v, want down", got)
	}
	a.Close()
	b.Close()
	other.Close()
}

// TestEndpointIPv6 proves that the hop limit of IPv6 is seen as it was sent.
func TestEndpointIPv6(t *testing.T) {
	testkit.NoLeaks(t)
	var e bfd.Endpoint
	self := watch(t, &e, "::1", "::1") // hears itself, with its own discriminator
	testkit.Poll(t, bound, func() error {
		if got := self.State(); got == bfd.Down {
			return &unlike{got.String(), "another"}
		}
		return nil
	})
	self.Close()
}
