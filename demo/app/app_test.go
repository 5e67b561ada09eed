package app_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/net/websocket"

	"portico/demo/app"
)

// free returns a loopback address nobody listens on.
func free(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	return ln.Addr().String()
}

// shop starts a shop whose internal VIP is one server that answers for login and cart.
func shop(t *testing.T) (*app.Server, string) {
	t.Helper()
	vip, addr := free(t), free(t)
	inner, err := app.HTTP("inner", vip, app.Named("inner"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := app.HTTP("shop-1", addr, app.NewShop("shop-1", "127.0.0.1", vip).Handler())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(inner.Cut)
	return s, "http://" + addr
}

func get(t *testing.T, c *http.Client, url string) string {
	t.Helper()
	resp, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if by := resp.Header.Get("X-Served-By"); by != "shop-1" {
		t.Errorf("%s was served by %q, want shop-1", url, by)
	}
	return string(text)
}

// TestShop proves what the demo relies on: a shop says who it is, counts the
// visits of a session in its own memory, and calls its neighbors by the VIP.
func TestShop(t *testing.T) {
	s, url := shop(t)
	defer s.Cut()
	jar, _ := cookiejar.New(nil) // never fails without options
	c := &http.Client{Jar: jar}
	defer c.CloseIdleConnections()
	for _, step := range []struct{ path, want string }{
		{"/", "session none"},
		{"/login", "granted by inner"},
		{"/", "visit 1"},
		{"/", "visit 2"},
		{"/cart", "the cart of inner"},
		{"/slow?for=1ms", "took 1ms"},
		{"/healthz", "ok"},
		{"/logout", "ended"},
		{"/", "session none"},
	} {
		if got := get(t, c, url+step.path); !strings.Contains(got, step.want) {
			t.Errorf("%s says %q, want %q in it", step.path, got, step.want)
		}
	}
	resp, err := c.Post(url+"/upload", "text/plain", strings.NewReader(strings.Repeat("x", 100_000)))
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if !strings.Contains(string(text), "took 100000 bytes") {
		t.Errorf("/upload says %q", text)
	}
}

// TestWebSocket proves that the shop echoes over a WebSocket.
func TestWebSocket(t *testing.T) {
	s, url := shop(t)
	defer s.Cut()
	ws, err := websocket.Dial(strings.Replace(url, "http", "ws", 1)+"/ws", "", url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ws.Close() }()
	if _, err := ws.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 5)
	if _, err := io.ReadFull(ws, buf); err != nil || string(buf) != "hello" {
		t.Errorf("echo is %q, %v", buf, err)
	}
}

// TestCut proves that every connection is reset and the address is free again.
func TestCut(t *testing.T) {
	addr := free(t)
	for round := range 3 {
		s, err := app.Echo("echo-1", addr)
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		r := bufio.NewReader(c)
		if line, err := r.ReadString('\n'); err != nil || !strings.Contains(line, "echo-1") {
			t.Errorf("greeting is %q, %v", line, err)
		}
		_, _ = fmt.Fprintln(c, "hi")
		if line, err := r.ReadString('\n'); err != nil || line != "hi\n" {
			t.Errorf("echo is %q, %v", line, err)
		}
		s.Cut()
		if _, err := r.ReadByte(); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("after the cut reads give %v, want a reset", err)
		}
		_ = c.Close()
	}
}
