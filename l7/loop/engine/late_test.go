package engine_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"portico/l7/exchange"
	"portico/l7/loop"
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
