package health_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"portico/internal/netx/proxy"
	"portico/target/health"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func dial(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "tcp", to.String())
}

// serve answers each connection with a function, until the test ends.
func serve(t *testing.T, answer func(net.Conn)) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			answer(conn)
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// nobody is an address where nothing listens.
func nobody(t *testing.T) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).AddrPort()
}

func say(text string) func(net.Conn) {
	return func(c net.Conn) {
		_, _ = c.Read(make([]byte, 4096))
		_, _ = io.WriteString(c, text)
	}
}

// hang says nothing until the other side is gone.
func hang(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

func probe(t *testing.T, name string, params any, to netip.AddrPort, timeout time.Duration) string {
	t.Helper()
	c, ok := health.Lookup(name)
	if !ok {
		t.Fatalf("no check %q", name)
	}
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	return health.Reason(c.New(params, health.Options{})(ctx, dial, to), timeout)
}

// goodOnes are, for each check, an answer that passes.
func goodOnes(t *testing.T) map[string]netip.AddrPort {
	t.Helper()
	ok := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") })
	plain, secure := httptest.NewServer(ok), httptest.NewUnstartedServer(ok)
	secure.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	secure.StartTLS()
	t.Cleanup(plain.Close)
	t.Cleanup(secure.Close)
	return map[string]netip.AddrPort{
		health.TCPName:   serve(t, func(net.Conn) {}),
		health.HTTPName:  netip.MustParseAddrPort(plain.Listener.Addr().String()),
		health.HTTPSName: netip.MustParseAddrPort(secure.Listener.Addr().String()),
		health.Ready:     serve(t, say("ready\n")),
	}
}

// TestContract proves of every check what package target counts on: it passes and
// fails when it should, within its time, says why in one short line, and leaves
// nothing open. A new check needs a good answer in goodOnes.
func TestContract(t *testing.T) {
	good := goodOnes(t)
	silent, closing := serve(t, hang), serve(t, func(net.Conn) {})
	garbage := serve(t, say(strings.Repeat("\x00\xff\x1b[31mgarbage\n", 2000)))
	for _, c := range health.All() {
		t.Run(c.Name, func(t *testing.T) {
			if c.Name == "" || c.Summary == "" {
				t.Errorf("entry %q: name and summary must be there", c.Name)
			}
			if good[c.Name] == (netip.AddrPort{}) {
				t.Fatalf("goodOnes has no answer that passes %q", c.Name)
			}
			if got := probe(t, c.Name, nil, good[c.Name], 5*time.Second); got != "" {
				t.Errorf("a good target: %s", got)
			}
			if c.Params != nil {
				if got := probe(t, c.Name, c.Params(), good[c.Name], 5*time.Second); got != "" {
					t.Errorf("a good target, with zero parameters: %s", got)
				}
			}
			if got := probe(t, c.Name, nil, nobody(t), 5*time.Second); got != "connect refused" {
				t.Errorf("nobody listens: %q, want connect refused", got)
			}
			if c.Name == health.TCPName {
				return // asks no more
			}
			begun := time.Now()
			got := probe(t, c.Name, nil, silent, 50*time.Millisecond)
			if !strings.HasPrefix(got, "timeout after 50ms waiting for ") || time.Since(begun) > 3*time.Second {
				t.Errorf("a silent target: %q after %v", got, time.Since(begun))
			}
			for name, to := range map[string]netip.AddrPort{"closing": closing, "garbage": garbage} {
				got := probe(t, c.Name, nil, to, 5*time.Second)
				if got == "" || len(got) > 200 || strings.ContainsAny(got, "\n\r\x00\x1b") {
					t.Errorf("a %s target: %q, want a reason on one short line", name, got)
				}
			}
		})
	}
}

// TestCancel proves that a probe ends when its context is canceled before its
// time is over: a target that is removed is not waited for.
func TestCancel(t *testing.T) {
	silent := serve(t, hang)
	for _, c := range health.All() {
		if c.Name == health.TCPName {
			continue
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(20*time.Millisecond, cancel)
		begun := time.Now()
		if err := c.New(nil, health.Options{})(ctx, dial, silent); err == nil || time.Since(begun) > 3*time.Second {
			t.Errorf("%s: canceled, it ended with %v after %v", c.Name, err, time.Since(begun))
		}
	}
}

// TestHTTP proves what the http check asks for and which answers pass.
func TestHTTP(t *testing.T) {
	page := func(code int, body string) string {
		return fmt.Sprintf("HTTP/1.1 %d Word\r\nContent-Length: %d\r\n\r\n%s", code, len(body), body)
	}
	far := strings.Repeat("x", 5118)
	tests := []struct {
		name   string
		params health.HTTP
		answer string
		want   string // the reason; empty when it passes
	}{
		{"ok", health.HTTP{}, page(200, ""), ""},
		{"redirect is not followed", health.HTTP{}, page(301, ""), ""},
		{"not found", health.HTTP{}, page(404, ""), "status 404, want 200-399"},
		{"error", health.HTTP{}, page(503, "no"), "status 503, want 200-399"},
		{"one code", health.HTTP{Codes: []string{"204"}}, page(200, ""), "status 200, want 204"},
		{"codes and ranges", health.HTTP{Codes: []string{"200-299", "304"}}, page(304, ""), ""},
		{"between them", health.HTTP{Codes: []string{"200-299", "304"}}, page(303, ""), "status 303, want 200-299, 304"},
		{"interim answers", health.HTTP{}, "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + page(200, ""), ""},
		{"only interim answers", health.HTTP{}, strings.Repeat("HTTP/1.1 103 Early\r\n\r\n", 9), "response: more than 5 interim answers"},
		{"body", health.HTTP{Body: "all good"}, page(200, "it is all good here"), ""},
		{"body is missing", health.HTTP{Body: "ok"}, page(200, "no"), `body does not contain "ok"`},
		{"body at the end of what is searched", health.HTTP{Body: "ok"}, page(200, far+"ok"), ""},
		{"body just past it", health.HTTP{Body: "ok"}, page(200, far+".ok"), `body does not contain "ok"`},
		{"body in chunks", health.HTTP{Body: "okay"}, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n2\r\nay\r\n0\r\n\r\n", ""},
		{"body found, then cut short", health.HTTP{Body: "ok"}, "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nok", ""},
		{"body cut short", health.HTTP{Body: "ok"}, "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\no", "closed while waiting for the body"},
		{"HEAD has no body", health.HTTP{Method: "HEAD"}, "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", ""},
		{"nothing", health.HTTP{}, "", "closed while waiting for the response"},
		{"half a head", health.HTTP{}, "HTTP/1.1 200 OK\r\nServer: x", "closed while waiting for the response"},
		{"another protocol", health.HTTP{}, "220 mail.example.com ESMTP\r\n", `response: malformed HTTP status code "mail.example.com"`},
		{"endless head", health.HTTP{}, "HTTP/1.1 200 OK\r\n" + strings.Repeat("A: b\r\n", 20000), "response headers are longer than 65536 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := probe(t, health.HTTPName, &tt.params, serve(t, say(tt.answer)), 5*time.Second)
			if got != tt.want && got != "the "+tt.want {
				t.Errorf("reason %q, want %q", got, tt.want)
			}
		})
	}
}

// TestHTTPRequest proves what the target is asked, byte for byte where it matters.
func TestHTTPRequest(t *testing.T) {
	tests := []struct {
		name   string
		params health.HTTP
		first  string
		host   string // empty means the target's address
	}{
		{"defaults", health.HTTP{}, "GET / HTTP/1.1", ""},
		{"all of it", health.HTTP{Method: "HEAD", Path: "/up?deep=1&x=%2F", Host: "shop.example.com"}, "HEAD /up?deep=1&x=%2F HTTP/1.1", "shop.example.com"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			heads := make(chan *http.Request, 1)
			lines := make(chan string, 1)
			to := serve(t, func(c net.Conn) {
				r := bufio.NewReader(c)
				if start, err := r.Peek(len(tt.first)); err == nil {
					lines <- string(start)
				}
				req, err := http.ReadRequest(r)
				if err == nil {
					heads <- req
				}
				_, _ = io.WriteString(c, "HTTP/1.1 204 No Content\r\n\r\n")
			})
			if got := probe(t, health.HTTPName, &tt.params, to, 5*time.Second); got != "" {
				t.Fatal(got)
			}
			if got := <-lines; got != tt.first {
				t.Errorf("asked %q, want %q", got, tt.first)
			}
			req, host := <-heads, tt.host
			if host == "" {
				host = to.String()
			}
			if req.Host != host || !req.Close || req.UserAgent() != "Portico-Health" {
				t.Errorf("Host %q, close %v, User-Agent %q; want %q, true, Portico-Health", req.Host, req.Close, req.UserAgent(), host)
			}
		})
	}
}

// TestPort proves that a check may ask another port than traffic goes to.
func TestPort(t *testing.T) {
	good := goodOnes(t)
	port := func(name string) int { return int(good[name].Port()) }
	tests := []struct {
		name   string
		params any
	}{
		{health.TCPName, &health.TCP{Port: port(health.TCPName)}},
		{health.HTTPName, &health.HTTP{Port: port(health.HTTPName)}},
		{health.HTTPSName, &health.HTTP{Port: port(health.HTTPSName)}},
	}
	for _, tt := range tests {
		if got := probe(t, tt.name, tt.params, nobody(t), 5*time.Second); got != "" {
			t.Errorf("%s on another port: %s", tt.name, got)
		}
	}
}

// TestHTTPS proves that any certificate will do unless verify is set, and which
// name the handshake asks for.
func TestHTTPS(t *testing.T) {
	names := make(chan string, 1)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		names <- r.TLS.ServerName
	}))
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	s.StartTLS()
	defer s.Close()
	to := netip.MustParseAddrPort(s.Listener.Addr().String())
	tests := []struct {
		name   string
		params health.HTTP
		want   string
	}{
		{"an address is no name", health.HTTP{}, ""},
		{"host", health.HTTP{Host: "shop.example.com:8443"}, "shop.example.com"},
		{"server name", health.HTTP{Host: "shop.example.com", ServerName: "other.example.com"}, "other.example.com"},
	}
	for _, tt := range tests {
		if got := probe(t, health.HTTPSName, &tt.params, to, 5*time.Second); got != "" {
			t.Errorf("%s: %s", tt.name, got)
			continue
		}
		if got := <-names; got != tt.want {
			t.Errorf("%s: asked for %q, want %q", tt.name, got, tt.want)
		}
	}
	got := probe(t, health.HTTPSName, &health.HTTP{Verify: true, ServerName: "example.com"}, to, 5*time.Second)
	if !strings.Contains(got, "the TLS handshake") || !strings.Contains(got, "certificate") {
		t.Errorf("verify, with a certificate of its own making: %q", got)
	}
}

