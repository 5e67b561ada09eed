package l7_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"portico/internal/testkit"
	"portico/spec"
)

// TestBuffers proves that clients who take nothing of large answers, or whose bodies
// their target takes nothing of, cannot have a node hold more than its bound, that
// requests which come then are turned away, and that all is let go with the clients.
func TestBuffers(t *testing.T) {
	for name, ask := range map[string]string{
		"answers": "GET /large HTTP/1.1\r\nHost: any.test\r\n\r\n",
		"bodies":  "POST /stuck HTTP/1.1\r\nHost: any.test\r\nContent-Length: 16777216\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) { testBuffers(t, ask) })
	}
}

func testBuffers(t *testing.T, ask string) {
	t.Helper()
	const most = 2 << 20
	large, over := make([]byte, 16<<20), make(chan struct{})
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/large":
			_, _ = w.Write(large)
		case "/stuck":
			<-over
		}
	}))
	t.Cleanup(target.Close)
	t.Cleanup(func() { close(over) })
	b := newBed(t, func(_ *bed, s *spec.Spec) {
		toOne(s, group("web", target))
		s.Buffers = most
	})
	b.said(b.later("GET / any.test"), "200")
	held := func() float64 { return b.counted(t, "portico_l7_buffers_bytes") }
	var slow []net.Conn
	for range 200 {
		slow = append(slow, b.slow(ask, large))
	}
	// Those who ask while there is room are all served, be it that nothing of their
	// answers came yet, and one loop is full before another: so more come until one is
	// turned away. Each holds 8 KiB from when it is served, so they are enough.
	testkit.Poll(t, time.Minute, func() error {
		for range 20 {
			if len(slow)*(8<<10) < 2*most {
				slow = append(slow, b.slow(ask, large))
			}
		}
		if got := <-b.later("GET / any.test"); got != "503 1" {
			return fmt.Errorf("of %d slow clients none has another turned away: answered %q, with %v bytes held", len(slow), got, held())
		}
		return nil
	})
	if n := b.counted(t, "portico_l7_requests_shed_total"); n == 0 {
		t.Error("nobody is counted as turned away")
	}
	// The read by which a loop passes its part may be a large one; from then on each
	// request that is served adds 4 KiB to its 8 at most.
	if bound := most*3/2 + runtime.GOMAXPROCS(0)*(128<<10); held() > float64(bound) {
		t.Errorf("%v bytes are held, of %v", held(), most)
	}
	for _, c := range slow {
		// With a reset: the end of a connection comes after all that was sent on it, and
		// nobody reads that here before the target does or is given up.
		_ = c.(*net.TCPConn).SetLinger(0)
		_ = c.Close()
	}
	testkit.Poll(t, 30*time.Second, func() error {
		if n := held(); n > most/8 {
			return fmt.Errorf("%v bytes are still held", n)
		}
		return nil
	})
	b.said(b.later("GET / any.test"), "200")
}

// slow is a client that asks, with as much of a body as is taken where there is one,
// and takes nothing of the answer.
func (b *bed) slow(ask string, body []byte) net.Conn {
	b.t.Helper()
	c, err := net.DialTimeout("tcp", netip.AddrPortFrom(addr, b.http).String(), 10*time.Second)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = c.Close() })
	_ = c.(*net.TCPConn).SetReadBuffer(4 << 10)
	go func() {
		_, _ = io.WriteString(c, ask)
		if ask[0] == 'P' {
			_, _ = c.Write(body)
		}
	}()
	return c
}
