package engine_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"portico/l7/exchange"
	"portico/l7/h2"
	"portico/l7/loop"
	"portico/spec"
)

// TestLag proves that a loop which is held up says so to the requests that come, and
// is not late any more when it has rested.
func TestLag(t *testing.T) {
	var worst atomic.Int64
	p := newProxy(t, func(p *proxy, _ *loop.Options) {
		p.begin = func(d *exchange.Decision) {
			worst.Store(max(worst.Load(), int64(d.Lag)))
			time.Sleep(20 * time.Millisecond) // what no handler may do
		}
	})
	p.serve(http.HandlerFunc(echo))
	c := client(t)
	for range 30 {
		_ = fetch(t, func() (*http.Response, error) { return c.Get(p.url()) })
	}
	if most := time.Duration(worst.Load()); most < 5*time.Millisecond {
		t.Errorf("a loop that was held up for 20ms again and again said it was %v late", most)
	}
	eventually(t, "the loop has rested", func() bool { return p.driver.Stats().Lag < time.Millisecond })
}

// silent is a poller that tells of clients who connect, and of nothing else: as late as
// one can be.
type silent struct {
	loop.Poller
	accepts loop.Token
}

// Add watches; the first socket is the one that listens.
func (p *silent) Add(fd int, t loop.Token) error {
	if p.accepts == 0 {
		p.accepts = t
	}
	return p.Poller.Add(fd, t)
}

// Wait leaves out what is not to be told.
func (p *silent) Wait(events []loop.Event, block bool, until time.Time) int {
	n := 0
	for _, e := range events[:p.Poller.Wait(events, block, until)] {
		if e.Token == p.accepts {
			events[n] = e
			n++
		}
	}
	return n
}

// TestInTime proves that no timer ends what came in time, however late the loop hears
// of it: a request, that connecting is done, and an answer are found when their time is
// over, and not given up.
func TestInTime(t *testing.T) {
	for _, s := range []speak{{"h1", false, false}, {"h2c", false, true}} {
		t.Run(s.name, func(t *testing.T) {
			const soon = 50 * time.Millisecond
			p := newProxy(t, func(p *proxy, _ *loop.Options) {
				p.poller = func(inner loop.Poller) loop.Poller { return &silent{Poller: inner} }
				p.bounds.HeadTimeout = soon
				if s.h2 {
					p.bounds.HTTP2 = h2.DefaultLimits()
				}
				p.timeouts.Connect, p.timeouts.Response = spec.Duration(soon), spec.Duration(soon)
			})
			p.serve(http.HandlerFunc(echo))
			tr := &http.Transport{Protocols: s.protocols()}
			defer tr.CloseIdleConnections()
			c := &http.Client{Transport: tr, Timeout: 20 * time.Second}
			r, err := c.Get(p.url())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = r.Body.Close() }()
			if r.StatusCode != http.StatusOK {
				t.Errorf("a request that came in time was answered with %d", r.StatusCode)
			}
		})
	}
}