// TestReady proves what the ready check sends, and that only "ready" passes.
func TestReady(t *testing.T) {
	tests := []struct{ answer, want string }{
		{"ready\n", ""},
		{"ready\r\n", ""},
		{"draining\n", "l7 node is draining"},
		{"Ready\n", "l7 node is Ready"},
		{"\n", "l7 node is silent"},
		{"ready", "closed while waiting for the readiness line"},
		{strings.Repeat("r", 100), `not a readiness line: "` + strings.Repeat("r", 64) + `"`},
	}
	for _, tt := range tests {
		asked := make(chan proxy.Header, 1)
		to := serve(t, func(c net.Conn) {
			buf := make([]byte, proxy.MaxSize)
			n, err := io.ReadAtLeast(c, buf, len(proxy.AppendReadiness(nil)))
			if h, _, e := proxy.Parse(buf[:n]); err == nil && e == nil {
				asked <- h
			}
			_, _ = io.WriteString(c, tt.answer)
		})
		if got := probe(t, health.Ready, nil, to, 5*time.Second); got != tt.want {
			t.Errorf("answer %.20q: %q, want %q", tt.answer, got, tt.want)
		}
		if h := <-asked; !h.Local || !h.Readiness {
			t.Errorf("asked with %+v, want a LOCAL header with our question", h)
		}
	}
}

