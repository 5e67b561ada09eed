package engine_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"portico/l7/exchange/outcome"
	"portico/l7/h2"
	"portico/l7/loop"
	"portico/l7/transport"
)

// speak is what one hop speaks.
type speak struct {
	name string
	tls  bool
	h2   bool
}

var speaks = []speak{{"h1", false, false}, {"h2c", false, true}, {"h2", true, true}}

func (s speak) protocols() *http.Protocols {
	var p http.Protocols
	p.SetHTTP1(!s.h2)
	p.SetHTTP2(s.h2 && s.tls)
	p.SetUnencryptedHTTP2(s.h2 && !s.tls)
	return &p
}

// speaking is a proxy whose listener lets clients speak HTTP/2.
func speaking(t *testing.T, client speak) *proxy {
	t.Helper()
	return newProxy(t, func(p *proxy, _ *loop.Options) {
		p.bounds.HTTP2 = h2.DefaultLimits()
		if client.tls {
			p.tls = selfSigned(t)
			p.tls.NextProtos = []string{"h2", "http/1.1"}
		}
	})
}

// speaksTo makes a Go handler the target, by what target speaks, and counts the
// connections to it.
func (p *proxy) speaksTo(target speak, h http.HandlerFunc) (opened *atomic.Int64) {
	opened = new(atomic.Int64)
	s := httptest.NewUnstartedServer(h)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	s.Config.Protocols = target.protocols()
	o := transport.Options{}
	if target.h2 {
		o.Protocol = transport.HTTP2
	}
	if target.tls {
		s.EnableHTTP2 = true
		s.StartTLS()
		o.TLS = &tls.Config{InsecureSkipVerify: true}
	} else {
		s.Start()
	}
	p.t.Cleanup(s.Close)
	p.to(s.Listener.Addr())
	p.via.Store(transport.New(o))
	return opened
}

