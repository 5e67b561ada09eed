package engine_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"portico/l7/exchange/outcome"
	"portico/l7/loop"
)

// TestRefusedByTarget proves that a request that a target did not look at, by
// REFUSED_STREAM or by a GOAWAY before it, is sent again whatever its method while
// all of it is here, that one which the target may have looked at is not, and that a
// target which says goodbye still answers what it took.
func TestRefusedByTarget(t *testing.T) {
	refuse := func(c *peer, f *http2.MetaHeadersFrame) { _ = c.WriteRSTStream(f.StreamID, http2.ErrCodeRefusedStream) }
	goAway := func(c *peer, f *http2.MetaHeadersFrame) { _ = c.WriteGoAway(f.StreamID-1, http2.ErrCodeNo, nil) }
	fail := func(c *peer, f *http2.MetaHeadersFrame) { _ = c.WriteRSTStream(f.StreamID, http2.ErrCodeInternal) }
	leave := func(c *peer, f *http2.MetaHeadersFrame) {
		_ = c.WriteGoAway(f.StreamID, http2.ErrCodeNo, nil)
		c.head(f.StreamID, true, ":status", "200", "n", "0")
	}
	tests := []struct {
		name   string
		method string
		first  func(c *peer, f *http2.MetaHeadersFrame) // to the first request that bears a mark
		want   string                                   // the status, and which connection's
		tries  int
	}{
		{"refused", "GET", refuse, "200 1", 2},
		{"refused, not idempotent", "DELETE-ONCE", refuse, "200 1", 2},
		{"goodbye before it", "POST", goAway, "200 1", 2},
		{"goodbye after it", "POST", leave, "200 0", 1},
		{"looked at", "POST", fail, "502 ", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newProxy(t, nil)
			var mu sync.Mutex
			tries := 0
			p.frames(func(n int, c *peer) {
				for {
					f, ok := c.next().(*http2.MetaHeadersFrame)
					if !ok {
						return
					}
					if f.PseudoValue("path") == "/marked" {
						mu.Lock()
						tries++
						first := tries == 1
						mu.Unlock()
						if first {
							tt.first(c, f)
							continue
						}
					}
					c.head(f.StreamID, true, ":status", "200", "n", fmt.Sprint(n))
				}
			})
			c := client(t)
			ask := func(path string) string {
				t.Helper()
				req, _ := http.NewRequestWithContext(t.Context(), tt.method, p.url()+path, nil)
				r, err := c.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				_ = r.Body.Close()
				return fmt.Sprint(r.StatusCode, " ", r.Header.Get("N"))
			}
			if got := ask("/"); got != "200 0" {
				t.Fatalf("the first request: %s", got)
			}
			if got := ask("/marked"); got != tt.want || tries != tt.tries {
				t.Errorf("%s after %d tries, want %s after %d", got, tries, tt.want, tt.tries)
			}
			if got := ask("/"); !strings.HasPrefix(got, "200") {
				t.Errorf("the next request: %s", got)
			}
		})
	}
}

// TestTargetPing proves that a target that is silent while it has requests is asked
// whether it lives: one that says so is waited for, one that does not is given up.
func TestTargetPing(t *testing.T) {
	p := newProxy(t, func(_ *proxy, o *loop.Options) { o.PingAfter = 300 * time.Millisecond }) // in which the one that lives has to answer
	p.frames(func(n int, c *peer) {
		var asked uint32
		for pings := 0; ; {
			switch f := c.next().(type) {
			case *http2.MetaHeadersFrame:
				asked = f.StreamID
			case *http2.PingFrame:
				if n > 0 {
					continue // it is as good as dead
				}
				if pings++; pings == 3 {
					c.head(asked, true, ":status", "200")
					_ = c.WriteGoAway(asked, http2.ErrCodeNo, nil)
				}
				_ = c.WritePing(true, f.Data)
			case nil:
				return
			}
		}
	})
	c := client(t)
	if r := fetch(t, func() (*http.Response, error) { return c.Get(p.url()) }); r.status != 200 {
		t.Errorf("a target that lives: %d, %+v", r.status, p.results())
	}
	if r := fetch(t, func() (*http.Response, error) { return c.Get(p.url()) }); r.status != 502 {
		t.Errorf("a target that does not: %d", r.status)
	}
	p.wantWhy(2, outcome.TargetClosed)
}
