package engine_test

import (
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"portico/l7/loop"
)

// pair is two connected sockets that do not block.
func pair(t *testing.T) (a, b int) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if err := unix.SetNonblock(fd, true); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { _, _ = unix.Close(fds[0]), unix.Close(fds[1]) })
	return fds[0], fds[1]
}

// waitFor waits until a token has been told of all ways to be ready.
func waitFor(t *testing.T, p loop.Poller, token loop.Token, want loop.Ready) {
	t.Helper()
	events := make([]loop.Event, 16)
	var got loop.Ready
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
		for _, e := range events[:p.Wait(events, true, time.Now().Add(time.Second))] {
			if e.Token == token {
				got |= e.Ready
			}
		}
		if got&want == want {
			return
		}
	}
	t.Fatalf("token %d was told of %b, want %b", token, got, want)
}

// TestPoller proves what every Poller promises: a socket is told of each time it
// becomes ready, not while it stays so; a wait ends with its time, or with a wake
// from elsewhere, which is not lost when it comes before.
func TestPoller(t *testing.T) {
	p, err := newPoller()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Close() }()
	a, b := pair(t)
	const token = loop.Token(7)<<32 | 3
	if err := p.Add(a, token); err != nil {
		t.Fatal(err)
	}
	waitFor(t, p, token, loop.Out)
	for range 3 {
		_, _ = unix.Write(b, []byte("x"))
		waitFor(t, p, token, loop.In)
		_, _ = unix.Read(a, make([]byte, 10))
	}

	events := make([]loop.Event, 16)
	// That it can be written may be told anew with whatever else happens to it.
	for until := time.Now().Add(30 * time.Millisecond); time.Now().Before(until); {
		for _, e := range events[:p.Wait(events, true, until)] {
			if e.Ready != loop.Out {
				t.Errorf("a socket that was read empty has the event %b", e.Ready)
			}
		}
	}
	if n := p.Wait(events, false, time.Time{}); n != 0 {
		t.Errorf("Wait() without blocking found %d events", n)
	}

	p.Wake() // before
	p.Wait(events, true, time.Time{})
	go p.Wake() // during
	p.Wait(events, true, time.Time{})

	_ = unix.Shutdown(b, unix.SHUT_WR)
	waitFor(t, p, token, loop.In|loop.Ended)
	p.Remove(a, token)
}

// TestPollerWakeAfterTime proves that a time that has passed once does not keep a
// poller from waiting again.
func TestPollerWakeAfterTime(t *testing.T) {
	p, err := newPoller()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Close() }()
	events := make([]loop.Event, 16)
	var took []time.Duration
	for _, wait := range []time.Duration{40 * time.Millisecond, 20 * time.Millisecond, 60 * time.Millisecond, 20 * time.Millisecond} {
		begun := time.Now()
		for until := begun.Add(wait); time.Now().Before(until); {
			p.Wait(events, true, until)
		}
		took = append(took, time.Since(begun))
	}
	if slices.Max(took) > 10*time.Second {
		t.Errorf("waits of 20 to 60 ms took %v", took)
	}
	woke := make(chan struct{})
	go func() {
		p.Wait(events, true, time.Time{})
		close(woke)
	}()
	p.Wake()
	select {
	case <-woke:
	case <-time.After(10 * time.Second):
		t.Fatal("a wait without a time was not woken")
	}
}