// TestHTTPCheck proves which parameters are refused, and how.
func TestHTTPCheck(t *testing.T) {
	tests := []struct {
		name   string
		params health.HTTP
		want   []string
	}{
		{"nothing given", health.HTTP{}, nil},
		{"all given", health.HTTP{Path: "/a?b=c", Host: "a.example:80", Codes: []string{"200", "300-399"}, Body: "ok"}, nil},
		{"path", health.HTTP{Path: "healthz"}, []string{`path: "healthz" is not a path; use one that starts with a slash, such as /healthz`}},
		{"URL for a path", health.HTTP{Path: "http://x/y"}, []string{`path: "http://x/y" is not a path; use one that starts with a slash, such as /healthz`}},
		{"header in the path", health.HTTP{Path: "/a b\r\nX: y"}, []string{`path: "/a b??X: y" is not a path; use one that starts with a slash, such as /healthz`}},
		{"host", health.HTTP{Host: "a b"}, []string{`host: "a b" is not a host; use a name or an address, with a port if need be`}},
		{"codes", health.HTTP{Codes: []string{"200", "2xx", "399-200", "99", "200-", "200-600"}}, []string{
			`codes[1]: "2xx" is not a status code or a range of them; use a code such as 204, or a range such as 200-399`,
			`codes[2]: "399-200" is not a status code or a range of them; use a code such as 204, or a range such as 200-399`,
			`codes[3]: "99" is not a status code or a range of them; use a code such as 204, or a range such as 200-399`,
			`codes[4]: "200-" is not a status code or a range of them; use a code such as 204, or a range such as 200-399`,
			`codes[5]: "200-600" is not a status code or a range of them; use a code such as 204, or a range such as 200-399`,
		}},
		{"body too long", health.HTTP{Body: strings.Repeat("x", 5121)}, []string{
			`body: it is 5121 bytes long, and only the first 5120 of an answer are searched; look for less`,
		}},
		{"body of HEAD", health.HTTP{Body: "x", Method: "HEAD"}, []string{`body: an answer to HEAD has no body; use method GET`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, p := range tt.params.Check() {
				got = append(got, p.String())
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("Check:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
}

// TestKinds proves that users are offered every check but the internal ones.
func TestKinds(t *testing.T) {
	var got []string
	for _, k := range health.Kinds() {
		got = append(got, k.Name)
	}
	if want := []string{"tcp", "http", "https"}; !slices.Equal(got, want) {
		t.Errorf("Kinds() = %v, want %v", got, want)
	}
	if _, ok := health.Lookup("grpc"); ok {
		t.Error(`Lookup("grpc") found something`)
	}
}

// TestReason proves that whatever a target says fits one line of a log.
func TestReason(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want string
	}{
		{"none", nil, ""},
		{"plain", errors.New("status 503, want 200-399"), "status 503, want 200-399"},
		{"control bytes", errors.New("a\x00b\nc\x1b[31m\xff"), "a?b?c?[31m?"},
		{"long", errors.New(strings.Repeat("ä", 150)), strings.Repeat("ä", 98) + "…"},
		{"deadline", context.DeadlineExceeded, "timeout after 2s waiting for an answer"},
		{"EOF", io.EOF, "closed while waiting for an answer"},
	}
	for _, tt := range tests {
		if got := health.Reason(tt.err, 2*time.Second); got != tt.want || len(got) > 200 {
			t.Errorf("%s: Reason(%v) = %q, want %q", tt.name, tt.err, got, tt.want)
		}
	}
}

// FuzzAnswer proves that no answer of a target breaks a probe or its reason.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
	f.Add([]byte("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"))
	f.Add([]byte("HTTP/1.0 503 \xff\r\n\r\n"))
	f.Add([]byte("ready\n"))
	f.Add([]byte("\x16\x03\x01\x00\x00"))
	f.Fuzz(func(t *testing.T, answer []byte) {
		for _, name := range []string{health.HTTPName, health.Ready} {
			c, _ := health.Lookup(name)
			var params any
			if c.Params != nil {
				params = &health.HTTP{Body: "ok"}
			}
			err := c.New(params, health.Options{})(t.Context(), func(context.Context, netip.AddrPort) (net.Conn, error) {
				near, far := net.Pipe()
				go func() {
					go func() { _, _ = io.Copy(io.Discard, far) }()
					_, _ = far.Write(answer)
					_ = far.Close()
				}()
				return near, nil
			}, netip.MustParseAddrPort("127.0.0.1:80"))
			if got := health.Reason(err, time.Second); len(got) > 200 || strings.ContainsAny(got, "\r\n\x00") {
				t.Errorf("reason %q", got)
			}
		}
	})
}
