package engine_test

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"portico/l7/exchange"
	"portico/l7/exchange/outcome"
	"portico/l7/loop"
)

// TestWake proves that a request which waits goes on when it is woken: at once,
// from within the handler; by another goroutine; and never because of a wake that
// is too late.
func TestWake(t *testing.T) {
	tests := []struct {
		name string
		wake func(d *exchange.Decision, later func(func()))
	}{
		{"within Begin", func(d *exchange.Decision, _ func(func())) { d.Wake() }},
		{"by others, many times", func(d *exchange.Decision, later func(func())) {
			for range 10 {
				later(d.Wake)
			}
		}},
		{"by nobody, but in time", func(d *exchange.Decision, _ func(func())) { d.Until = d.Now.Add(10 * time.Millisecond) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var wakers sync.WaitGroup
			var begun sync.Mutex // an answer over a socket orders nothing for the race detector
			p := newProxy(t, func(p *proxy, _ *loop.Options) {
				p.begin = func(d *exchange.Decision) {
					begun.Lock()
					defer begun.Unlock()
					d.Pending = true
					tt.wake(d, func(f func()) { wakers.Go(f) })
				}
			})
			p.serve(http.HandlerFunc(echo))
			c := client(t)
			for range 50 {
				r := fetch(t, func() (*http.Response, error) {
					return c.Post(p.url(), "text/plain", strings.NewReader("hello"))
				})
				if r.status != 200 || r.text != "POST hello" {
					t.Fatalf("answered %d %q", r.status, r.text)
				}
			}
			begun.Lock()
			wakers.Wait()
			begun.Unlock()
		})
	}
}

// TestWaitGivenUp proves that a driver that closes ends requests that wait, and
// that waking them then is harmless.
func TestWaitGivenUp(t *testing.T) {
	wakes := make(chan func(), 1)
	p := newProxy(t, func(p *proxy, _ *loop.Options) {
		p.begin = func(d *exchange.Decision) {
			d.Pending = true
			wakes <- d.Wake
		}
	})
	p.serve(http.HandlerFunc(echo))
	c := p.dial()
	if _, err := io.WriteString(c, ask); err != nil {
		t.Fatal(err)
	}
	wake := <-wakes
	if err := p.driver.Close(); err != nil {
		t.Fatal(err)
	}
	if r := p.results(); len(r) != 1 || r[0].Why != outcome.Drained {
		t.Errorf("ended %+v", r)
	}
	wake()
}
