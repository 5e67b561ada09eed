package portable_test

import (
	"net"
	"testing"

	"portico/internal/netx"
	"portico/l7/loop"
	"portico/l7/loop/portable"
)

// TestServeWhileClosing proves that a Serve that comes when the driver closes
// ends, with its listener closed, whichever is first.
func TestServeWhileClosing(t *testing.T) {
	for range 200 {
		d := portable.New(loop.Options{Dial: netx.Dialer{}.Dial})
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		served := make(chan error, 1)
		go func() { served <- d.Serve(ln, nil) }()
		if err := d.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
		if c, err := net.Dial("tcp", ln.Addr().String()); err == nil {
			_ = c.Close()
			t.Fatal("the listener is open after Serve returned")
		}
	}
}
