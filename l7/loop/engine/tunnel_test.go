package engine_test

import (
	"bufio"
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"golang.org/x/net/http2"

	"portico/l7/exchange/outcome"
	"portico/l7/h2"
	"portico/l7/loop"
	"portico/l7/transport"
)

// proofOf is what a server of WebSockets makes of a key (RFC 6455, section 4.2.2).
func proofOf(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// echoWebSocket is a target of HTTP/1.1 that sends back what it gets after 101.
func echoWebSocket(t *testing.T) http.HandlerFunc {
	t.Helper()
	return func(w http.ResponseWriter, r *http.Request) {
		key := r.Header.Get("Sec-WebSocket-Key")
		if r.Header.Get("Upgrade") != "websocket" || key == "" {
			_, _ = fmt.Fprint(w, "HTTP/", r.ProtoMajor)
			return
		}
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = conn.Close() }()
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", proofOf(key))
		_, _ = io.Copy(conn, rw)
	}
}

// echoStreams is a target of HTTP/2 that does the same in streams (RFC 8441).
func echoStreams(_ int, c *peer) {
	for {
		switch f := c.next().(type) {
		case *http2.MetaHeadersFrame:
			if f.PseudoValue("method") != "CONNECT" || f.PseudoValue("protocol") != "websocket" || f.PseudoValue("path") != "/ws" {
				c.head(f.StreamID, true, ":status", "400")
				continue
			}
			c.head(f.StreamID, false, ":status", "200")
		case *http2.DataFrame:
			_ = c.WriteData(f.StreamID, f.StreamEnded(), f.Data())
		case nil:
			return
		}
	}
}

// overHTTP1 asks for a WebSocket as a client of HTTP/1.1 and tunnels a ping.
func overHTTP1(p *proxy) (status, got string, err error) {
	const key = "dGhlIHNhbXBsZSBub25jZQ=="
	c := p.dial()
	_, _ = io.WriteString(c, "GET /ws HTTP/1.1\r\nHost: x.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "+key+"\r\n\r\nping")
	r := bufio.NewReader(c)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		return "", "", err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != 101 || resp.Header.Get("Sec-WebSocket-Accept") != proofOf(key) {
		return fmt.Sprint(resp.StatusCode), "", nil
	}
	_ = c.(*net.TCPConn).CloseWrite()
	b, err := io.ReadAll(r)
	return "200", string(b), err
}

// overStreams does the same as a client of HTTP/2.
func overStreams(p *proxy) (status, got string, err error) {
	return p.streamsOf(p.dial()).tunnel(":method", "CONNECT", ":protocol", "websocket", ":scheme", "http", ":path", "/ws", ":authority", "x.test", "sec-websocket-version", "13")
}

// TestWebSockets proves that a WebSocket passes between each kind of client and each
// kind of target, until both ended, and that targets which carry none in a stream
// get it by HTTP/1.1 where they may speak that, and 502 is answered where not.
func TestWebSockets(t *testing.T) {
	may := http2.Setting{ID: http2.SettingEnableConnectProtocol, Val: 1}
	for _, target := range []struct {
		name string
		want string
		set  func(t *testing.T, p *proxy)
	}{
		{"to HTTP/1.1", "200", func(t *testing.T, p *proxy) { t.Helper(); p.speaksTo(speaks[0], echoWebSocket(t)) }},
		{"to HTTP/2", "200", func(t *testing.T, p *proxy) { t.Helper(); p.frames(echoStreams, may) }},
		{"to HTTP/2 that carries none", "502", func(t *testing.T, p *proxy) { t.Helper(); p.frames(echoStreams) }},
		{"to HTTP/2 that carries none, or HTTP/1.1", "200", either},
	} {
		for name, ask := range map[string]func(p *proxy) (status, got string, err error){"HTTP/1.1": overHTTP1, "HTTP/2": overStreams} {
			t.Run(name+" "+target.name, func(t *testing.T) {
				p := speaking(t, speaks[1])
				target.set(t, p)
				want := "ping"
				if target.want != "200" {
					want = ""
				}
				for range 2 { // at once, and with what is known of the target by then
					if status, got, err := ask(p); status != target.want || got != want || err != nil {
						t.Errorf("%s %q, %v; want %s %q", status, got, err, target.want, want)
					}
				}
			})
		}
	}
}

// either is a target that agrees on HTTP/2, but carries no tunnels in it, as Go's do.
func either(t *testing.T, p *proxy) {
	t.Helper()
	s := httptest.NewUnstartedServer(echoWebSocket(t))
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	p.to(s.Listener.Addr())
	p.via.Store(transport.New(transport.Options{Protocol: transport.Auto, TLS: &tls.Config{InsecureSkipVerify: true}}))
	c := client(t)
	if r := fetch(t, func() (*http.Response, error) { return c.Get(p.url()) }); r.text != "HTTP/2" {
		t.Errorf("the target was spoken to by %q, want HTTP/2", r.text)
	}
}

// TestConnectStream proves that a plain CONNECT in a stream is a tunnel to a target
// that knows nothing of HTTP, with what either side sends first.
func TestConnectStream(t *testing.T) {
	p := newProxy(t, func(p *proxy, _ *loop.Options) { p.bounds.HTTP2 = h2.DefaultLimits() })
	p.script(func(c net.Conn, r *bufio.Reader) {
		_, _ = io.WriteString(c, "hello ")
		_, _ = io.Copy(c, r)
	})
	status, got, err := p.streamsOf(p.dial()).tunnel(":method", "CONNECT", ":authority", "x.test:22")
	if status != "200" || got != "hello ping" || err != nil {
		t.Errorf("%s %q, %v", status, got, err)
	}
	if r := p.wantWhy(1, outcome.OK); !r.Tunnel || r.BytesIn != 4 || r.BytesOut != 10 {
		t.Errorf("the tunnel ended as %+v", r)
	}
	c := p.streamsOf(p.dial()) // the target is told when the client gives up
	c.head(1, false, ":method", "CONNECT", ":authority", "x.test:22")
	for greeted := false; !greeted; {
		d, ok := c.next().(*http2.DataFrame)
		greeted = ok && strings.HasPrefix(string(d.Data()), "hello")
	}
	_ = c.WriteRSTStream(1, http2.ErrCodeCancel)
	p.wantWhy(2, outcome.ClientClosed)
}
