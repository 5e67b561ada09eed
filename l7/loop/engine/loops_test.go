package engine_test

import (
	"io"
	"net"
	"net/http"
	"sync"
	"testing"

	"portico/l7/loop"
)

// TestLoops proves that several loops share the clients of one address, and that
// what concerns all connections reaches all loops.
func TestLoops(t *testing.T) {
	p := newProxy(t, func(_ *proxy, o *loop.Options) { o.Loops = 4 })
	p.serve(http.HandlerFunc(echo))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				c := client(t)
				r := fetch(t, func() (*http.Response, error) { return c.Get(p.url()) })
				if r.text != "GET " {
					t.Errorf("got %q", r.text)
				}
				c.CloseIdleConnections()
			}
		})
	}
	wg.Wait()
	var idle []net.Conn
	for range 100 {
		idle = append(idle, p.dial())
	}
	eventually(t, "all are open", func() bool { return p.open.Load() == 100 })
	if most, least := p.driver.Spread(); most-least > 25+25/8+8 {
		t.Errorf("of 100 connections one loop has %d, another %d", most, least)
	}
	p.driver.Retire(func(loop.Listener) bool { return true }, false)
	for i, c := range idle {
		if _, err := io.ReadAll(c); err != nil {
			t.Fatalf("connection %d ends with %v", i, err)
		}
	}
}

// TestConnectionsMax proves that clients beyond what a loop holds are refused, and
// counted, and that others can come when some left.
func TestConnectionsMax(t *testing.T) {
	p := newProxy(t, func(_ *proxy, o *loop.Options) { o.Connections = 2 })
	p.serve(http.HandlerFunc(echo))
	first := p.dial()
	_ = p.dial()
	eventually(t, "both are open", func() bool { return p.open.Load() == 2 })
	if got := p.refusedText(nil); got != "" {
		t.Errorf("a third connection got %q", got)
	}
	eventually(t, "the refusal is counted", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return len(p.refused) == 1 && p.refused[0] == loop.TooMany
	})
	_ = first.Close()
	eventually(t, "one is closed", func() bool { return p.open.Load() == 1 })
	c := client(t)
	if r := fetch(t, func() (*http.Response, error) { return c.Get(p.url()) }); r.text != "GET " {
		t.Errorf("got %q", r.text)
	}
}