// speaker is a client that speaks so.
func (p *proxy) speaker(client speak) (*http.Client, string) {
	tr := &http.Transport{DisableCompression: true, Protocols: client.protocols(), TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	p.t.Cleanup(tr.CloseIdleConnections)
	url := p.url()
	if client.tls {
		url = "https://" + p.ln.Addr().String()
	}
	return &http.Client{Transport: tr, Timeout: 30 * time.Second}, url
}

// between runs a test between each kind of client and each kind of target.
func between(t *testing.T, f func(t *testing.T, client, target speak)) {
	t.Helper()
	for _, c := range speaks {
		for _, to := range speaks {
			t.Run(c.name+" to "+to.name, func(t *testing.T) { f(t, c, to) })
		}
	}
}

// TestProtocols proves that requests with and without bodies, lengths and trailers
// pass between all protocols, many at once, and that targets of HTTP/2 share one
// connection.
func TestProtocols(t *testing.T) {
	between(t, func(t *testing.T, client, target speak) {
		t.Helper()
		p := speaking(t, client)
		opened := p.speaksTo(target, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Trailer", "X-Sum")
			w.Header().Set("X-Proto", r.Proto)
			b, _ := io.ReadAll(r.Body)
			_, _ = fmt.Fprintf(w, "%s %s %d %s", r.Method, b, r.ContentLength, r.Trailer.Get("X-Up"))
			w.Header().Set("X-Sum", "down")
		})
		c, url := p.speaker(client)
		ask := func(method string, body io.Reader, trailer string) *http.Response {
			t.Helper()
			req, err := http.NewRequestWithContext(t.Context(), method, url, body)
			if err != nil {
				t.Fatal(err)
			}
			if trailer != "" {
				req.Trailer = http.Header{"X-Up": {trailer}}
			}
			r, err := c.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		for _, tt := range []struct {
			method, trailer string
			body            io.Reader
			want            string
		}{
			{"GET", "", nil, "GET  0 "},
			{"POST", "", strings.NewReader("hello"), "POST hello 5 "},
			{"POST", "up", io.MultiReader(strings.NewReader("hel"), strings.NewReader("lo")), "POST hello -1 up"},
			{"HEAD", "", nil, ""},
		} {
			r := ask(tt.method, tt.body, tt.trailer)
			b, err := io.ReadAll(r.Body)
			_ = r.Body.Close()
			if err != nil || string(b) != tt.want || r.StatusCode != 200 || r.ProtoMajor == 2 != client.h2 {
				t.Errorf("%s: %s %d %q, %v, want %q", tt.method, r.Proto, r.StatusCode, b, err, tt.want)
			}
			if tt.method != "HEAD" && r.Trailer.Get("X-Sum") != "down" {
				t.Errorf("%s: trailers %v", tt.method, r.Trailer)
			}
			if got := r.Header.Get("X-Proto"); strings.HasPrefix(got, "HTTP/2") != target.h2 {
				t.Errorf("the target was spoken to by %s", got)
			}
		}
		var wg sync.WaitGroup
		for i := range 40 {
			wg.Go(func() {
				text := fmt.Sprint("n", i)
				r, err := c.Post(url, "", strings.NewReader(text))
				if err != nil {
					t.Error(err)
					return
				}
				defer func() { _ = r.Body.Close() }()
				if b, err := io.ReadAll(r.Body); err != nil || !strings.HasPrefix(string(b), "POST "+text+" ") {
					t.Errorf("request %d: %q, %v", i, b, err)
				}
			})
		}
		wg.Wait()
		if n := opened.Load(); target.h2 && n != 1 {
			t.Errorf("44 requests took %d connections to the target, want 1", n)
		}
	})
}

// TestLargeBodiesOf proves that bodies larger than all windows pass both ways.
func TestLargeBodiesOf(t *testing.T) {
	body := bytes.Repeat([]byte("0123456789abcdef"), 3<<16) // 3 MiB
	between(t, func(t *testing.T, client, target speak) {
		t.Helper()
		p := speaking(t, client)
		p.speaksTo(target, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(200)
			_, _ = io.Copy(w, r.Body)
		})
		c, url := p.speaker(client)
		if !client.h2 || !target.h2 {
			p.speaksTo(target, func(w http.ResponseWriter, r *http.Request) { // the client of HTTP/1.1 hears nothing before it said all
				b, _ := io.ReadAll(r.Body)
				_, _ = w.Write(b)
			})
		}
		for range 2 {
			r, err := c.Post(url, "", bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(r.Body)
			_ = r.Body.Close()
			if err != nil || !bytes.Equal(got, body) {
				t.Fatalf("%d of %d bytes came back, %v", len(got), len(body), err)
			}
		}
	})
}

// TestBurst proves that requests that all come before there is a connection share the
// one that is made, and that none of them is lost.
func TestBurst(t *testing.T) {
	for _, target := range speaks[1:] {
		t.Run(target.name, func(t *testing.T) {
			p := speaking(t, speaks[1])
			c, url := p.speaker(speaks[1])
			_ = fetch(t, func() (*http.Response, error) { return c.Get(url) }) // 503: the client has its connection now
			opened := p.speaksTo(target, echo)
			var wg sync.WaitGroup
			for range 60 {
				wg.Go(func() {
					r, err := c.Post(url, "", strings.NewReader("hi"))
					if err != nil {
						t.Error(err)
						return
					}
					defer func() { _ = r.Body.Close() }()
					if b, err := io.ReadAll(r.Body); r.StatusCode != 200 || string(b) != "POST hi" {
						t.Errorf("%d %q, %v", r.StatusCode, b, err)
					}
				})
			}
			wg.Wait()
			if n := opened.Load(); n != 1 {
				t.Errorf("60 requests took %d connections, want one", n)
			}
		})
	}
}

// TestSlowStream proves that a client that does not read one answer gets others on
// the same connection, and that little of the first is held.
func TestSlowStream(t *testing.T) {
	for _, target := range speaks {
		t.Run(target.name, func(t *testing.T) {
			client := speaks[1]
			p := speaking(t, client)
			var wrote atomic.Int64
			p.speaksTo(target, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/small" {
					_, _ = io.WriteString(w, "small")
					return
				}
				for range 64 << 4 {
					n, err := w.Write(make([]byte, 64<<10))
					if wrote.Add(int64(n)); err != nil {
						return
					}
				}
			})
			c, url := p.speaker(client)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			req, _ := http.NewRequestWithContext(ctx, "GET", url+"/large", nil)
			large, err := c.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = large.Body.Close() }()
			last := int64(-1)
			eventually(t, "the target cannot write more", func() bool {
				now := wrote.Load()
				stuck := now == last && now > 0
				last = now
				return stuck
			})
			for range 5 {
				if r := fetch(t, func() (*http.Response, error) { return c.Get(url + "/small") }); r.text != "small" {
					t.Fatalf("beside a slow one: %q", r.text)
				}
			}
			if got := wrote.Load(); got > 32<<20 {
				t.Errorf("the target could write %d bytes to a client that read none", got)
			}
			cancel()
			eventually(t, "the request has ended", func() bool {
				for _, r := range p.results() {
					if r.Why == outcome.ClientClosed {
						return true
					}
				}
				return false
			})
		})
	}
}

