package relay_test

import (
	"io"
	"net"
	"testing"
)

// Bulk data goes through pipes, few of them, and small messages through none.
func TestBulkIsSpliced(t *testing.T) {
	vip := free(t, "127.0.1.10")
	b := start(t, tcpSpec(vip, server(t, "127.0.2.1", func(c *net.TCPConn) {
		_, _ = io.ReadFull(c, make([]byte, 5))
		_, _ = c.Write(make([]byte, 16<<20))
	})))
	small := dial(t, vip)
	say(t, small, "hell")
	if n := b.relay.PipesMade(); n != 0 {
		t.Errorf("%d pipes made for a small message, want none", n)
	}
	say(t, small, "o")
	if n, err := io.Copy(io.Discard, struct{ io.Reader }{small}); n != 16<<20 || err != nil {
		t.Errorf("got %d bytes, %v, want all", n, err)
	}
	if n := b.relay.PipesMade(); n < 1 || n > 2 {
		t.Errorf("%d pipes made for one bulk flow, want 1 or 2", n)
	}
}
