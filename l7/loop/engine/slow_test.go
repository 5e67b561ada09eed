package engine_test

import (
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"portico/l7/exchange/outcome"
	"portico/l7/h2"
	"portico/l7/loop"
	"portico/spec"
)

// TestSlowButNotStuck proves that a client that takes an answer slowly, but takes
// some of it all the time, has it for as long as that goes on, and is given up once
// it stops: over a socket whose buffer stays full for long, and in a stream.
func TestSlowButNotStuck(t *testing.T) {
	const body = 2 * time.Second // which a crowded machine does not keep from the client
	for _, tt := range []struct {
		name  string
		begin func(p *proxy, c net.Conn) (take func())
	}{
		{"HTTP/1.1", func(_ *proxy, c net.Conn) func() {
			_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			return func() { _, _ = io.CopyN(io.Discard, c, 4<<10) }
		}},
		{"HTTP/2, all at once", func(p *proxy, c net.Conn) func() {
			large(p.streamsOf(c), 1<<30)
			return func() { _, _ = io.CopyN(io.Discard, c, 4<<10) }
		}},
		{"HTTP/2, bit by bit", func(p *proxy, c net.Conn) func() {
			x := p.streamsOf(c)
			large(x, 0)
			go func() { _, _ = io.Copy(io.Discard, c) }()
			return func() { _ = x.WriteWindowUpdate(1, 100) }
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newProxy(t, func(p *proxy, _ *loop.Options) {
				p.bounds.HTTP2, p.timeouts.Body = h2.DefaultLimits(), spec.Duration(body)
			})
			p.serve(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				for piece := make([]byte, 64<<10); ; {
					if _, err := w.Write(piece); err != nil {
						return
					}
				}
			}))
			c := p.dial()
			_ = c.(*net.TCPConn).SetReadBuffer(64 << 10)
			take := tt.begin(p, c)
			for begun := time.Now(); time.Since(begun) < 3*body; time.Sleep(20 * time.Millisecond) {
				take()
				if ended := p.results(); len(ended) > 0 {
					t.Fatalf("given up after %v: %+v", time.Since(begun), ended[0])
				}
			}
			p.wantWhy(1, outcome.ClientTimeout)
		})
	}
}

// large asks for an answer with a window, of which 0 is the usual.
func large(x *peer, window uint32) {
	if window > 0 {
		_ = x.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: window})
	}
	_ = x.WriteWindowUpdate(0, 1<<30)
	x.head(1, true, ":method", "GET", ":scheme", "http", ":path", "/", ":authority", "x")
}