// TestStreamsEnd proves what a reset of either side does to the other, and that the
// connection serves on.
func TestStreamsEnd(t *testing.T) {
	between(t, func(t *testing.T, client, target speak) {
		t.Helper()
		p := speaking(t, client)
		gone := make(chan struct{}, 1)
		p.speaksTo(target, func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/abort":
				_, _ = io.WriteString(w, "half")
				_ = http.NewResponseController(w).Flush()
				panic(http.ErrAbortHandler)
			case "/wait":
				<-r.Context().Done()
				gone <- struct{}{}
			default:
				_, _ = io.WriteString(w, "ok")
			}
		})
		c, url := p.speaker(client)
		r, err := c.Get(url + "/abort")
		if err == nil {
			_, err = io.ReadAll(r.Body)
			_ = r.Body.Close()
		}
		if err == nil {
			t.Error("half an answer looks whole")
		}
		if client.h2 { // others say that they are gone as if they waited for the answer
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			req, _ := http.NewRequestWithContext(ctx, "GET", url+"/wait", nil)
			if r, err := c.Do(req); err == nil {
				_ = r.Body.Close()
				t.Error("a request that was given up was answered")
			}
			select {
			case <-gone:
			case <-time.After(10 * time.Second):
				t.Error("the target does not learn that the client is gone")
			}
		}
		if r := fetch(t, func() (*http.Response, error) { return c.Get(url) }); r.text != "ok" {
			t.Errorf("afterwards: %q", r.text)
		}
	})
}

// TestDrainStreams proves that a drain lets requests on a connection of HTTP/2 end,
// and ends idle ones without losing a request.
func TestDrainStreams(t *testing.T) {
	client := speaks[1]
	p := speaking(t, client)
	begun, goOn := make(chan struct{}), make(chan struct{})
	p.speaksTo(speaks[1], func(w http.ResponseWriter, _ *http.Request) {
		close(begun)
		<-goOn
		_, _ = io.WriteString(w, "ok")
	})
	c, url := p.speaker(client)
	got := make(chan answer, 1)
	go func() { got <- fetch(t, func() (*http.Response, error) { return c.Get(url) }) }()
	<-begun
	p.ln.Close()
	ended := make(chan error, 1)
	go func() { ended <- p.driver.Drain(t.Context()) }()
	select {
	case err := <-ended:
		t.Fatalf("drained with a request under way: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(goOn)
	if a := <-got; a.text != "ok" {
		t.Errorf("the request under way: %q", a.text)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestNoHTTP2 proves that a listener that does not allow it takes the preface for
// what it is in HTTP/1.1, and that one that does still serves clients of that.
func TestNoHTTP2(t *testing.T) {
	p := newProxy(t, nil)
	p.speaksTo(speaks[0], echo)
	c := p.dial()
	_, _ = io.WriteString(c, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
	b, _ := io.ReadAll(c)
	if !strings.HasPrefix(string(b), "HTTP/1.1 ") {
		t.Errorf("the answer to a preface: %q", b)
	}
	p = speaking(t, speaks[0])
	p.speaksTo(speaks[0], echo)
	for _, first := range []string{"P", "PRI", "PRI * HTTP/2.0\r\n\r\nXX"} {
		c := p.dial()
		_, _ = io.WriteString(c, first)
		_ = c.(*net.TCPConn).CloseWrite()
		b, _ := io.ReadAll(c)
		if len(b) > 0 && !strings.HasPrefix(string(b), "HTTP/1.1 ") {
			t.Errorf("the answer to %q: %q", first, b)
		}
	}
	c = p.dial()
	_, _ = io.WriteString(c, "POS")
	time.Sleep(5 * time.Millisecond) // a gap within the first word; nothing depends on how long it is
	_, _ = io.WriteString(c, "T / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")
	b, _ = io.ReadAll(c)
	if !strings.HasSuffix(string(b), "POST hi") {
		t.Errorf("POST in two pieces: %q", b)
	}
}
