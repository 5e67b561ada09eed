package engine_test

import (
	"net"
	"net/netip"
	"sync"
	"testing"

	"portico/internal/netx"
	"portico/l7/loop"
)

// TestServeWhileClosing proves that a Serve that comes when the driver closes
// does no harm, and that the socket is closed, whichever is first.
func TestServeWhileClosing(t *testing.T) {
	for range 100 {
		d, err := newDriver(loop.Options{Dialer: netx.Dialer{}, Loops: 2})
		if err != nil {
			t.Fatal(err)
		}
		ln, err := d.Listen(t.Context(), netip.MustParseAddrPort("127.0.0.1:0"), netx.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		wg.Go(func() { ln.Serve(nil) })
		if err := d.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		wg.Wait()
		ln.Close()
		if c, err := net.Dial("tcp", ln.Addr().String()); err == nil {
			_ = c.Close()
			t.Fatal("the socket is open after Close")
		}
	}
}
