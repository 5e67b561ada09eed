package engine_test

import (
	"bufio"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
)

// answers is a target that answers every request head with the same bytes,
// without allocation, so that what is counted is the proxy's.
func (p *proxy) answers(response string) {
	whole := []byte(response)
	p.script(func(c net.Conn, _ *bufio.Reader) {
		buf := make([]byte, 4<<10)
		for {
			if _, err := c.Read(buf); err != nil {
				return
			}
			if _, err := c.Write(whole); err != nil {
				return
			}
		}
	})
}

const ask = "GET /a HTTP/1.1\r\nHost: x.test\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n"

var oneKiB = "HTTP/1.1 200 OK\r\nContent-Length: 1024\r\nContent-Type: text/plain\r\n\r\n" + strings.Repeat("x", 1024)

// BenchmarkProxy is one keep-alive request of 1 KiB over real sockets, client
// and target included.
func BenchmarkProxy(b *testing.B) {
	p := newProxy(b, nil)
	p.quiet = true
	p.answers(oneKiB)
	c := p.dial()
	buf := make([]byte, len(oneKiB))
	request := []byte(ask)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Write(request); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(c, buf); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDirect is the same without the proxy, to be taken off.
func BenchmarkDirect(b *testing.B) {
	p := newProxy(b, nil)
	p.answers(oneKiB)
	c, err := net.Dial("tcp", p.target.Load().String())
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	buf := make([]byte, len(oneKiB))
	request := []byte(ask)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Write(request); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(c, buf); err != nil {
			b.Fatal(err)
		}
	}
}

// TestCost proves that a keep-alive request allocates next to nothing, and that
// connections need no goroutines but those that the portable driver waits with.
func TestCost(t *testing.T) {
	p := newProxy(t, nil)
	p.quiet = true
	p.answers(oneKiB)
	before := runtime.NumGoroutine()
	const conns = 100
	list := make([]net.Conn, conns)
	buf := make([]byte, len(oneKiB))
	for i := range list {
		list[i] = p.dial()
	}
	request := []byte(ask)
	get := func(c net.Conn) {
		if _, err := c.Write(request); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, buf); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range list {
		get(c)
	}
	// The target's own are among them; requests came one after the other.
	most := 10
	if driverName == "portable" {
		most += 2 * conns
	}
	if n := runtime.NumGoroutine() - before; n > most {
		t.Errorf("%d connections need %d goroutines, want at most %d", conns, n, most)
	}
	if n := testing.AllocsPerRun(500, func() { get(list[0]) }); n >= 1 && !raced && driverName != "portable" {
		t.Errorf("a request allocates %v times", n)
	}
}
